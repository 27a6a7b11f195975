/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/reply.h"

#include "http/envelope.h"
#include "verifier/database_trouble.h"

static const char *error_word(unsigned status)
{
    switch (status) {
    case 401:
        return "unauthorized";
    case 404:
        return "not_found";
    case 409:
        return "conflict";
    default:
        return "invalid_request";
    }
}

void reply_error(HttpResponse *response, const HttpRequest *request, unsigned status,
                 const char *pointer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    if (http_request_major(request) == 2) {
        envelope_v2(response, status, text, NULL);
        return;
    }
    g_autoptr(GPtrArray) errors = api_errors_new();
    api_errors_add(errors, status, error_word(status), pointer, "%s", text);
    envelope_errors(response, request, errors);
}

void reply_trouble(HttpResponse *response, const HttpRequest *request, const GError *error)
{
    if (http_request_major(request) == 2)
        database_trouble_v2(response, error);
    else
        database_trouble_api(response, request, error);
}

bool reply_text_member(HttpResponse *response, const HttpRequest *request, Json *object,
                       const char *name, const char *pointer, const char **out)
{
    Json *value = json_member(object, name);
    *out = json_text(value);
    if (!value || *out)
        return true;
    reply_error(response, request, 400, pointer, "%s must be a text", name);
    return false;
}

void reply_deleted(HttpResponse *response)
{
    http_response_status(response, 204);
    http_response_body(response, NULL, NULL);
}
