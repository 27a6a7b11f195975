/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that ask the verifier about agents it has (tenant-and-management-api §2.7, §2.11). */
#define LOG_NAME "keylime.tenant"
#include "base/log.h"
#include "tenant/commands.h"
#include "tenant/explain.h"
#include "tenant/python_text.h"

/* tenant-and-management-api §5.2 */
static const char *const operational_states[] = {
    "Registered",
    "Start",
    "Saved",
    "Get Quote",
    "Get Quote (retry)",
    "Provide V",
    "Provide V (retry)",
    "Failed",
    "Terminated",
    "Invalid Quote",
    "Tenant Quote Failed",
};

/* The record as people read it: state by name; left out where --push-model says that it means
 * nothing. `null_text` stands for a state of null. What is no record is left as it is. New
 * reference. */
static Json *readable_record(Json *record, bool without_state, const char *null_text)
{
    if (!json_object_is_type(record, json_type_object))
        return json_object_get(record);
    Json *readable = json_object_new_object();
    json_object_object_foreach (record, name, value) {
        if (g_strcmp0(name, "operational_state") != 0) {
            json_add(readable, name, json_object_get(value));
        } else if (!without_state) {
            gint64 state = -1;
            bool known = json_member_int(record, name, false, &state) && state >= 0 &&
                         state < (gint64)G_N_ELEMENTS(operational_states);
            if (known)
                json_add_text(readable, name, operational_states[state]);
            else
                json_add(readable, name, value ? json_object_get(value) : json_new_text(null_text));
        }
    }
    return readable;
}

static ServerAnswer *ask_for_agent(Tenant *tenant, GError **error)
{
    g_autofree char *path = g_strdup_printf("/agents/%s", tenant->agent_id);
    return server_send(tenant->verifier, "GET", NULL, path, NULL, error);
}

static void print_record(Tenant *tenant, Json *record)
{
    g_autoptr(Json) by_id = json_object_new_object();
    json_add(by_id, tenant->agent_id, readable_record(record, tenant->arguments->push_model, NULL));
    g_autofree char *heading =
        g_strdup_printf("Agent Info from %s:", server_words(tenant->verifier));
    tenant_print(tenant, heading, by_id);
}

static bool fail_answer(Tenant *tenant, const char *what, const ServerAnswer *answer,
                        GError **error)
{
    return tenant_refused(tenant, tenant->verifier, answer, error, "%s: %s answered %u: %s", what,
                          server_words(tenant->verifier), answer->status,
                          *answer->text ? answer->text : answer->raw);
}

static bool fail_absent(Tenant *tenant, const ServerAnswer *answer, GError **error)
{
    return tenant_refused(tenant, tenant->verifier, answer, error, "Agent %s does not exist on %s.",
                          tenant->agent_id, server_words(tenant->verifier));
}

/* A line that scripts look for, byte for byte. */
static void log_absent(const Tenant *tenant)
{
    log_info("Verifier at %s with Port %s does not have agent %s.", server_host(tenant->verifier),
             server_port(tenant->verifier), tenant->agent_id);
}

bool tenant_cvstatus(Tenant *tenant, GError **error)
{
    g_autoptr(ServerAnswer) answer = ask_for_agent(tenant, error);
    if (!answer)
        return false;
    if (answer->status == 404) {
        log_absent(tenant);
        return fail_absent(tenant, answer, error);
    }
    if (answer->status != 200 || !server_results(answer))
        return fail_answer(tenant, "status of the agent", answer, error);
    print_record(tenant, server_results(answer));
    explain_status(tenant->verifier, tenant->agent_id, server_results(answer));
    return true;
}

bool tenant_cvlist(Tenant *tenant, GError **error)
{
    const char *filter = tenant->arguments->verifier_id;
    g_autofree char *encoded = g_uri_escape_string(filter ? filter : "", NULL, FALSE);
    g_autofree char *path = g_strdup_printf("/agents/?verifier=%s", encoded);
    g_autoptr(ServerAnswer) answer = server_send(tenant->verifier, "GET", NULL, path, NULL, error);
    if (!answer)
        return false;
    if (answer->status != 200 || !server_results(answer))
        return fail_answer(tenant, "list of agents", answer, error);
    g_autofree char *text = python_repr(answer->body);
    g_autofree char *retrieved =
        g_strdup_printf("From verifier %s port %s retrieved: \"%s\"", server_host(tenant->verifier),
                        server_port(tenant->verifier), text);
    log_write_text(LOG_NAME, LOG_LEVEL_INFO, retrieved, ""); /* upstream's blank line */
    g_autofree char *heading =
        g_strdup_printf("Agent list from %s retrieved: ", server_words(tenant->verifier));
    tenant_print(tenant, heading, server_results(answer));
    return true;
}

