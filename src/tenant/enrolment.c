/* SPDX-License-Identifier: Apache-2.0 */
/* add and update (tenant-and-management-api §2.9, §2.10; decisions D20, D101, D103). */
#define LOG_NAME "keylime.tenant"
#include "base/log.h"
#include "tenant/commands.h"
#include "tenant/endorsement_check.h"
#include "tenant/log_policy_option.h"

#include <string.h>

static Json *list_option(const Tenant *tenant, const char *name)
{
    return json_new_texts(config_list(tenant->config, NULL, name));
}

static const char *agent_version(const Tenant *tenant)
{
    const Arguments *arguments = tenant->arguments;
    if (arguments->supported_version)
        log_warning("--supported-version is deprecated, use --agent-api-version");
    const char *version = arguments->agent_api_version   ? arguments->agent_api_version
                          : arguments->supported_version ? arguments->supported_version
                                                         : "2.6";
    log_info("Using API version %s for agent communication", version);
    return version;
}

static void add_member(Json *request, const char *name, Json *record, const char *record_name)
{
    Json *value = json_member(record, record_name);
    json_add(request, name, value ? json_object_get(value) : NULL);
}

/* Every key that an upstream verifier demands, in upstream's order (§2.10). */
static Json *enrolment_request(Tenant *tenant, Json *record, const char *tpm_policy,
                               const LogPolicies *policies)
{
    const Arguments *arguments = tenant->arguments;
    Json *request = json_object_new_object();
    json_add_null(request, "v");
    if (arguments->target_host || arguments->cv_target_host)
        json_add_text(request, "cloudagent_ip",
                      arguments->cv_target_host ? arguments->cv_target_host
                                                : arguments->target_host);
    else
        add_member(request, "cloudagent_ip", record, "ip");
    if (arguments->target_port)
        json_add_text(request, "cloudagent_port", arguments->target_port);
    else
        add_member(request, "cloudagent_port", record, "port");
    json_add_text(request, "verifier_ip", server_host(tenant->verifier));
    json_add_text(request, "verifier_port", server_port(tenant->verifier));
    json_add_text(request, "tpm_policy", tpm_policy);
    log_policies_add(policies, request);
    json_add_text(request, "metadata", "{}");
    json_add_text(request, "revocation_key", "");
    json_add(request, "accept_tpm_hash_algs", list_option(tenant, "accept_tpm_hash_algs"));
    json_add(request, "accept_tpm_encryption_algs",
             list_option(tenant, "accept_tpm_encryption_algs"));
    json_add(request, "accept_tpm_signing_algs", list_option(tenant, "accept_tpm_signing_algs"));
    add_member(request, "ak_tpm", record, "aik_tpm");
    add_member(request, "mtls_cert", record, "mtls_cert");
    json_add_text(request, "supported_version", agent_version(tenant));
    return request;
}

char *agent_words(const Tenant *tenant, Json *record)
{
    const char *host = tenant->arguments->target_host ? tenant->arguments->target_host
                                                      : json_member_text(record, "ip");
    gint64 number = 0;
    json_member_int(record, "port", true, &number);
    g_autofree char *registered_port = g_strdup_printf("%" G_GINT64_FORMAT, number);
    const char *port =
        tenant->arguments->target_port ? tenant->arguments->target_port : registered_port;
    return host ? g_strdup_printf("Agent %s (%s:%s)", tenant->agent_id, host, port)
                : g_strdup_printf("Agent %s", tenant->agent_id);
}

/* Everything that must be right before the verifier hears of it. New reference; *words as
 * agent_words(). */
static Json *prepare(Tenant *tenant, char **words, GError **error)
{
    g_autoptr(ServerAnswer) absent = NULL;
    g_autoptr(Json) record = registrar_record(tenant, &absent, error);
    if (!record) {
        if (absent) {
            log_info("Check that the agent is running and that its log says \"SUCCESS: Agent %s "
                     "activated\".",
                     tenant->agent_id);
            /* The stray $ is upstream's; scripts have the line in their patterns. */
            tenant_refused(tenant, tenant->registrar, absent, error,
                           "Agent $%s data not found in the Registrar.", tenant->agent_id);
        }
        return NULL;
    }
    g_auto(LogPolicies) policies;
    if (!log_policies_read(tenant, true, &policies, error))
        return NULL;
    g_autofree char *policy = log_policies_tpm_policy(tenant, &policies, error);
    if (!policy)
        return NULL;
    if (!endorsement_check(tenant->config, tenant->agent_id, record, error))
        return NULL;
    *words = agent_words(tenant, record);
    return enrolment_request(tenant, record, policy, &policies);
}

