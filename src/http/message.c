/* SPDX-License-Identifier: Apache-2.0 */
#include "http/message.h"

#include "base/secret.h"
#include "http/message_parts.h"

#include <string.h>

HttpRequest *http_request_empty(void)
{
    HttpRequest *request = g_new0(HttpRequest, 1);
    request->identity.kind = IDENTITY_ANONYMOUS;
    return request;
}

bool http_version_prefix(const char *path, char version[8], unsigned *major)
{
    /* "/v2" or "/v3", then end, '/', or a minor that exists. */
    version[0] = '\0';
    *major = 0;
    if (path[0] != '/' || path[1] != 'v' || (path[2] != '2' && path[2] != '3'))
        return false;
    unsigned number = (unsigned)(path[2] - '0');
    size_t length = 3;
    if (path[3] == '.') {
        char last_minor = number == 2 ? '6' : '0';
        if (path[4] < '0' || path[4] > last_minor)
            return false;
        length = 5;
    }
    if (path[length] != '\0' && path[length] != '/')
        return false;
    memcpy(version, path, length);
    version[length] = '\0';
    *major = number;
    return true;
}

HttpRequest *http_request_new(HttpMethod method, const char *path, Bytes body)
{
    HttpRequest *request = http_request_empty();
    request->method = method;
    const char *query = strchr(path, '?');
    request->path = query ? g_strndup(path, (gsize)(query - path)) : g_strdup(path);
    request->query_text = query ? g_strdup(query + 1) : NULL;
    http_version_prefix(request->path, request->version, &request->major);
    if (body.size > 0) {
        request->body = g_memdup2(body.data, body.size);
        request->body_size = body.size;
        Json *json = json_parse(body, NULL);
        if (json && json_object_is_type(json, json_type_object))
            request->json = json;
        else
            json_unref(json);
    }
    request->peer = g_strdup("127.0.0.1");
    return request;
}

void http_request_set_identity(HttpRequest *request, IdentityKind kind, const char *name)
{
    request->identity.kind = kind;
    g_free(request->identity.name);
    request->identity.name = g_strdup(name);
}

void http_request_set_parameter(HttpRequest *request, const char *name, const char *value)
{
    g_assert(request->parameter_count < HTTP_PARAMETERS_MAX);
    request->parameters[request->parameter_count++] = (HttpField){g_strdup(name), g_strdup(value)};
}

static void free_fields(GArray *fields)
{
    if (!fields)
        return;
    for (guint i = 0; i < fields->len; i++) {
        HttpField *field = &g_array_index(fields, HttpField, i);
        g_free(field->name);
        g_free(field->value);
    }
    g_array_unref(fields);
}

void http_request_free(HttpRequest *request)
{
    if (!request)
        return;
    g_free(request->path);
    g_free(request->query_text);
    if (request->head)
        secret_free_text(request->head);
    if (request->headers)
        g_array_unref(request->headers);
    for (unsigned i = 0; i < request->parameter_count; i++) {
        g_free(request->parameters[i].name);
        g_free(request->parameters[i].value);
    }
    free_fields(request->query);
    g_free(request->body);
    json_unref(request->json);
    g_free(request->identity.name);
    secret_free_text(request->token);
    g_free(request->peer);
    g_free(request);
}

HttpMethod http_request_method(const HttpRequest *request)
{
    return request->method;
}

const char *http_request_path(const HttpRequest *request)
{
    return request->path;
}

const char *http_request_version_prefix(const HttpRequest *request)
{
    return request->version;
}

unsigned http_request_major(const HttpRequest *request)
{
    return request->major;
}

const char *http_request_parameter(const HttpRequest *request, const char *name)
{
    for (unsigned i = 0; i < request->parameter_count; i++) {
        if (strcmp(request->parameters[i].name, name) == 0)
            return request->parameters[i].value;
    }
    return "";
}

/* application/x-www-form-urlencoded: '+' is a blank. NULL when an escape is broken or hides a NUL,
 * and when the escapes are no UTF-8. */
static char *query_decode(const char *text, size_t size)
{
    g_autofree char *plain = g_strndup(text, size);
    g_strdelimit(plain, "+", ' ');
    g_autofree char *decoded = g_uri_unescape_string(plain, NULL);
    return decoded && g_utf8_validate(decoded, -1, NULL) ? g_steal_pointer(&decoded) : NULL;
}

static GArray *parse_query(const char *text)
{
    GArray *fields = g_array_new(FALSE, FALSE, sizeof(HttpField));
    while (text && *text) {
        size_t size = strcspn(text, "&");
        const char *equals = memchr(text, '=', size);
        size_t name_size = equals ? (size_t)(equals - text) : size;
        char *name = query_decode(text, name_size);
        char *value = equals ? query_decode(equals + 1, size - name_size - 1) : g_strdup("");
        HttpField field = {name, value};
        if (name && value) {
            g_array_append_val(fields, field);
        } else {
            g_free(name);
            g_free(value);
        }
        text += size;
        text += *text == '&';
    }
    return fields;
}

