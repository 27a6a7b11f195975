/* SPDX-License-Identifier: Apache-2.0 */
#include "tenant/commands.h"

#define LOG_NAME "keylime.tenant"
#include "base/log.h"

#include <math.h>
#include <string.h>

G_DEFINE_QUARK(tenant - error - quark, tenant_error)

void tenant_clear(Tenant *tenant)
{
    server_free(tenant->verifier);
    server_free(tenant->registrar);
    tls_files_free(tenant->tls);
    json_unref(tenant->result);
    json_unref(tenant->refusal);
    g_free(tenant->advice);
}

bool tenant_fail(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, TENANT_ERROR, 0, message);
    return false;
}

bool tenant_refused(Tenant *tenant, const Server *server, const ServerAnswer *answer,
                    GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, TENANT_ERROR, 0, message);
    json_unref(tenant->refusal);
    tenant->refusal = json_object_new_object();
    json_add_text(tenant->refusal, "server", server_words(server));
    json_add_int(tenant->refusal, "code", answer->status);
    json_add_text(tenant->refusal, "status", answer->text);
    return false;
}

void tenant_advise(Tenant *tenant, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_free(tenant->advice);
    tenant->advice = g_strdup_vprintf(format, arguments);
    va_end(arguments);
}

void tenant_set_result(Tenant *tenant, Json *value)
{
    json_unref(tenant->result);
    tenant->result = value;
}

void tenant_set_answer(Tenant *tenant, const ServerAnswer *answer)
{
    tenant_set_result(tenant,
                      answer->body ? json_object_get(answer->body) : json_object_new_object());
}

void tenant_print(Tenant *tenant, const char *heading, Json *value)
{
    if (tenant->arguments->json) {
        tenant_set_result(tenant, json_object_get(value));
        return;
    }
    g_autofree char *text = json_to_python_text(value);
    log_write_text(LOG_NAME, LOG_LEVEL_INFO, heading, text);
}

void tenant_wait_for_retry(const Tenant *tenant, gint64 attempt)
{
    double interval = fabs(config_real(tenant->config, NULL, "retry_interval"));
    bool exponential = config_bool(tenant->config, NULL, "exponential_backoff") && interval > 1;
    double seconds = exponential ? pow(interval, (double)attempt) : interval;
    g_usleep((gulong)(seconds * G_USEC_PER_SEC));
}

/* Both results as one. */
static bool tenant_status(Tenant *tenant, GError **error)
{
    g_autoptr(Json) both = json_object_new_object();
    if (!tenant_regstatus(tenant, error))
        return false;
    json_add(both, "registrar", g_steal_pointer(&tenant->result));
    bool good = tenant_cvstatus(tenant, error);
    if (good)
        json_add(both, "verifier", g_steal_pointer(&tenant->result));
    tenant_set_result(tenant, g_steal_pointer(&both));
    return good;
}

/* --- the table -----------------------------------------------------------------------------------
 */

#define AGENTS "Agents"
#define SURVEY "What the servers know"
#define POLICIES "Stored policies"
#define MENDING "Finding out what is wrong"

#define JSON_RECORD "an object with the agent's identifier as its only member, the record."
#define JSON_ANSWER "the verifier's answer: code, status, results."
#define JSON_REGISTRAR_ANSWER "the registrar's answer: code, status, results."
#define NOT_THERE "Exit status 1 if there is no such agent."

#define OLD_NAME(name_, same_as_)                                                                  \
    {                                                                                              \
        .tool = {.name = name_, .same_as = same_as_ }                                              \
    }

