/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.registrar"
#include "registrar/handlers.h"

#include "base/identifier.h"
#include "base/log.h"
#include "http/envelope.h"
#include "registrar/agent_record.h"
#include "registrar/registrar.h"

#define RETRY_SECONDS 2

static const char *const supported_versions[] = {"2.0", "2.1", "2.2", "2.3", "2.4",
                                                 "2.5", "2.6", "3.0", NULL};

void database_trouble(HttpResponse *response, const GError *error)
{
    bool unavailable = g_error_matches(error, STORE_ERROR, STORE_ERROR_UNAVAILABLE);
    log_error("Database: %s", error->message);
    envelope_v2(response, unavailable ? 503 : 500, "The database cannot be used at the moment",
                NULL);
    if (unavailable)
        http_response_retry_after(response, RETRY_SECONDS);
}

static void not_found(HttpResponse *response, const char *agent_id, const char *what)
{
    g_autofree char *text = g_strdup_printf("Agent with ID '%s' %s", agent_id, what);
    envelope_v2(response, 404, text, NULL);
}

void agents_list(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Registrar *registrar = context;
    g_autoptr(GError) error = NULL;
    Json *ids = agent_list(registrar->database, &error);
    if (!ids) {
        database_trouble(response, error);
        return;
    }
    Json *results = json_object_new_object();
    json_add(results, "uuids", ids);
    envelope_v2(response, 200, NULL, results);
}

void agents_show(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Registrar *registrar = context;
    const char *agent_id = http_request_parameter(request, "agent_id");
    g_autoptr(GError) error = NULL;
    g_auto(AgentLookup) known = {0};
    if (!agent_id_is_valid(agent_id)) {
        not_found(response, agent_id, "not found");
    } else if (!agent_lookup(registrar->database, agent_id, &known, &error)) {
        database_trouble(response, error);
    } else if (known.state == AGENT_ACTIVE) {
        envelope_v2(response, 200, NULL, agent_record_to_json(known.record));
    } else {
        not_found(response, agent_id,
                  known.state == AGENT_UNPROVEN ? "has not been activated" : "not found");
    }
}

void agents_delete(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Registrar *registrar = context;
    const char *agent_id = http_request_parameter(request, "agent_id");
    g_autoptr(GError) error = NULL;
    bool found = false;
    if (agent_id_is_valid(agent_id) &&
        !agent_delete(registrar->database, agent_id, registrar->settings.identity_tombstone, &found,
                      &error)) {
        database_trouble(response, error);
    } else if (found) {
        log_info("Agent '%s' deleted by '%s'", agent_id, http_request_identity(request)->name);
        envelope_v2(response, 200, NULL, NULL);
    } else {
        not_found(response, agent_id, "not found");
    }
}

void versions_show(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Json *results = json_object_new_object();
    json_add_text(results, "current_version", "2.6");
    json_add(results, "supported_versions", json_new_texts(supported_versions));
    envelope_v2(response, 200, NULL, results);
}

void root_probe(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    envelope_v2(response, 200, NULL, NULL);
}