const char *http_request_query(const HttpRequest *request, const char *name)
{
    /* A request belongs to one thread; decoding on first use spares the routes that read none. */
    HttpRequest *owner = (HttpRequest *)request;
    if (!owner->query)
        owner->query = parse_query(owner->query_text);
    for (guint i = 0; i < owner->query->len; i++) {
        const HttpField *field = &g_array_index(owner->query, HttpField, i);
        if (strcmp(field->name, name) == 0)
            return field->value;
    }
    return NULL;
}

const char *http_request_header(const HttpRequest *request, const char *name)
{
    for (guint i = 0; request->headers && i < request->headers->len; i++) {
        const HttpField *field = &g_array_index(request->headers, HttpField, i);
        if (g_ascii_strcasecmp(field->name, name) == 0)
            return field->value;
    }
    return NULL;
}

char *http_request_header_list(const HttpRequest *request, const char *name)
{
    GString *list = NULL;
    for (guint i = 0; request->headers && i < request->headers->len; i++) {
        const HttpField *field = &g_array_index(request->headers, HttpField, i);
        if (g_ascii_strcasecmp(field->name, name) != 0)
            continue;
        list = list ? g_string_append(list, ",") : g_string_new(NULL);
        g_string_append(list, field->value);
    }
    return list ? g_string_free(list, FALSE) : NULL;
}

Bytes http_request_body(const HttpRequest *request)
{
    return bytes_of(request->body, request->body_size);
}

uint8_t *http_request_steal_body(HttpRequest *request, size_t *size)
{
    *size = request->body_size;
    request->body_size = 0;
    return g_steal_pointer(&request->body);
}

Json *http_request_json(const HttpRequest *request)
{
    return request->json;
}

const Identity *http_request_identity(const HttpRequest *request)
{
    return &request->identity;
}

const char *http_request_token(const HttpRequest *request)
{
    return request->token;
}

const char *http_request_peer(const HttpRequest *request)
{
    return request->peer;
}

/* --- response -------------------------------------------------------------------------------- */

HttpResponse *http_response_new(void)
{
    return g_new0(HttpResponse, 1);
}

void http_response_free(HttpResponse *response)
{
    if (!response)
        return;
    free_fields(response->headers);
    /* Answers carry session tokens. */
    secret_free_text(response->body);
    g_free(response);
}

void http_response_status(HttpResponse *response, unsigned status)
{
    response->status = status;
}

unsigned http_response_status_get(const HttpResponse *response)
{
    return response->status;
}

void http_response_header(HttpResponse *response, const char *name, const char *value)
{
    /* A line break in a value would start a header of the caller's data (response splitting). */
    g_return_if_fail(strpbrk(name, "\r\n: ") == NULL && strpbrk(value, "\r\n") == NULL);
    if (!response->headers)
        response->headers = g_array_new(FALSE, FALSE, sizeof(HttpField));
    for (guint i = 0; i < response->headers->len; i++) {
        HttpField *field = &g_array_index(response->headers, HttpField, i);
        if (g_ascii_strcasecmp(field->name, name) == 0) {
            g_free(field->value);
            field->value = g_strdup(value);
            return;
        }
    }
    HttpField field = {g_strdup(name), g_strdup(value)};
    g_array_append_val(response->headers, field);
}

void http_response_body(HttpResponse *response, const char *content_type, char *text)
{
    secret_free_text(response->body);
    response->body = text;
    if (content_type)
        http_response_header(response, "Content-Type", content_type);
}

const char *http_response_body_get(const HttpResponse *response)
{
    return response->body;
}

const char *http_response_header_get(const HttpResponse *response, const char *name)
{
    for (guint i = 0; response->headers && i < response->headers->len; i++) {
        const HttpField *field = &g_array_index(response->headers, HttpField, i);
        if (g_ascii_strcasecmp(field->name, name) == 0)
            return field->value;
    }
    return NULL;
}

const char *http_reason(unsigned status)
{
    static const struct {
        unsigned status;
        const char *text;
    } reasons[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {307, "Temporary Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(reasons); i++) {
        if (reasons[i].status == status)
            return reasons[i].text;
    }
    return "Error";
}

static void append_text(GByteArray *out, const char *text)
{
    g_byte_array_append(out, (const guint8 *)text, (guint)strlen(text));
}

GByteArray *http_response_serialise(const HttpResponse *response, bool with_body, bool close)
{
    size_t body_size = response->body ? strlen(response->body) : 0;
    /* One buffer, so that a small answer is one TLS record and one packet. */
    GByteArray *out = g_byte_array_sized_new((guint)(512 + (with_body ? body_size : 0)));
    char line[160], length[48] = "";
    /* A 204 ends with its head; RFC 9110 §8.6 forbids it a length. */
    if (response->status != 204)
        g_snprintf(length, sizeof length, "Content-Length: %zu\r\n", body_size);
    g_snprintf(line, sizeof line, "HTTP/1.1 %u %s\r\n%s", response->status,
               http_reason(response->status), length);
    append_text(out, line);
    for (guint i = 0; response->headers && i < response->headers->len; i++) {
        const HttpField *field = &g_array_index(response->headers, HttpField, i);
        append_text(out, field->name);
        append_text(out, ": ");
        append_text(out, field->value);
        append_text(out, "\r\n");
    }
    append_text(out, close ? "Connection: close\r\n\r\n" : "\r\n");
    if (with_body && body_size > 0)
        g_byte_array_append(out, (const guint8 *)response->body, (guint)body_size);
    return out;
}
