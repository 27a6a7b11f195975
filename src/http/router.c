/* SPDX-License-Identifier: Apache-2.0 */
#include "http/router.h"

#include "http/message_parts.h"

#include <string.h>

/* The longest pattern has five segments; a longer path matches nothing. */
#define SEGMENTS_MAX 12

typedef struct {
    const char *text;
    size_t size;
} Segment;

typedef struct {
    const Route *route;
    Segment segments[SEGMENTS_MAX]; /* a parameter's text starts with ':' */
    unsigned count;
} Compiled;

struct Router {
    GArray *compiled; /* of Compiled */
};

/* Split at '/', ignoring one at the end. False when there are too many segments. */
static bool split(const char *path, Segment segments[SEGMENTS_MAX], unsigned *count)
{
    *count = 0;
    const char *at = path;
    while (*at == '/') {
        at++;
        if (*at == '\0')
            return true;
        if (*count == SEGMENTS_MAX)
            return false;
        size_t size = strcspn(at, "/");
        segments[(*count)++] = (Segment){at, size};
        at += size;
    }
    return true;
}

Router *router_new(const Route *routes)
{
    Router *router = g_new0(Router, 1);
    router->compiled = g_array_new(FALSE, TRUE, sizeof(Compiled));
    for (const Route *route = routes; route->handler; route++) {
        Compiled compiled = {.route = route};
        bool fits = split(route->pattern, compiled.segments, &compiled.count);
        g_assert(fits);
        g_array_append_val(router->compiled, compiled);
    }
    return router;
}

void router_free(Router *router)
{
    if (!router)
        return;
    g_array_unref(router->compiled);
    g_free(router);
}

const char *http_method_name(HttpMethod method)
{
    static const char *const names[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    return names[method];
}

/* path-absolute of RFC 3986 §3.3. Escapes are checked, and stay as they are. */
static bool path_is_valid(const char *path)
{
    if (path[0] != '/' || path[1] == '/')
        return false;
    for (const char *at = path; *at; at++) {
        if (*at == '%') {
            if (!g_ascii_isxdigit(at[1]) || !g_ascii_isxdigit(at[2]))
                return false;
            at += 2;
        } else if (!g_ascii_isalnum(*at) && !strchr("/-._~!$&'()*+,;=:@", *at)) {
            return false;
        }
    }
    return true;
}

static bool segments_match(const Compiled *compiled, const Segment *segments, unsigned count)
{
    if (compiled->count != count)
        return false;
    for (unsigned i = 0; i < count; i++) {
        const Segment *pattern = &compiled->segments[i];
        if (segments[i].size == 0)
            return false;
        if (pattern->text[0] == ':')
            continue;
        if (pattern->size != segments[i].size ||
            memcmp(pattern->text, segments[i].text, pattern->size) != 0)
            return false;
    }
    return true;
}

static void take_parameters(HttpRequest *request, const Compiled *compiled, const Segment *segments)
{
    for (unsigned i = 0; i < compiled->count; i++) {
        if (compiled->segments[i].text[0] != ':')
            continue;
        g_assert(request->parameter_count < HTTP_PARAMETERS_MAX);
        HttpField *field = &request->parameters[request->parameter_count++];
        field->name = g_strndup(compiled->segments[i].text + 1, compiled->segments[i].size - 1);
        field->value = g_strndup(segments[i].text, segments[i].size);
    }
}

static char *allow_text(unsigned methods)
{
    GString *text = g_string_new(NULL);
    for (unsigned method = HTTP_GET; method <= HTTP_DELETE; method++) {
        if (methods & (1u << method))
            g_string_append_printf(text, "%s%s", text->len ? ", " : "", http_method_name(method));
    }
    return g_string_free(text, FALSE);
}

RouterOutcome router_match(const Router *router, HttpRequest *request, bool routable,
                           const Route **route, char **allow)
{
    *route = NULL;
    *allow = NULL;
    if (!path_is_valid(request->path))
        return ROUTER_BAD_PATH;
    RouteVersions version = request->major == 3   ? ROUTE_V3
                            : request->major == 2 ? ROUTE_V2
                                                  : ROUTE_UNVERSIONED;
    Segment segments[SEGMENTS_MAX] = {0};
    unsigned count;
    if (!split(request->path + strlen(request->version), segments, &count))
        return ROUTER_NO_PATH;

    unsigned methods = 0;
    for (guint i = 0; i < router->compiled->len; i++) {
        const Compiled *compiled = &g_array_index(router->compiled, Compiled, i);
        if (!(compiled->route->versions & version) || !segments_match(compiled, segments, count))
            continue;
        if (routable && compiled->route->method == request->method) {
            take_parameters(request, compiled, segments);
            *route = compiled->route;
            return ROUTER_FOUND;
        }
        methods |= 1u << compiled->route->method;
    }
    if (methods == 0)
        return ROUTER_NO_PATH;
    *allow = allow_text(methods);
    return ROUTER_NO_METHOD;
}
