/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/server_info.h"

#include "http/envelope.h"

void server_info_redirect(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    http_response_status(response, 307);
    http_response_header(response, "Location", "/v3.0/");
}

void server_info_version(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    envelope_v2(response, 410, "Gone", NULL);
}

void server_info_root_v3(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    envelope_v2(response, 200, "OK", NULL);
}

void server_info_root_v2(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    envelope_v2(response, 405, "Not Implemented: Use /agents/ interface instead", NULL);
    /* An Allow header without methods: nothing is to be had here. */
    http_response_header(response, "Allow", "");
}
