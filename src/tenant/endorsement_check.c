/* SPDX-License-Identifier: Apache-2.0 */
#include "tenant/endorsement_check.h"

#define LOG_NAME "keylime.tenant"
#include "base/encoding.h"
#include "base/log.h"
#include "pki/endorsement.h"
#include "tenant/commands.h"
#include "tpm/public.h"

#include <string.h>
#include <sys/wait.h>

static bool check_certificate(const char *agent_id, Json *record, const TpmPublic *ek,
                              const char *store, GError **error)
{
    const char *text = json_member_text(record, "ekcert");
    if (!text || !*text)
        return tenant_fail(
            error,
            "Agent %s has no EK certificate, so nothing shows that its TPM is genuine. "
            "Use a TPM with a certificate, or set require_ek_cert = False in "
            "tenant.conf to accept such agents.",
            agent_id);
    g_autoptr(EkCertificate) certificate = ek_certificate_parse(text, error);
    if (!certificate) {
        g_prefix_error(error, "EK certificate of agent %s: ", agent_id);
        return false;
    }
    if (!ek_certificate_has_key(certificate, ek->key))
        return tenant_fail(
            error, "The EK certificate of agent %s belongs to another key than its EK.", agent_id);
    g_autofree char *warning = NULL;
    if (!ek_certificate_verify(certificate, store, &warning, error)) {
        g_prefix_error(error, "EK certificate of agent %s is not trusted: ", agent_id);
        g_autofree char *cause = g_strdup((*error)->message);
        g_clear_error(error);
        return tenant_fail(error,
                           "%s. Put the issuer's certificate as a .pem file into %s (option "
                           "tpm_cert_store), or set require_ek_cert = False.",
                           cause, store);
    }
    if (warning)
        log_warning("EK certificate of agent %s: %s", agent_id, warning);
    return true;
}

/* Variables of the script: tenant-and-management-api §2.12. */
static char **script_environment(const char *agent_id, Json *record, const TpmPublic *ek,
                                 const char *store)
{
    g_autofree char *pem = tpm_public_to_pem(ek);
    const char *ek_tpm = json_member_text(record, "ek_tpm");
    const char *certificate = json_member_text(record, "ekcert");
    Json *provider_keys = json_member(record, "provider_keys");
    g_autofree char *provider_text =
        provider_keys ? json_to_python_text(provider_keys) : g_strdup("{}");
    char **environment = g_get_environ();
    environment = g_environ_setenv(environment, "AGENT_UUID", agent_id, TRUE);
    environment = g_environ_setenv(environment, "EK", pem, TRUE);
    environment = g_environ_setenv(environment, "EK_TPM", ek_tpm, TRUE);
    environment = g_environ_setenv(environment, "EK_CERT", certificate ? certificate : "", TRUE);
    environment = g_environ_setenv(environment, "PROVKEYS", provider_text, TRUE);
    return g_environ_setenv(environment, "TPM_CERT_STORE", store, TRUE);
}

static bool run_script(const char *script, const char *agent_id, Json *record, const TpmPublic *ek,
                       const char *store, GError **error)
{
    g_autofree char *path = g_path_is_absolute(script)
                                ? g_strdup(script)
                                : g_build_filename(config_work_dir(), script, NULL);
    char *argv[] = {path, NULL};
    g_auto(GStrv) environment = script_environment(agent_id, record, ek, store);
    g_autofree char *output = NULL;
    g_autofree char *errors = NULL;
    int status = 0;
    if (!g_spawn_sync(config_work_dir(), argv, environment, G_SPAWN_DEFAULT, NULL, NULL, &output,
                      &errors, &status, error)) {
        g_prefix_error(error, "ek_check_script %s could not be run: ", path);
        return false;
    }
    g_strchomp(output);
    g_strchomp(errors);
    if (*output)
        log_info("ek_check output: %s", output);
    if (*errors)
        log_info("ek_check output: %s", errors);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return tenant_fail(error, "ek_check_script %s did not accept the EK of agent %s.", path,
                           agent_id);
    return true;
}

bool endorsement_check(const Config *config, const char *agent_id, Json *record, GError **error)
{
    const char *store = config_text(config, NULL, "tpm_cert_store");
    const char *script = config_text(config, NULL, "ek_check_script");
    const char *ek_text = json_member_text(record, "ek_tpm");
    g_autoptr(GBytes) ek_bytes = ek_text ? base64_decode(ek_text) : NULL;
    g_autoptr(TpmPublic) ek = tpm_public_from_tpm2b(bytes_of_gbytes(ek_bytes), error);
    if (!ek) {
        g_prefix_error(error, "EK of agent %s in the registrar's record: ", agent_id);
        return false;
    }
    if (config_bool(config, NULL, "require_ek_cert")) {
        if (!check_certificate(agent_id, record, ek, store, error))
            return false;
    } else {
        log_warning("DANGER: EK cert checking is disabled (require_ek_cert = False): nothing shows "
                    "that the TPM of agent %s is genuine",
                    agent_id);
    }
    return !script || !*script || run_script(script, agent_id, record, ek, store, error);
}
