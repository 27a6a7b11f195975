/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.verifier"
#include "verifier/database_trouble.h"

#include "base/log.h"
#include "http/envelope.h"
#include "store/database.h"

#define RETRY_SECONDS 2
#define DETAIL "The database cannot be used at the moment"

static unsigned report(const GError *error)
{
    log_error("Database: %s", error->message);
    return g_error_matches(error, STORE_ERROR, STORE_ERROR_UNAVAILABLE) ? 503 : 500;
}

static void finish(HttpResponse *response, unsigned code)
{
    if (code == 503)
        http_response_retry_after(response, RETRY_SECONDS);
}

void database_trouble_gate(HttpResponse *response, const GError *error)
{
    unsigned code = report(error);
    envelope_gate_error(response, code, DETAIL);
    finish(response, code);
}

void database_trouble_v2(HttpResponse *response, const GError *error)
{
    unsigned code = report(error);
    envelope_v2(response, code, DETAIL, NULL);
    finish(response, code);
}

void database_trouble_api(HttpResponse *response, const HttpRequest *request, const GError *error)
{
    unsigned code = report(error);
    envelope_error(response, request, code, "database_unavailable", DETAIL);
    finish(response, code);
}