/* The verifier has said yes; see it there. */
static bool confirm(Tenant *tenant, const char *words, GError **error)
{
    gint64 most = config_int(tenant->config, NULL, "max_retries");
    g_autofree char *path = g_strdup_printf("/agents/%s", tenant->agent_id);
    for (gint64 attempt = 0;; attempt++) {
        g_autoptr(ServerAnswer) answer =
            server_send(tenant->verifier, "GET", NULL, path, NULL, error);
        if (!answer)
            return false;
        Json *record = server_results(answer);
        if (answer->code == 200 && record) {
            g_autoptr(Json) by_id = json_object_new_object();
            json_object_object_del(record, "operational_state");
            json_add(by_id, tenant->agent_id, json_object_get(record));
            g_autofree char *heading =
                g_strdup_printf("Agent Info from %s:", server_words(tenant->verifier));
            tenant_print(tenant, heading, by_id);
            log_info("%s added to %s after %" G_GINT64_FORMAT " tries", words,
                     server_words(tenant->verifier), attempt);
            return true;
        }
        if (attempt >= most)
            return tenant_refused(tenant, tenant->verifier, answer, error,
                                  "%s does not show %s after %" G_GINT64_FORMAT " tries",
                                  server_words(tenant->verifier), words, attempt);
        tenant_wait_for_retry(tenant, attempt);
    }
}

/* --- refusals ------------------------------------------------------------------------------------
 */

/* What has names of stored policies, for an enrolment that names one (contract C79). */
static void advise_lists(Tenant *tenant)
{
    const Arguments *arguments = tenant->arguments;
    bool runtime = arguments->runtime_policy_name || arguments->allowlist_name;
    bool boot = arguments->mb_policy_name;
    if (runtime || boot)
        tenant_advise(tenant, "The stored policies: %s%s%s",
                      runtime ? "keylime_tenant -c listruntimepolicy" : "",
                      runtime && boot ? ", " : "", boot ? "keylime_tenant -c listmbpolicy" : "");
}

/* Upstream's words, whatever the conflict is about: where it is a policy, the verifier's follow. */
static bool fail_conflict(Tenant *tenant, const ServerAnswer *answer, const char *words,
                          GError **error)
{
    if (*answer->text && !strstr(answer->text, tenant->agent_id))
        tenant_advise(tenant, "%s says: %s", server_words(tenant->verifier), answer->text);
    return tenant_refused(tenant, tenant->verifier, answer, error,
                          "%s responded indicating a conflict for agent %s. Run \"delete\" or "
                          "\"update\" first.",
                          server_words(tenant->verifier), words);
}

static bool judge_post(Tenant *tenant, const ServerAnswer *answer, const char *words,
                       GError **error)
{
    if (answer->status == 200)
        return confirm(tenant, words, error);
    if (answer->status == 409)
        return fail_conflict(tenant, answer, words, error);
    if (answer->status == 503 || answer->status == 504)
        return tenant_refused(tenant, tenant->verifier, answer, error,
                              "%s is overloaded or unavailable (%u); try again",
                              server_words(tenant->verifier), answer->status);
    if (answer->status == 404)
        advise_lists(tenant);
    log_error("Response code %" G_GINT64_FORMAT ": %s", answer->code, answer->text);
    return tenant_refused(tenant, tenant->verifier, answer, error,
                          "POST command response: %u Unexpected response from %s: %s",
                          answer->status, server_words(tenant->verifier), answer->raw);
}

static bool post(Tenant *tenant, Json *request, const char *words, GError **error)
{
    g_autofree char *path = g_strdup_printf("/agents/%s", tenant->agent_id);
    g_autoptr(ServerAnswer) answer =
        server_send(tenant->verifier, "POST", NULL, path, request, error);
    return answer && judge_post(tenant, answer, words, error);
}

bool tenant_add(Tenant *tenant, GError **error)
{
    g_autofree char *words = NULL;
    g_autoptr(Json) request = prepare(tenant, &words, error);
    return request && post(tenant, request, words, error);
}

/* --- update --------------------------------------------------------------------------------------
 */

/* A name alone must be one of a stored policy. With `given` content it must be none: an enrolment
 * stores a policy, and replaces none. `name` NULL: there is nothing to look for. */
