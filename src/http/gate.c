/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.web"
#include "http/gate.h"

#include "base/log.h"
#include "http/access.h"
#include "http/envelope.h"
#include "http/message_parts.h"

#include <string.h>

#define UNJUDGED_RETRY_SECONDS 2
#define HEAVY_RETRY_SECONDS 1
/* A quarter of the workers (decision D107). */
#define HEAVY_SHARE 4
/* In a request of one who is no administrator: capabilities of a TPM with every bank have some 300,
 * evidence has a dozen, its logs are one text each. Parsed, these are 8 MiB at most. */
#define STRANGERS_VALUES_MAX 10000
/* Bytes of a text that is read where it stands in its body; shorter ones are copied as fast. */
#define LARGE_TEXT ((size_t)64 * 1024)

/* --- errors ---------------------------------------------------------------------------------- */

/* Error word of JSON:API (verifier-push-api §2.7 names the ones of the routes themselves). */
static const char *error_word(unsigned status)
{
    switch (status) {
    case 404:
        return "not_found";
    case 405:
        return "method_not_allowed";
    case 408:
        return "request_timeout";
    case 413:
        return "content_too_large";
    case 415:
        return "unsupported_media_type";
    case 431:
        return "header_fields_too_large";
    case 500:
        return "internal_error";
    case 501:
        return "not_implemented";
    case 503:
        return "overloaded";
    default:
        return "invalid_request";
    }
}

void gate_error(const Gate *gate, HttpResponse *response, const HttpRequest *request,
                const Route *route, unsigned status, const char *detail)
{
    bool plain = route && route->ignore_token; /* sessions: verifier-push-api §2.6 */
    if (request->major == 2 || (request->major == 3 && gate->settings->v3_as_v2))
        envelope_v2(response, status, detail, NULL);
    else if (request->major == 3 && !plain)
        envelope_error(response, request, status, error_word(status), "%s", detail);
    else
        envelope_gate_error(response, status, detail);
}

/* --- on the I/O thread ----------------------------------------------------------------------- */

static bool refuse(const Gate *gate, HttpResponse *response, const HttpRequest *request,
                   const Route *route, unsigned status, const char *detail)
{
    gate_error(gate, response, request, route, status, detail);
    return false;
}

static bool find_route(const Gate *gate, const RequestHead *head, HttpRequest *request,
                       HttpResponse *response, const Route **route)
{
    if (!head->known)
        return refuse(gate, response, request, NULL, 501, "This server does not know the method");
    g_autofree char *allow = NULL;
    switch (router_match(gate->router, request, head->routable, route, &allow)) {
    case ROUTER_FOUND:
        return true;
    case ROUTER_BAD_PATH:
        return refuse(gate, response, request, NULL, 400,
                      "The path is no absolute path of RFC 3986");
    case ROUTER_NO_PATH:
        return refuse(gate, response, request, NULL, 404, "There is no such path in this API");
    case ROUTER_NO_METHOD:
        break;
    }
    g_autofree char *detail = g_strdup_printf("This path is for %s", allow);
    gate_error(gate, response, request, NULL, 405, detail);
    http_response_header(response, "Allow", allow);
    return false;
}

/* Upstream treats an empty header as none (verifier-push-api §3.1). */
static const char *authorization(const Route *route, const HttpRequest *request)
{
    if (route->ignore_token)
        return NULL;
    const char *value = http_request_header(request, "Authorization");
    return value && *value ? value : NULL;
}

static bool check_access(const Gate *gate, const Route *route, const HttpRequest *request,
                         HttpResponse *response)
{
    g_autofree char *refusal = access_refusal(route, gate->settings->open, request);
    if (refusal)
        envelope_gate_error(response, 403, refusal);
    return refusal == NULL;
}

bool gate_admit(const Gate *gate, const RequestHead *head, bool encrypted, HttpRequest *request,
                HttpResponse *response, const Route **route)
{
    if (!find_route(gate, head, request, response, route))
        return false;
    if (!encrypted && (*route)->access != ACCESS_PUBLIC)
        return refuse(gate, response, request, *route, 400,
                      "This path needs HTTPS; the port speaks plain HTTP");
    /* With a token only the worker can say who asks. */
    return authorization(*route, request) || check_access(gate, *route, request, response);
}

/* --- on a worker ----------------------------------------------------------------------------- */

