/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about stored policies (tenant-and-management-api §2.7, §2.11). */
#define LOG_NAME "keylime.tenant"
#include "base/log.h"
#include "tenant/log_policy_option.h"
#include "tenant/python_text.h"

#include <stdio.h>

typedef struct {
    const char *path;
    const char *name_option; /* as upstream's message calls it */
    const char *noun;        /* likewise */
    bool runtime;
} PolicyKind;

static const PolicyKind runtime = {"/allowlists/", "runtime_policy_name", "runtime policy", true};
static const PolicyKind boot = {"/mbpolicies/", "mb_policy_name", "measured boot policy", false};

static const char *name_of(const Tenant *tenant, const PolicyKind *kind)
{
    const Arguments *arguments = tenant->arguments;
    if (!kind->runtime)
        return arguments->mb_policy_name;
    return arguments->runtime_policy_name ? arguments->runtime_policy_name
                                          : arguments->allowlist_name;
}

/* As upstream prints it, on standard output beside the log. */
static void print_as_upstream(const ServerAnswer *answer, const char *heading, const char *repr)
{
    if (heading)
        printf("%s command response: %u.\n", heading, answer->status);
    printf("%s\n", repr);
    fflush(stdout); /* the log goes to the same place */
}

/* False when it is a refusal. */
static bool print_answer(Tenant *tenant, const ServerAnswer *answer, const char *heading,
                         GError **error)
{
    g_autofree char *repr = answer->body ? python_repr(answer->body) : g_strdup("{}");
    if (!tenant->arguments->json)
        print_as_upstream(answer, heading, repr);
    if (answer->status < 200 || answer->status > 299)
        return tenant_refused(tenant, tenant->verifier, answer, error, "%s", repr);
    tenant_set_answer(tenant, answer);
    return true;
}

/* `verb` for the message about a name that is missing; `body` NULL = none. */
static bool send_named(Tenant *tenant, const PolicyKind *kind, const char *method, const char *verb,
                       Json *body, const char *heading, GError **error)
{
    const char *name = name_of(tenant, kind);
    if (!name)
        return tenant_fail(error, "%s is required to %s a %s", kind->name_option, verb, kind->noun);
    g_autofree char *path = g_strconcat(kind->path, name, NULL);
    g_autoptr(ServerAnswer) answer = server_send(tenant->verifier, method, NULL, path, body, error);
    return answer && print_answer(tenant, answer, heading, error);
}

static bool send_list(Tenant *tenant, const PolicyKind *kind, const char *heading, GError **error)
{
    g_autoptr(ServerAnswer) answer =
        server_send(tenant->verifier, "GET", NULL, kind->path, NULL, error);
    return answer && print_answer(tenant, answer, heading, error);
}

static Json *runtime_body(const LogPolicies *policies, const char *tpm_policy)
{
    Json *body = json_object_new_object();
    json_add_text(body, "tpm_policy", tpm_policy);
    json_add_text(body, "runtime_policy", policies->runtime_policy ? policies->runtime_policy : "");
    json_add_text(body, "runtime_policy_key", policies->runtime_key ? policies->runtime_key : "");
    return body;
}

static Json *boot_body(const LogPolicies *policies)
{
    Json *body = json_object_new_object();
    json_add_text(body, "mb_policy", policies->mb_policy);
    return body;
}

static bool write_policy(Tenant *tenant, const PolicyKind *kind, const char *method,
                         const char *verb, GError **error)
{
    if (!name_of(tenant, kind))
        return tenant_fail(error, "%s is required to %s a %s", kind->name_option, verb, kind->noun);
    g_auto(LogPolicies) policies;
    if (!log_policies_read(tenant, false, &policies, error))
        return false;
    if (policies.ima_keys)
        log_warning("--signature-verification-key: a stored policy holds its keys itself; these "
                    "are checked, and not sent");
    g_autofree char *tpm_policy = log_policies_tpm_policy(tenant, &policies, error);
    if (!tpm_policy)
        return false;
    g_autoptr(Json) body =
        kind->runtime ? runtime_body(&policies, tpm_policy) : boot_body(&policies);
    return send_named(tenant, kind, method, verb, body, NULL, error);
}

bool tenant_add_runtime_policy(Tenant *tenant, GError **error)
{
    return write_policy(tenant, &runtime, "POST", "add", error);
}

bool tenant_update_runtime_policy(Tenant *tenant, GError **error)
{
    return write_policy(tenant, &runtime, "PUT", "update", error);
}

bool tenant_show_runtime_policy(Tenant *tenant, GError **error)
{
    return send_named(tenant, &runtime, "GET", "show", NULL, "Show allowlist", error);
}

bool tenant_list_runtime_policy(Tenant *tenant, GError **error)
{
    return send_list(tenant, &runtime, "list", error);
}

bool tenant_delete_runtime_policy(Tenant *tenant, GError **error)
{
    return send_named(tenant, &runtime, "DELETE", "delete", NULL, NULL, error);
}

bool tenant_add_mb_policy(Tenant *tenant, GError **error)
{
    return write_policy(tenant, &boot, "POST", "add", error);
}

bool tenant_update_mb_policy(Tenant *tenant, GError **error)
{
    return write_policy(tenant, &boot, "PUT", "update", error);
}

bool tenant_show_mb_policy(Tenant *tenant, GError **error)
{
    return send_named(tenant, &boot, "GET", "show", NULL, "showmbpolicy", error);
}

bool tenant_list_mb_policy(Tenant *tenant, GError **error)
{
    return send_list(tenant, &boot, "listmbpolicy", error);
}

bool tenant_delete_mb_policy(Tenant *tenant, GError **error)
{
    return send_named(tenant, &boot, "DELETE", "delete", NULL, NULL, error);
}