static bool check_stored(Tenant *tenant, const char *path, const char *name, bool given,
                         GError **error)
{
    if (!name)
        return true;
    g_autofree char *full_path = g_strconcat(path, name, NULL);
    g_autoptr(ServerAnswer) answer =
        server_send(tenant->verifier, "GET", NULL, full_path, NULL, error);
    if (!answer || answer->status == (given ? 404 : 200))
        return answer != NULL;
    if (answer->status == 200)
        return tenant_refused(tenant, tenant->verifier, answer, error,
                              "%s has a policy %s already; give another name, or the name without "
                              "the file; nothing was changed",
                              server_words(tenant->verifier), name);
    advise_lists(tenant);
    return tenant_refused(tenant, tenant->verifier, answer, error,
                          "policy %s: %s answered %u %s; nothing was changed", name,
                          server_words(tenant->verifier), answer->status, answer->text);
}

static bool check_named_policies(Tenant *tenant, GError **error)
{
    const Arguments *arguments = tenant->arguments;
    bool given = arguments->runtime_policy || arguments->runtime_policy_url ||
                 arguments->allowlist || arguments->allowlist_url;
    const char *runtime =
        arguments->runtime_policy_name ? arguments->runtime_policy_name : arguments->allowlist_name;
    return check_stored(tenant, "/allowlists/", runtime, given, error) &&
           check_stored(tenant, "/mbpolicies/", arguments->mb_policy_name,
                        arguments->mb_policy != NULL, error);
}

/* Not atomic, but all that an upstream verifier offers: what can be known before is (decision
 * D101).
 */
static bool delete_and_post(Tenant *tenant, Json *request, const char *words, GError **error)
{
    if (!check_named_policies(tenant, error) || !tenant_delete(tenant, error))
        return false;
    tenant_set_result(tenant, NULL);
    if (post(tenant, request, words, error))
        return true;
    g_prefix_error(error, "%s is now not enrolled, mend this and add it again: ", words);
    return false;
}

/* An upstream verifier has no such route; it says so in several ways, all without a word, where
 * ours always tells what is wrong. */
static bool knows_no_update(const ServerAnswer *answer)
{
    return answer->status == 405 ||
           (*answer->text == '\0' &&
            (answer->status == 400 || answer->status == 404 || answer->status == 500));
}

static bool fail_update(Tenant *tenant, const ServerAnswer *answer, const char *words,
                        GError **error)
{
    return tenant_refused(tenant, tenant->verifier, answer, error,
                          "%s refused the update of %s: %u %s; nothing was changed",
                          server_words(tenant->verifier), words, answer->status, answer->text);
}

/* 404 may be about the agent or about a policy: only an agent that is not enrolled has nothing to
 * lose. */
static bool judge_not_found(Tenant *tenant, const ServerAnswer *answer, Json *request,
                            const char *words, GError **error)
{
    g_autofree char *path = g_strdup_printf("/agents/%s", tenant->agent_id);
    g_autoptr(ServerAnswer) record = server_send(tenant->verifier, "GET", NULL, path, NULL, error);
    if (!record)
        return false;
    if (record->status == 404) {
        log_info("%s is not enrolled yet", words);
        return post(tenant, request, words, error);
    }
    advise_lists(tenant);
    return fail_update(tenant, answer, words, error);
}

static ServerAnswer *send_update(Tenant *tenant, Json *request, GError **error)
{
    g_autoptr(Json) document = json_object_new_object();
    Json *data = json_object_new_object();
    json_add_text(data, "type", "agent");
    json_add_text(data, "id", tenant->agent_id);
    json_add(data, "attributes", json_object_get(request));
    json_add(document, "data", data);
    g_autofree char *path = g_strdup_printf("/agents/%s", tenant->agent_id);
    return server_send(tenant->verifier, "PATCH", "3.0", path, document, error);
}

bool tenant_update(Tenant *tenant, GError **error)
{
    g_autofree char *words = NULL;
    g_autoptr(Json) request = prepare(tenant, &words, error);
    g_autoptr(ServerAnswer) answer = request ? send_update(tenant, request, error) : NULL;
    if (!answer)
        return false;
    if (knows_no_update(answer))
        return delete_and_post(tenant, request, words, error);
    if (answer->status == 404)
        return judge_not_found(tenant, answer, request, words, error);
    if (answer->status != 200)
        return fail_update(tenant, answer, words, error);
    log_info("%s updated on %s", words, server_words(tenant->verifier));
    return confirm(tenant, words, error);
}
