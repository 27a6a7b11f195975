/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that ask the registrar (tenant-and-management-api §2.7, §2.11). */
#define LOG_NAME "keylime.tenant"
#include "base/log.h"
#include "tenant/commands.h"

#define REGISTRAR_CLIENT "keylime.registrar_client"

/* The members that a record must have, and those it may have, in upstream's order. */
static Json *record_of(Json *results)
{
    static const char *const required[] = {"aik_tpm", "regcount", "ek_tpm", "ip", "port", NULL};
    static const char *const optional[] = {"mtls_cert",      "ekcert",         "provider_keys",
                                           "ek_cert_status", "ek_cert_reason", NULL};
    g_autoptr(Json) record = json_object_new_object();
    Json *value;
    for (const char *const *name = required; *name; name++) {
        if (!json_object_object_get_ex(results, *name, &value))
            return NULL;
        json_add(record, *name, json_object_get(value));
    }
    for (const char *const *name = optional; *name; name++)
        if (json_object_object_get_ex(results, *name, &value))
            json_add(record, *name, json_object_get(value));
    return g_steal_pointer(&record);
}

Json *registrar_record(Tenant *tenant, ServerAnswer **absent, GError **error)
{
    *absent = NULL;
    g_autofree char *path = g_strdup_printf("/agents/%s", tenant->agent_id);
    g_autoptr(ServerAnswer) answer = server_send(tenant->registrar, "GET", NULL, path, NULL, error);
    if (!answer)
        return NULL;
    Json *record = answer->status == 200 ? record_of(server_results(answer)) : NULL;
    if (record)
        return record;
    log_write(REGISTRAR_CLIENT, LOG_LEVEL_CRITICAL,
              "Error: could not get agent %s data from Registrar Server: %u", tenant->agent_id,
              answer->status);
    log_write(REGISTRAR_CLIENT, LOG_LEVEL_CRITICAL, "Response code %" G_GINT64_FORMAT ": %s",
              answer->code, answer->text);
    if (answer->status == 200 || answer->status == 404)
        *absent = g_steal_pointer(&answer);
    else
        tenant_refused(tenant, tenant->registrar, answer, error, "%s refused: %u %s",
                       server_words(tenant->registrar), answer->status, answer->text);
    return NULL;
}

static Json *result_document(int code, const char *status, Json *results)
{
    Json *document = json_object_new_object();
    json_add_int(document, "code", code);
    json_add_text(document, "status", status);
    json_add(document, "results", results);
    return document;
}

static bool regstatus_absent(Tenant *tenant, const ServerAnswer *answer, GError **error)
{
    const char *host = server_host(tenant->registrar);
    const char *port = server_port(tenant->registrar);
    g_autofree char *status = g_strdup_printf("Agent %s does not exist on registrar %s port %s.",
                                              tenant->agent_id, host, port);
    g_autoptr(Json) document = result_document(404, status, json_object_new_object());
    g_autofree char *text = json_to_python_text(document);
    log_info(
        "Agent %s does not exist on the registrar. Please register the agent with the registrar.",
        tenant->agent_id);
    log_info("%s", text);
    return tenant_refused(
        tenant, tenant->registrar, answer, error,
        "Agent %s does not exist on %s. Check the agent logs to for error messages while "
        "attempting to get registered.",
        tenant->agent_id, server_words(tenant->registrar));
}

bool tenant_regstatus(Tenant *tenant, GError **error)
{
    g_autoptr(ServerAnswer) absent = NULL;
    g_autoptr(Json) record = registrar_record(tenant, &absent, error);
    if (!record)
        return absent ? regstatus_absent(tenant, absent, error) : false;
    json_add_text(record, "operational_state", "Registered");

    g_autofree char *status =
        g_strdup_printf("Agent %s exists on registrar %s port %s.", tenant->agent_id,
                        server_host(tenant->registrar), server_port(tenant->registrar));
    g_autoptr(Json) by_id = json_object_new_object();
    json_add(by_id, tenant->agent_id, json_object_get(record));
    g_autoptr(Json) document = result_document(200, status, json_object_get(by_id));
    g_autofree char *text = json_to_python_text(document);
    log_info("Status from %s: %s", server_words(tenant->registrar), status);
    log_info("%s", text);
    g_autofree char *heading =
        g_strdup_printf("Agent Info from %s:", server_words(tenant->registrar));
    tenant_print(tenant, heading, by_id);
    return true;
}

bool tenant_reglist(Tenant *tenant, GError **error)
{
    g_autoptr(ServerAnswer) answer =
        server_send(tenant->registrar, "GET", NULL, "/agents/", NULL, error);
    if (!answer)
        return false;
    if (answer->status != 200 || !server_results(answer))
        return tenant_refused(tenant, tenant->registrar, answer, error, "%s gave no list: %u %s",
                              server_words(tenant->registrar), answer->status,
                              *answer->text ? answer->text : answer->raw);
    g_autofree char *text = json_to_python_text(answer->body);
    g_autofree char *retrieved =
        g_strdup_printf("From registrar %s port %s retrieved %s", server_host(tenant->registrar),
                        server_port(tenant->registrar), text);
    log_write_text(LOG_NAME, LOG_LEVEL_INFO, retrieved, ""); /* upstream's blank line */
    g_autofree char *heading =
        g_strdup_printf("Agent list from %s retrieved: ", server_words(tenant->registrar));
    tenant_print(tenant, heading, server_results(answer));
    return true;
}

bool tenant_regdelete(Tenant *tenant, GError **error)
{
    g_autofree char *path = g_strdup_printf("/agents/%s", tenant->agent_id);
    g_autoptr(ServerAnswer) answer =
        server_send(tenant->registrar, "DELETE", NULL, path, NULL, error);
    if (!answer)
        return false;
    if (answer->status == 200) {
        tenant_set_answer(tenant, answer);
        return true;
    }
    log_write(REGISTRAR_CLIENT, LOG_LEVEL_WARNING,
              "Status command response: %u Unexpected response from registrar.", answer->status);
    log_write(REGISTRAR_CLIENT, LOG_LEVEL_WARNING, "Response code %" G_GINT64_FORMAT ": %s",
              answer->code, answer->text);
    return tenant_refused(tenant, tenant->registrar, answer, error,
                          "Agent %s could not be deleted from %s: %s", tenant->agent_id,
                          server_words(tenant->registrar), answer->text);
}
