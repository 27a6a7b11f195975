/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bodies of answers: the v2 envelope, the JSON:API document, and the errors of both
 * (verifier-push-api §2.6, tenant-and-management-api §3.4).
 */
#pragma once

#include "http/message.h"

/* {"code": N, "status": "...", "results": {...}}; `results` is taken over, NULL = {}. `status_text`
 * NULL = the standard word. */
void envelope_v2(HttpResponse *response, unsigned code, const char *status_text, Json *results);

/* {"data": ...} of the session routes, application/json. Takes `data` over. */
void envelope_data(HttpResponse *response, unsigned code, Json *data);
/* {"errors":[{"status","title","detail"}]}: session errors and the 401/403 of the gate. */
void envelope_gate_error(HttpResponse *response, unsigned code, const char *detail);

/* JSON:API: {"data", "meta"?, "links":{"self": path}, "jsonapi"}. Takes `data`, `meta` (or NULL).
 */
void envelope_resource(HttpResponse *response, const HttpRequest *request, unsigned code,
                       Json *data, Json *meta);

/* JSON:API errors, one or several:
 * {"errors":[{"status","code","detail","source"?}],"links","jsonapi"}. */
typedef struct {
    unsigned status;
    const char *code; /* error word, verifier-push-api §2.7 */
    char *detail;     /* owned by the array once added */
    char *pointer;    /* JSON pointer, or NULL; likewise */
} ApiError;
typedef GPtrArray ApiErrors; /* of ApiError */
ApiErrors *api_errors_new(void);
void api_errors_add(ApiErrors *errors, unsigned status, const char *code, const char *pointer,
                    const char *format, ...) G_GNUC_PRINTF(5, 6);
/* All share one status -> that one; else 400. Leaves `errors` to the caller (g_ptr_array_unref). */
void envelope_errors(HttpResponse *response, const HttpRequest *request, const ApiErrors *errors);
/* The common case of one error. */
void envelope_error(HttpResponse *response, const HttpRequest *request, unsigned status,
                    const char *code, const char *format, ...) G_GNUC_PRINTF(5, 6);

/* Retry-After in whole seconds; allowed on 429 and 503 only (asserted). */
void http_response_retry_after(HttpResponse *response, guint64 seconds);