/* clang-format off */
static const TenantCommand commands[] = {
    {{"add", AGENTS, "enrol a registered agent at the verifier",
      .details = "The agent must have registered. Before anything is sent to the verifier, the certificate of its TPM must"
                 " chain to one in tpm_cert_store (unless require_ek_cert is False), ek_check_script, if set, must exit 0,"
                 " and the policies must be sound. Without any policy the agent still has to prove that it is alive and has"
                 " the same TPM.",
      .json = JSON_RECORD,
      .examples = "keylime_tenant add --push-model -u ID\n"
                  "keylime_tenant add --push-model -u ID --runtime-policy-name fleet --mb-policy-name fleet-boot\n"
                  "keylime_tenant add --push-model -u ID --runtime-policy policy.json\n"
                  "keylime_tenant -c add --push-model -u ID --tpm_policy '{\"15\": [\"00...00\"]}'"},
     tenant_add, true},
    {{"update", AGENTS, "replace an agent's enrolment in one step",
      .details = "As add; what is not given is not kept. The agent's history is. An update that is refused changes nothing.",
      .json = JSON_RECORD,
      .examples = "keylime_tenant update --push-model -u ID --runtime-policy-name fleet"},
     tenant_update, true},
    {{"delete", AGENTS, "remove an agent from the verifier",
      .details = "The registrar keeps its record: regdelete removes that. An agent that is not there is no failure.",
      .json = "the verifier's answer: code (404 if it was not there), status, results.",
      .examples = "keylime_tenant delete -u ID"},
     tenant_delete, true},
    {{"reactivate", AGENTS, "clear FAIL, or start a stopped agent again",
      .details = "After its cause is mended. The status is PENDING until the next attestation is judged. " NOT_THERE,
      .json = JSON_ANSWER,
      .examples = "keylime_tenant reactivate -u ID"},
     tenant_reactivate, true},
    {{"regdelete", AGENTS, "remove an agent from the registrar",
      .details = "Its identifier is then free for another TPM. " NOT_THERE,
      .json = JSON_REGISTRAR_ANSWER,
      .examples = "keylime_tenant regdelete -u ID"},
     tenant_regdelete, true},

    {{"cvstatus", SURVEY, "what the verifier knows of an agent",
      .details = "Its record, the evidence of its latest attestation, and, after a failure, what was expected and what was"
                 " found. attestation_status is PENDING, PASS, FAIL or TIMEOUT. With --push-model the record is without"
                 " operational_state, which says nothing about such an agent. " NOT_THERE,
      .json = JSON_RECORD,
      .examples = "keylime_tenant cvstatus --push-model -u ID\n"
                  "keylime_tenant cvstatus --json -u ID | jq -r '.[].attestation_status'"},
     tenant_cvstatus, true},
    {{"regstatus", SURVEY, "what the registrar knows of an agent",
      .details = NOT_THERE, .json = JSON_RECORD, .examples = "keylime_tenant regstatus -u ID"},
     tenant_regstatus, true},
    {{"status", SURVEY, "both",
      .details = "Exit status 1 if either does not know the agent.",
      .json = "the members registrar and verifier, each as of regstatus and cvstatus.",
      .examples = "keylime_tenant status -u ID"},
     tenant_status, true},
    {{"cvlist", SURVEY, "agents of the verifier",
      .json = "{\"uuids\": [[\"ID\"], ...]}", .examples = "keylime_tenant cvlist"},
     tenant_cvlist, false},
    {{"bulkinfo", SURVEY, "records of all agents of the verifier",
      .json = "an object from identifiers to records.",
      .examples = "keylime_tenant bulkinfo --json | jq 'map_values(.attestation_status)'"},
     tenant_bulkinfo, false},
    {{"reglist", SURVEY, "agents of the registrar",
      .json = "{\"uuids\": [\"ID\", ...]}", .examples = "keylime_tenant reglist"},
     tenant_reglist, false},

    {{"addruntimepolicy", POLICIES, "store a runtime policy",
      .details = "Needs --runtime-policy-name and a policy.", .json = JSON_ANSWER,
      .examples = "keylime_tenant addruntimepolicy --runtime-policy-name fleet --runtime-policy policy.json"},
     tenant_add_runtime_policy},
    {{"updateruntimepolicy", POLICIES, "replace a stored runtime policy",
      .details = "Counts from the next attestation of its agents on.", .json = JSON_ANSWER,
      .examples = "keylime_tenant updateruntimepolicy --runtime-policy-name fleet --runtime-policy policy.json"},
     tenant_update_runtime_policy},
    {{"showruntimepolicy", POLICIES, "show a stored runtime policy",
      .json = JSON_ANSWER " The policy is a text: results.runtime_policy.",
      .examples = "keylime_tenant showruntimepolicy --json --runtime-policy-name fleet | jq -r .results.runtime_policy"},
     tenant_show_runtime_policy},
    {{"listruntimepolicy", POLICIES, "names of stored runtime policies",
      .json = JSON_ANSWER, .examples = "keylime_tenant listruntimepolicy"},
     tenant_list_runtime_policy},
    {{"deleteruntimepolicy", POLICIES, "delete a stored runtime policy",
      .details = "One that agents use is not deleted; the answer names them.", .json = "{}, the verifier's empty answer.",
      .examples = "keylime_tenant deleteruntimepolicy --runtime-policy-name fleet"},
     tenant_delete_runtime_policy},
    {{"addmbpolicy", POLICIES, "store a measured boot policy",
      .details = "Needs --mb-policy-name and --mb-policy.", .json = JSON_ANSWER,
      .examples = "keylime_tenant addmbpolicy --mb-policy-name fleet-boot --mb-policy reference.json"},
     tenant_add_mb_policy},
    {{"updatembpolicy", POLICIES, "replace a stored measured boot policy",
      .details = "Counts from the next attestation of its agents on.", .json = JSON_ANSWER,
      .examples = "keylime_tenant updatembpolicy --mb-policy-name fleet-boot --mb-policy reference.json"},
     tenant_update_mb_policy},
    {{"showmbpolicy", POLICIES, "show a stored measured boot policy",
      .json = JSON_ANSWER " The policy is a text: results.mb_policy.",
      .examples = "keylime_tenant showmbpolicy --mb-policy-name fleet-boot"},
     tenant_show_mb_policy},
    {{"listmbpolicy", POLICIES, "names of stored measured boot policies",
      .json = JSON_ANSWER, .examples = "keylime_tenant listmbpolicy"},
     tenant_list_mb_policy},
    {{"deletembpolicy", POLICIES, "delete a stored measured boot policy",
      .details = "One that agents use is not deleted; the answer names them.", .json = "{}, the verifier's empty answer.",
      .examples = "keylime_tenant deletembpolicy --mb-policy-name fleet-boot"},
     tenant_delete_mb_policy},

    {{"doctor", MENDING, "test the ways to both servers, and say what to mend",
      .details = "This machine's certificate and CA, and of each server: the connection, its certificate (trust, expiry,"
                 " names, role), its clock, its API version, and whether it takes this machine for an administrator's. One"
                 " line for each finding; a problem's line ends with its remedy. Exit status 1 if there is any problem.",
      .json = "the members tenant, registrar and verifier, each a list of findings, an object of level (INFO, WARNING,"
              " ERROR) and message.",
      .examples = "keylime_tenant doctor\n"
                  "keylime_tenant doctor -v verifier.example.com -r registrar.example.com"},
     tenant_doctor, .connects_by_itself = true},
    OLD_NAME("diagnose", "doctor"),
    OLD_NAME("addallowlist", "addruntimepolicy"),
    OLD_NAME("showallowlist", "showruntimepolicy"),
    OLD_NAME("deleteallowlist", "deleteruntimepolicy"),
};
/* clang-format on */

