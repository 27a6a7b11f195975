/* SPDX-License-Identifier: Apache-2.0 */
#include "tenant/commands.h"

#define LOG_NAME "keylime.tenant"
#include "base/log.h"

G_DEFINE_QUARK(tenant - error - quark, tenant_error)

bool tenant_fail(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, TENANT_ERROR, 0, message);
    return false;
}

void tenant_print(const Tenant *tenant, const char *heading, Json *value)
{
    g_autofree char *text = json_to_python_text(value);
    if (tenant->arguments->json)
        printf("%s\n", text);
    else
        log_write_text(LOG_NAME, LOG_LEVEL_INFO, heading, text);
}

static bool tenant_status(Tenant *tenant, GError **error)
{
    return tenant_regstatus(tenant, error) && tenant_cvstatus(tenant, error);
}

const TenantCommand tenant_commands[] = {
    {"add", tenant_add, true, "enrol a registered agent at the verifier"},
    {"update", tenant_update, true, "replace an agent's enrolment in one step"},
    {"delete", tenant_delete, true, "remove an agent from the verifier"},
    {"reactivate", tenant_reactivate, true, "clear FAIL, or start a stopped agent again"},
    {"cvstatus", tenant_cvstatus, true, "what the verifier knows of an agent"},
    {"regstatus", tenant_regstatus, true, "what the registrar knows of an agent"},
    {"status", tenant_status, true, "both"},
    {"cvlist", tenant_cvlist, false, "agents of the verifier"},
    {"bulkinfo", tenant_bulkinfo, false, "records of all agents of the verifier"},
    {"reglist", tenant_reglist, false, "agents of the registrar"},
    {"regdelete", tenant_regdelete, true, "remove an agent from the registrar"},
    {"addruntimepolicy", tenant_add_runtime_policy, false, "store a runtime policy"},
    {"updateruntimepolicy", tenant_update_runtime_policy, false, "replace a stored runtime policy"},
    {"showruntimepolicy", tenant_show_runtime_policy, false, "show a stored runtime policy"},
    {"listruntimepolicy", tenant_list_runtime_policy, false, "names of stored runtime policies"},
    {"deleteruntimepolicy", tenant_delete_runtime_policy, false, "delete a stored runtime policy"},
    {"addmbpolicy", tenant_add_mb_policy, false, "store a measured boot policy"},
    {"updatembpolicy", tenant_update_mb_policy, false, "replace a stored measured boot policy"},
    {"showmbpolicy", tenant_show_mb_policy, false, "show a stored measured boot policy"},
    {"listmbpolicy", tenant_list_mb_policy, false, "names of stored measured boot policies"},
    {"deletembpolicy", tenant_delete_mb_policy, false, "delete a stored measured boot policy"},
    {"addallowlist", tenant_add_runtime_policy, false, NULL},
    {"showallowlist", tenant_show_runtime_policy, false, NULL},
    {"deleteallowlist", tenant_delete_runtime_policy, false, NULL},
    {"diagnose", tenant_diagnose, false, "test the ways to both servers, and say what to mend"},
    {0},
};
