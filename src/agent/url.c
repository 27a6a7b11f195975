/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/url.h"

#include <glib.h>
#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Url, url_clear)

typedef struct {
    const char *scheme_end; /* at "://" */
    char *host;             /* without brackets */
    long port;              /* 0 = absent, -1 = bad */
    const char *path;       /* from the first '/', or "" */
    bool user_part;
} Parts;

static bool is_label_char(char c)
{
    return g_ascii_isalnum(c) || c == '-';
}

/* RFC 1123: labels of letters, digits and inner hyphens. */
static bool is_host_name(const char *text)
{
    size_t length = strlen(text);
    if (length == 0 || length > 253)
        return false;
    size_t label = 0;
    for (size_t i = 0; i <= length; i++) {
        if (i == length || text[i] == '.') {
            if (label == 0 || label > 63 || text[i - 1] == '-')
                return false;
            label = 0;
        } else if (!is_label_char(text[i]) || (label == 0 && text[i] == '-')) {
            return false;
        } else {
            label++;
        }
    }
    return true;
}

static bool is_ipv6(const char *text)
{
    return strchr(text, ':') && !strchr(text, '%') && g_hostname_is_ip_address(text);
}

bool url_host_is_valid(const char *text)
{
    size_t length = strlen(text);
    if (length > 2 && text[0] == '[' && text[length - 1] == ']') {
        g_autofree char *inner = g_strndup(text + 1, length - 2);
        return is_ipv6(inner);
    }
    return is_ipv6(text) || is_host_name(text);
}

static long parse_port(const char *text, size_t length)
{
    if (length == 0 || length > 5 || strspn(text, "0123456789") < length)
        return -1;
    long port = strtol(text, NULL, 10);
    return port >= 1 && port <= 65535 ? port : -1;
}

/* False when `text` has no "scheme://host". */
static bool split(const char *text, Parts *out)
{
    *out = (Parts){0};
    out->scheme_end = strstr(text, "://");
    if (!out->scheme_end)
        return false;
    const char *authority = out->scheme_end + 3;
    size_t length = strcspn(authority, "/?#");
    out->path = authority + length;
    out->user_part = memchr(authority, '@', length) != NULL;
    const char *end = authority + length, *colon;
    if (*authority == '[') {
        const char *bracket = memchr(authority, ']', length);
        if (!bracket || (bracket + 1 != end && bracket[1] != ':'))
            return false;
        colon = bracket + 1 == end ? NULL : bracket + 1;
        out->host = g_strndup(authority + 1, (gsize)(bracket - authority - 1));
        if (!is_ipv6(out->host))
            g_clear_pointer(&out->host, g_free);
    } else {
        colon = memchr(authority, ':', length);
        out->host = g_strndup(authority, (gsize)((colon ? colon : end) - authority));
        if (!is_host_name(out->host))
            g_clear_pointer(&out->host, g_free);
    }
    out->port = colon ? parse_port(colon + 1, (size_t)(end - colon - 1)) : 0;
    return true;
}

static bool scheme_is(const char *text, const Parts *parts, const char *scheme)
{
    size_t length = (size_t)(parts->scheme_end - text);
    return length == strlen(scheme) && g_ascii_strncasecmp(text, scheme, length) == 0;
}

static const char *rest_problem(const Parts *parts)
{
    if (parts->user_part)
        return "must hold no user name";
    if (!parts->host)
        return "must name a host: https://host:port";
    if (parts->port < 0)
        return "must have a port from 1 to 65535";
    if (*parts->path && strcmp(parts->path, "/") != 0)
        return "must end after the host and port: no path, query or fragment";
    return NULL;
}

const char *url_verifier_problem(const char *text)
{
    Parts parts;
    if (!split(text, &parts))
        return "must use https: https://host:port, for example https://verifier.example.com:8881";
    g_autofree char *host = parts.host;
    if (!scheme_is(text, &parts, "https"))
        return "must use HTTPS (must use https), for example https://verifier.example.com:8881";
    return rest_problem(&parts);
}

const char *url_registrar_problem(const char *text)
{
    Parts parts;
    if (!split(text, &parts))
        return "must be http://host:port or https://host:port";
    g_autofree char *host = parts.host;
    if (!scheme_is(text, &parts, "https") && !scheme_is(text, &parts, "http"))
        return "must be http://host:port or https://host:port";
    return rest_problem(&parts);
}

void url_from_parts(bool tls, const char *host, unsigned port, Url *out)
{
    size_t length = strlen(host);
    bool bracketed = length > 2 && host[0] == '[';
    out->tls = tls;
    out->host = bracketed ? g_strndup(host + 1, length - 2) : g_strdup(host);
    out->port = port;
    bool ipv6 = strchr(out->host, ':') != NULL;
    out->origin = g_strdup_printf("%s://%s%s%s:%u", tls ? "https" : "http", ipv6 ? "[" : "",
                                  out->host, ipv6 ? "]" : "", port);
}

void url_parse(const char *text, Url *out)
{
    Parts parts;
    bool whole = split(text, &parts) && rest_problem(&parts) == NULL;
    g_assert(whole);
    g_autofree char *host = parts.host;
    bool tls = scheme_is(text, &parts, "https");
    url_from_parts(tls, host, parts.port ? (unsigned)parts.port : tls ? 443 : 80, out);
}

void url_clear(Url *url)
{
    g_clear_pointer(&url->host, g_free);
    g_clear_pointer(&url->origin, g_free);
}

char *url_join(const Url *base, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *path = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    return g_strconcat(base->origin, path, NULL);
}

static bool is_clean_path(const char *path)
{
    if (path[0] != '/' || path[1] == '/') /* "//host" names another authority */
        return false;
    for (const char *c = path; *c; c++) {
        if (*c <= ' ' || *c == 0x7F || *c == '\\' || *c == '#')
            return false;
    }
    return true;
}

char *url_resolve_location(const Url *base, const char *location)
{
    if (*location == '/')
        return is_clean_path(location) ? g_strconcat(base->origin, location, NULL) : NULL;
    Parts parts;
    if (!split(location, &parts))
        return NULL;
    g_autofree char *host = parts.host;
    if (!host || parts.user_part || parts.port < 0 || !scheme_is(location, &parts, "https"))
        return NULL;
    unsigned port = parts.port ? (unsigned)parts.port : 443;
    bool same = base->tls && port == base->port && g_ascii_strcasecmp(host, base->host) == 0;
    return same && is_clean_path(parts.path) ? g_strconcat(base->origin, parts.path, NULL) : NULL;
}