static bool refuse_token(HttpResponse *response, const char *detail)
{
    envelope_gate_error(response, 401, detail);
    http_response_header(response, "WWW-Authenticate", "Bearer");
    return false;
}

/* The token may well be good: 401 would make the agent throw it away. */
static bool refuse_unjudged(HttpResponse *response)
{
    envelope_gate_error(response, 503, "Tokens cannot be checked at the moment");
    http_response_retry_after(response, UNJUDGED_RETRY_SECONDS);
    return false;
}

/* With an Authorization header the token alone says who asks, never the certificate. */
static bool check_token(const Gate *gate, const Route *route, HttpRequest *request,
                        HttpResponse *response)
{
    const char *value = authorization(route, request);
    if (!value)
        return true;
    if (g_ascii_strncasecmp(value, "Bearer ", 7) != 0)
        return refuse_token(response, "Invalid Authorization header format");
    g_clear_pointer(&request->identity.name, g_free);
    request->identity = (Identity){.kind = IDENTITY_ANONYMOUS};
    const char *token = value + 7;
    const char *detail = "Invalid authentication token";
    char *agent_id = NULL;
    const HttpServerSettings *settings = gate->settings;
    if (!settings->token_check ||
        !settings->token_check(token, &agent_id, &detail, settings->context) || !agent_id)
        return detail ? refuse_token(response, detail) : refuse_unjudged(response);
    request->identity = (Identity){.kind = IDENTITY_AGENT, .name = agent_id};
    request->token = g_strdup(token);
    return true;
}

static bool is_json_api(const HttpRequest *request)
{
    static const char type[] = "application/vnd.api+json";
    const char *value = http_request_header(request, "Content-Type");
    size_t size = sizeof type - 1;
    if (!value || g_ascii_strncasecmp(value, type, size) != 0)
        return false;
    size += strspn(value + size, " \t");
    return value[size] == '\0' || value[size] == ';';
}

static bool read_body(const Gate *gate, const Route *route, HttpRequest *request,
                      HttpResponse *response)
{
    if (route->body == BODY_NONE)
        return true;
    if (route->body == BODY_JSON_API && !is_json_api(request))
        return refuse(gate, response, request, route, 415,
                      "The content type of this request is application/vnd.api+json");
    g_autoptr(GError) error = NULL;
    size_t values = request->identity.kind == IDENTITY_ADMIN ? G_MAXSIZE : STRANGERS_VALUES_MAX;
    size_t size;
    uint8_t *body = http_request_steal_body(request, &size);
    g_autoptr(Json) json = json_parse_owned(body, size, values, LARGE_TEXT, &error);
    if (error) {
        g_autofree char *detail = g_strdup_printf("The body is no JSON: %s", error->message);
        return refuse(gate, response, request, route, 400, detail);
    }
    if (!json_object_is_type(json, json_type_object))
        return refuse(gate, response, request, route, 400, "The body must be a JSON object");
    request->json = g_steal_pointer(&json);
    return true;
}

static void handle(const Gate *gate, const Route *route, HttpRequest *request,
                   HttpResponse *response)
{
    if (!read_body(gate, route, request, response))
        return;
    route->handler(request, response, gate->settings->context);
    if (response->status == 0) {
        log_error("The handler of %s %s gave no answer", request->verb, route->pattern);
        gate_error(gate, response, request, route, 500, "Internal error");
    }
}

/* Whoever asks for much leaves the other workers to those who ask for little. */
static void handle_heavy(Gate *gate, const Route *route, HttpRequest *request,
                         HttpResponse *response)
{
    int share = (int)MAX(1, gate->settings->workers / HEAVY_SHARE);
    if (g_atomic_int_add(&gate->heavy, 1) < share) {
        handle(gate, route, request, response);
    } else {
        gate_error(gate, response, request, route, 503,
                   "Too many requests of this kind at the moment");
        http_response_retry_after(response, HEAVY_RETRY_SECONDS);
    }
    g_atomic_int_add(&gate->heavy, -1);
}

void gate_serve(Gate *gate, const Route *route, HttpRequest *request, HttpResponse *response)
{
    if (!check_token(gate, route, request, response) ||
        !check_access(gate, route, request, response))
        return;
    if (route->heavy)
        handle_heavy(gate, route, request, response);
    else
        handle(gate, route, request, response);
}