bool tenant_bulkinfo(Tenant *tenant, GError **error)
{
    const char *filter = tenant->arguments->verifier_id;
    g_autofree char *encoded = g_uri_escape_string(filter ? filter : "", NULL, FALSE);
    g_autofree char *path = g_strdup_printf("/agents/?bulk=True&verifier=%s", encoded);
    g_autoptr(ServerAnswer) answer = server_send(tenant->verifier, "GET", NULL, path, NULL, error);
    if (!answer)
        return false;
    if (answer->status != 200 || !server_results(answer))
        return fail_answer(tenant, "records of all agents", answer, error);
    g_autoptr(Json) readable = json_object_new_object();
    json_object_object_foreach (server_results(answer), id, record)
        json_add(readable, id, readable_record(record, false, "Not applicable (Push Mode)"));
    tenant_print(tenant, "Bulk Agent Info:", readable);
    return true;
}

/* The look before a change that -nvc leaves out. `*absent` is the answer where the verifier has no
 * such agent, else NULL. */
static bool look_first(Tenant *tenant, ServerAnswer **absent, GError **error)
{
    *absent = NULL;
    if (tenant->arguments->no_verifier_check)
        return true;
    g_autoptr(ServerAnswer) answer = ask_for_agent(tenant, error);
    if (!answer)
        return false;
    if (answer->status == 404) {
        log_absent(tenant);
        *absent = g_steal_pointer(&answer);
        return true;
    }
    if (answer->status != 200 || !server_results(answer))
        return fail_answer(tenant, "record of the agent", answer, error);
    print_record(tenant, server_results(answer));
    return true;
}

bool tenant_reactivate(Tenant *tenant, GError **error)
{
    g_autoptr(ServerAnswer) absent = NULL;
    if (!look_first(tenant, &absent, error))
        return false;
    if (absent)
        return fail_absent(tenant, absent, error);
    g_autofree char *path = g_strdup_printf("/agents/%s/reactivate", tenant->agent_id);
    g_autoptr(ServerAnswer) answer = server_send(tenant->verifier, "PUT", NULL, path, NULL, error);
    if (!answer)
        return false;
    tenant_set_result(tenant, NULL);
    if (answer->status != 200)
        return fail_answer(tenant, "reactivation", answer, error);
    tenant_set_answer(tenant, answer);
    log_info("Agent %s re-activated", tenant->agent_id);
    log_info("Agent %s re-activated", tenant->agent_id);
    return true;
}

/* 202: the verifier has begun, and removes the record by itself. */
static bool await_absence(Tenant *tenant, GError **error)
{
    gint64 most = config_int(tenant->config, NULL, "max_retries");
    for (gint64 attempt = 0;; attempt++) {
        g_autoptr(ServerAnswer) answer = ask_for_agent(tenant, error);
        if (!answer)
            return false;
        if (answer->code == 404) {
            log_info("CV completed deletion of agent %s", tenant->agent_id);
            return true;
        }
        if (attempt >= most)
            return tenant_refused(tenant, tenant->verifier, answer, error,
                                  "%s still has agent %s after %" G_GINT64_FORMAT " tries",
                                  server_words(tenant->verifier), tenant->agent_id, attempt);
        tenant_wait_for_retry(tenant, attempt);
    }
}

bool tenant_delete(Tenant *tenant, GError **error)
{
    g_autoptr(ServerAnswer) absent = NULL;
    if (!look_first(tenant, &absent, error))
        return false;
    if (absent) {
        log_info("The Agent %s is deleted from %s", tenant->agent_id,
                 server_words(tenant->verifier));
        tenant_set_answer(tenant, absent);
        return true;
    }
    g_autofree char *path = g_strdup_printf("/agents/%s", tenant->agent_id);
    g_autoptr(ServerAnswer) answer =
        server_send(tenant->verifier, "DELETE", NULL, path, NULL, error);
    if (!answer)
        return false;
    tenant_set_result(tenant, NULL);
    if (answer->code != 200 && answer->code != 202 && answer->code != 404)
        return fail_answer(tenant, "deletion", answer, error);
    tenant_set_answer(tenant, answer);
    if (answer->code == 202)
        return await_absence(tenant, error);
    if (answer->code == 404) {
        log_info("Agent %s is already absent from the CV", tenant->agent_id);
        return true;
    }
    log_info("Agent %s deleted from the CV", tenant->agent_id);
    log_info("The registrar still knows agent %s; keylime_tenant -c regdelete -u %s removes it "
             "there too",
             tenant->agent_id, tenant->agent_id);
    return true;
}
