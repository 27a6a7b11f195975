/* SPDX-License-Identifier: Apache-2.0 */
#include "http/envelope.h"

#include "http/message_parts.h"

#define TYPE_JSON "application/json"
#define TYPE_JSON_API "application/vnd.api+json"

/* Takes `document` over. */
static void respond(HttpResponse *response, unsigned code, const char *type, Json *document)
{
    g_autoptr(Json) owned = document;
    http_response_status(response, code);
    http_response_body(response, type, json_to_text(owned));
}

static const char *v2_status_word(unsigned code)
{
    return code == 200 ? "Success" : http_reason(code);
}

void envelope_v2(HttpResponse *response, unsigned code, const char *status_text, Json *results)
{
    Json *document = json_object_new_object();
    json_add_int(document, "code", code);
    json_add_sentence(document, "status", status_text ? status_text : v2_status_word(code));
    json_add(document, "results", results ? results : json_object_new_object());
    respond(response, code, TYPE_JSON, document);
}

void envelope_data(HttpResponse *response, unsigned code, Json *data)
{
    Json *document = json_object_new_object();
    json_add(document, "data", data);
    respond(response, code, TYPE_JSON, document);
}

/* "status" is a text in every error of the protocol. */
static void add_status(Json *error, unsigned code)
{
    char text[16];
    g_snprintf(text, sizeof text, "%u", code);
    json_add_text(error, "status", text);
}

void envelope_gate_error(HttpResponse *response, unsigned code, const char *detail)
{
    Json *error = json_object_new_object();
    add_status(error, code);
    json_add_text(error, "title", http_reason(code));
    json_add_sentence(error, "detail", detail);
    Json *errors = json_object_new_array();
    json_object_array_add(errors, error);
    Json *document = json_object_new_object();
    json_add(document, "errors", errors);
    respond(response, code, TYPE_JSON, document);
}

/* The last members of every JSON:API document, in this order. */
static void add_trailer(Json *document, const HttpRequest *request)
{
    Json *links = json_object_new_object();
    json_add_text(links, "self", http_request_path(request));
    json_add(document, "links", links);
    Json *version = json_object_new_object();
    json_add_text(version, "version", "1.1");
    json_add(document, "jsonapi", version);
}

void envelope_resource(HttpResponse *response, const HttpRequest *request, unsigned code,
                       Json *data, Json *meta)
{
    Json *document = json_object_new_object();
    json_add(document, "data", data);
    if (meta)
        json_add(document, "meta", meta);
    add_trailer(document, request);
    respond(response, code, TYPE_JSON_API, document);
}

static void api_error_free(gpointer pointer)
{
    ApiError *error = pointer;
    g_free(error->detail);
    g_free(error->pointer);
    g_free(error);
}

ApiErrors *api_errors_new(void)
{
    return g_ptr_array_new_with_free_func(api_error_free);
}

static void add_error(ApiErrors *errors, unsigned status, const char *code, const char *pointer,
                      char *detail)
{
    ApiError *error = g_new0(ApiError, 1);
    error->status = status;
    error->code = code;
    error->detail = detail;
    error->pointer = g_strdup(pointer);
    g_ptr_array_add(errors, error);
}

void api_errors_add(ApiErrors *errors, unsigned status, const char *code, const char *pointer,
                    const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_error(errors, status, code, pointer, g_strdup_vprintf(format, arguments));
    va_end(arguments);
}

static Json *api_error_to_json(const ApiError *error)
{
    Json *object = json_object_new_object();
    add_status(object, error->status);
    json_add_text(object, "code", error->code);
    json_add_sentence(object, "detail", error->detail);
    if (error->pointer) {
        Json *source = json_object_new_object();
        json_add_text(source, "pointer", error->pointer);
        json_add(object, "source", source);
    }
    return object;
}

void envelope_errors(HttpResponse *response, const HttpRequest *request, const ApiErrors *errors)
{
    g_assert(errors->len > 0);
    unsigned status = ((const ApiError *)g_ptr_array_index(errors, 0))->status;
    Json *list = json_object_new_array();
    for (guint i = 0; i < errors->len; i++) {
        const ApiError *error = g_ptr_array_index(errors, i);
        if (error->status != status)
            status = 400;
        json_object_array_add(list, api_error_to_json(error));
    }
    Json *document = json_object_new_object();
    json_add(document, "errors", list);
    add_trailer(document, request);
    respond(response, status, TYPE_JSON_API, document);
}

void envelope_error(HttpResponse *response, const HttpRequest *request, unsigned status,
                    const char *code, const char *format, ...)
{
    g_autoptr(GPtrArray) errors = api_errors_new();
    va_list arguments;
    va_start(arguments, format);
    add_error(errors, status, code, NULL, g_strdup_vprintf(format, arguments));
    va_end(arguments);
    envelope_errors(response, request, errors);
}

void http_response_retry_after(HttpResponse *response, guint64 seconds)
{
    /* Upstream's Rust agent repeats the request on any answer that carries it (decision D85). */
    g_assert(response->status == 429 || response->status == 503);
    char text[24];
    g_snprintf(text, sizeof text, "%" G_GUINT64_FORMAT, seconds);
    http_response_header(response, "Retry-After", text);
}