static const ToolCommand *command_at(guint index)
{
    return index < G_N_ELEMENTS(commands) ? &commands[index].tool : NULL;
}

const TenantCommand *tenant_find_command(const char *name)
{
    const ToolCommand *found = tool_find_command(&tenant_tool, name);
    for (guint i = 0; found && i < G_N_ELEMENTS(commands); i++)
        if (&commands[i].tool == found)
            return &commands[i];
    return NULL;
}

const Tool tenant_tool = {
    .name = "keylime_tenant",
    .synopsis = "COMMAND [OPTION...]\n-c COMMAND [OPTION...]",
    .summary = "Enrol, watch and remove the agents of a Keylime verifier in push mode, and store "
               "the policies that "
               "their evidence is judged by.",
    .options = arguments_options,
    .command_at = command_at,
    .examples = "keylime_tenant doctor\n"
                "keylime_tenant add --push-model -u ID --runtime-policy-name fleet\n"
                "keylime_tenant cvstatus --push-model -u ID\n"
                "keylime_tenant delete -u ID",
    .notes = "keylime_tenant COMMAND --help shows what a command does and its options.\n"
             "Configuration: /etc/keylime/tenant.conf and tenant.conf.d, or the file that "
             "KEYLIME_TENANT_CONFIG names; "
             "each option also as KEYLIME_TENANT_<OPTION>.\n"
             "Exit status: 0 done, 1 failed, 2 wrong command line.",
};
