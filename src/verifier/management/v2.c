/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.verifier"
#include "verifier/management/v2.h"

#include "base/identifier.h"
#include "base/log.h"
#include "http/envelope.h"
#include "verifier/database_trouble.h"
#include "verifier/management/enrolment.h"
#include "verifier/management/store.h"

/* The id of the path; NULL when the answer is given. The wording is upstream's. */
static const char *agent_id_of(const HttpRequest *request, HttpResponse *response)
{
    const char *agent_id = http_request_parameter(request, "agent_id");
    if (agent_id_is_valid(agent_id))
        return agent_id;
    envelope_v2(response, 400, "agent_id not not valid", NULL);
    return NULL;
}

/* --- GET -------------------------------------------------------------------------------------- */

/* [["id1"], ["id2"]]: lists of one element, on which tenants rely. */
static Json *ids_of(const GPtrArray *records)
{
    Json *ids = json_object_new_array();
    for (guint i = 0; i < records->len; i++) {
        const AgentRecord *record = g_ptr_array_index(records, i);
        Json *one = json_object_new_array();
        json_object_array_add(one, json_new_text(record->agent_id));
        json_object_array_add(ids, one);
    }
    Json *results = json_object_new_object();
    json_add(results, "uuids", ids);
    return results;
}

static Json *records_of(const GPtrArray *records, const VerifierSettings *settings)
{
    Json *results = json_object_new_object();
    for (guint i = 0; i < records->len; i++) {
        const AgentRecord *record = g_ptr_array_index(records, i);
        json_add(results, record->agent_id, agent_record_to_json(record, settings));
    }
    return results;
}

void agents_v2_list(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Verifier *verifier = context;
    g_autoptr(GPtrArray) records = NULL;
    g_autoptr(GError) error = NULL;
    if (!management_read_all(verifier, http_request_query(request, "verifier"), &records, &error)) {
        database_trouble_v2(response, error);
        return;
    }
    /* Any value asks for bulk, an empty one does not (tenant-and-management-api §3.5). */
    const char *bulk = http_request_query(request, "bulk");
    envelope_v2(response, 200, "Success",
                bulk && *bulk ? records_of(records, &verifier->settings) : ids_of(records));
}

void agents_v2_show(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Verifier *verifier = context;
    const char *agent_id = agent_id_of(request, response);
    if (!agent_id)
        return;
    g_autoptr(AgentRecord) record = NULL;
    g_autoptr(GError) error = NULL;
    if (!management_read(verifier, agent_id, &record, &error))
        database_trouble_v2(response, error);
    else if (!record)
        envelope_v2(response, 404, "agent id not found", NULL);
    else
        envelope_v2(response, 200, "Success", agent_record_to_json(record, &verifier->settings));
}

/* --- POST ------------------------------------------------------------------------------------- */

void agents_v2_enrol(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Verifier *verifier = context;
    const char *agent_id = agent_id_of(request, response);
    if (!agent_id)
        return;
    g_autoptr(GError) refused = NULL;
    g_autoptr(GError) error = NULL;
    g_auto(PolicyChoices) choices = {0};
    g_autoptr(AgentRecord) record =
        enrolment_read(http_request_json(request), agent_id, &verifier->settings,
                       verifier->policy_rules, &choices, &refused);
    ManagementResult result = MANAGEMENT_DONE;
    if (record && !management_enrol(verifier, record, &choices, &result, &refused, &error)) {
        database_trouble_v2(response, error);
    } else if (refused) {
        log_warning("Refused to enrol agent '%s': %s", agent_id, refused->message);
        envelope_v2(response, (unsigned)refused->code, refused->message, NULL);
    } else if (result == MANAGEMENT_EXISTS) {
        g_autofree char *text = g_strdup_printf(
            "Agent of uuid %s already exists. Please use delete or update.", agent_id);
        envelope_v2(response, 409, text, NULL);
    } else {
        log_info("Agent '%s' enrolled by '%s'", agent_id, http_request_identity(request)->name);
        envelope_v2(response, 200, "Success", NULL);
    }
}

/* --- changes ---------------------------------------------------------------------------------- */

typedef bool (*AgentChange)(Verifier *verifier, const char *agent_id, ManagementResult *result,
                            GError **error);

static void change_agent(const HttpRequest *request, HttpResponse *response, Verifier *verifier,
                         AgentChange change, const char *done)
{
    const char *agent_id = agent_id_of(request, response);
    if (!agent_id)
        return;
    ManagementResult result;
    g_autoptr(GError) error = NULL;
    if (!change(verifier, agent_id, &result, &error)) {
        database_trouble_v2(response, error);
    } else if (result == MANAGEMENT_DONE) {
        log_info("Agent '%s' %s by '%s'", agent_id, done, http_request_identity(request)->name);
        envelope_v2(response, 200, "Success", NULL);
    } else {
        envelope_v2(response, 404,
                    result == MANAGEMENT_FOREIGN ? "agent id associated to another verifier"
                                                 : "agent id not found",
                    NULL);
    }
}

void agents_v2_delete(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    change_agent(request, response, context, management_delete, "deleted");
}

void agents_v2_reactivate(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    change_agent(request, response, context, management_reactivate, "reactivated");
}

void agents_v2_stop(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    change_agent(request, response, context, management_stop, "stopped");
}
