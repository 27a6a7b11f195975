/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.agent"

#include "agent/settings.h"

#include "agent/device_certificate.h"
#include "agent/options.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

G_DEFINE_QUARK(keylime - agent - settings - error, settings_error)

#define API_VERSION "3.0"

/* What the options say together: `out` as far as they are usable, a line for each that is not. */
typedef struct {
    const Config *config;
    AgentSettings *out;
    GPtrArray *problems;
} Resolution;

static void refuse(Resolution *self, const char *option, const char *allowed)
{
    config_add_problem(self->config, self->problems, NULL, option, allowed);
}

/* "" for an option without value. */
static const char *text_of(const Config *config, const char *option)
{
    return config_text(config, NULL, option);
}

/* --- paths
 * ------------------------------------------------------------------------------------------ */

static void resolve_directory(Resolution *self)
{
    char *found = realpath(text_of(self->config, "keylime_dir"), NULL);
    int reason = errno;
    self->out->keylime_dir = g_strdup(found ? found : "");
    if (config_was_refused(self->config, NULL, "keylime_dir")) {
        /* said already, and the default is not what was meant */
    } else if (!found) {
        g_autofree char *allowed =
            g_strdup_printf("%s; the directory must exist", g_strerror(reason));
        refuse(self, "keylime_dir", allowed);
    } else if (!g_file_test(found, G_FILE_TEST_IS_DIR)) {
        refuse(self, "keylime_dir", "must be a directory");
    }
    free(found);
}

/* Relative paths lie under keylime_dir; one given as a flag, under the current directory (C54). */
static char *resolve_path(const Resolution *self, const char *option, const char *default_name)
{
    const Config *config = self->config;
    const AgentSettings *settings = self->out;
    const char *path = text_of(config, option);
    if (*path == '\0' || strcmp(path, "default") == 0)
        return g_build_filename(settings->keylime_dir, default_name, NULL);
    if (g_path_is_absolute(path))
        return g_strdup(path);
    if (g_str_has_prefix(config_source(config, NULL, option), "--")) {
        g_autofree char *current = g_get_current_dir();
        return g_build_filename(current, path, NULL);
    }
    return g_build_filename(settings->keylime_dir, path, NULL);
}

/* --- servers
 * ---------------------------------------------------------------------------------------- */

static void resolve_verifier(Resolution *self)
{
    const Config *config = self->config;
    AgentSettings *out = self->out;
    url_parse(text_of(config, "verifier_url"), &out->verifier);
    out->verify_certificates = !config_bool(config, NULL, "insecure") &&
                               !config_bool(config, NULL, "tls_accept_invalid_certs");
    out->verify_host_names =
        out->verify_certificates && !config_bool(config, NULL, "tls_accept_invalid_hostnames");
    if (out->verify_certificates)
        out->verifier_ca = resolve_path(self, "verifier_tls_ca_cert", "cv_ca/cacert.crt");
}

/* Port with TLS: registrar_tls_port if set; else a registrar_port set to other than 8890; else 8891
 * (contract C42, K11). */
static unsigned tls_port(const Config *config)
{
    gint64 plain = config_int(config, NULL, "registrar_port");
    if (!config_is_set(config, NULL, "registrar_tls_port") && plain != 8890)
        return (unsigned)plain;
    return (unsigned)config_int(config, NULL, "registrar_tls_port");
}

static void resolve_registrar(Resolution *self)
{
    const Config *config = self->config;
    AgentSettings *out = self->out;
    if (config_is_set(config, NULL, "registrar_url")) {
        url_parse(text_of(config, "registrar_url"), &out->registrar);
    } else {
        bool tls = config_bool(config, NULL, "registrar_tls_enabled");
        unsigned port =
            tls ? tls_port(config) : (unsigned)config_int(config, NULL, "registrar_port");
        url_from_parts(tls, text_of(config, "registrar_ip"), port, &out->registrar);
    }
    if (out->registrar.tls)
        out->registrar_ca = resolve_path(self, "registrar_tls_ca_cert", "cv_ca/cacert.crt");
}

/* The push protocol has one version. */
static void check_push_version(Resolution *self)
{
    static const char *const right[] = {API_VERSION, "v" API_VERSION, "default", "latest", NULL};
    const char *const *versions = config_list(self->config, NULL, "api_versions");
    for (guint i = 0; versions[i]; i++) {
        if (g_strv_contains(right, versions[i]))
            return;
    }
    refuse(self, "api_versions",
           "must contain 3.0, the version of the push protocol: api_versions = \"3.0\"");
}

static void resolve_registrar_versions(Resolution *self)
{
    static const char *const known[] = {"2.1", "2.2", "2.3", "2.4", "2.5", "2.6", NULL};
    g_autoptr(GPtrArray) wanted = g_ptr_array_new_with_free_func(g_free);
    const char *const *versions = config_list(self->config, NULL, "registrar_api_versions");
    for (guint i = 0; versions[i]; i++) {
        const char *version = versions[i] + (versions[i][0] == 'v');
        if (strcmp(version, "latest") == 0)
            g_ptr_array_add(wanted, g_strdup("2.6"));
        else if (strcmp(version, "default") != 0)
            g_ptr_array_add(wanted, g_strdup(version));
    }
    bool use_default = wanted->len == 0;
    for (guint i = 0; use_default && known[i]; i++)
        g_ptr_array_add(wanted, g_strdup(known[i]));
    g_ptr_array_add(wanted, NULL);
    self->out->registrar_versions = (char **)g_ptr_array_steal(wanted, NULL);
}

/* --- TPM
 * -------------------------------------------------------------------------------------------- */

static void resolve_keys(Resolution *self)
{
    const Config *config = self->config;
    static const char *const words[] = {"tpm_encryption_alg", "tpm_signing_alg", "tpm_hash_alg"};
    for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
        if (config_was_refused(config, NULL, words[i]))
            return; /* nothing to say about how it fits the others */
    }
    const char *encryption = config_is_set(config, NULL, "tpm_encryption_alg")
                                 ? text_of(config, "tpm_encryption_alg")
                                 : NULL;
    const char *problem = NULL;
    if (!key_template_from_words(encryption, text_of(config, "tpm_signing_alg"),
                                 text_of(config, "tpm_hash_alg"), &self->out->keys, &problem))
        refuse(self, encryption ? "tpm_encryption_alg" : "tpm_signing_alg", problem);
}

static void resolve_tpm(Resolution *self)
{
    const Config *config = self->config;
    AgentSettings *out = self->out;
    resolve_keys(self);
    out->avoid_tpm = config_bool(config, NULL, "avoid_tpm");
    options_read_handle(text_of(config, "ek_handle"), &out->ek_handle);
    options_read_password(text_of(config, "tpm_ownerpassword"), &out->endorsement_password);
}

/* Read at once: later the agent may not be allowed to. One that nobody named may be absent. */
static void resolve_certificate(Resolution *self, const char *option, const char *default_name,
                                GBytes **out)
{
    g_autofree char *path = resolve_path(self, option, default_name);
    g_autoptr(GError) error = NULL;
    if (!device_certificate_read(path, out, &error))
        refuse(self, option, error->message);
    else if (!*out && config_is_set(self->config, NULL, option) &&
             strcmp(text_of(self->config, option), "default") != 0)
        refuse(self, option, "there is no such file");
}

static void resolve_device_identity(Resolution *self)
{
    const Config *config = self->config;
    AgentSettings *out = self->out;
    out->use_device_identity = config_bool(config, NULL, "enable_iak_idevid");
    if (!out->use_device_identity)
        return;
    if (out->avoid_tpm)
        refuse(self, "enable_iak_idevid", "the software TPM (avoid_tpm) has no device identity");
    resolve_certificate(self, "iak_cert", "iak-cert.crt", &out->iak_certificate);
    resolve_certificate(self, "idevid_cert", "idevid-cert.crt", &out->idevid_certificate);
    GBytes *certificate = out->iak_certificate ? out->iak_certificate : out->idevid_certificate;
    EVP_PKEY *certified = certificate ? device_certificate_key(certificate) : NULL;
    const char *problem = NULL;
    if (!key_template_device_from_words(
            text_of(config, "iak_idevid_template"), text_of(config, "iak_idevid_asymmetric_alg"),
            text_of(config, "iak_idevid_name_alg"), certified, &out->identity.key, &problem))
        refuse(self, "iak_idevid_template", problem);
    EVP_PKEY_free(certified);
    options_read_handle(text_of(config, "iak_handle"), &out->identity.iak_handle);
    options_read_handle(text_of(config, "idevid_handle"), &out->identity.idevid_handle);
    options_read_password(text_of(config, "iak_password"), &out->identity.iak_password);
    options_read_password(text_of(config, "idevid_password"), &out->identity.idevid_password);
}

/* --- the rest
 * --------------------------------------------------------------------------------------- */

static void resolve_rhythm(Resolution *self)
{
    const Config *config = self->config;
    AgentSettings *out = self->out;
    backoff_rules_make(config_int(config, NULL, "exponential_backoff_initial_delay"),
                       config_int(config, NULL, "exponential_backoff_max_delay"),
                       (unsigned)config_int(config, NULL, "exponential_backoff_max_retries"),
                       &out->backoff);
    out->interval = config_int(config, NULL, "attestation_interval_seconds");
    out->timeout_ms = (unsigned)config_int(config, NULL, "timeout");
}

/* Unlike the agent's own files, the kernel's are looked for from the root directory on
 * (push-agent §3.3). */
static char *resolve_kernel_path(const Config *config, const char *option, const char *usual)
{
    const char *path = text_of(config, option);
    if (*path == '\0' || strcmp(path, "default") == 0)
        return g_strdup(usual);
    return g_path_is_absolute(path) ? g_strdup(path) : g_build_filename("/", path, NULL);
}

static void resolve_logs(Resolution *self)
{
    const Config *config = self->config;
    AgentSettings *out = self->out;
    out->ima_log_path = resolve_kernel_path(config, "ima_ml_path",
                                            "/sys/kernel/security/ima/ascii_runtime_measurements");
    out->uefi_log_path = resolve_kernel_path(config, "measuredboot_ml_path",
                                             "/sys/kernel/security/tpm0/binary_bios_measurements");
    out->uefi_version = text_of(config, "uefi_logs_evidence_version");
}

static const char *optional_text(const Config *config, const char *option)
{
    return config_is_set(config, NULL, option) ? text_of(config, option) : NULL;
}

/* Silent: what is usable of `config`, and a line in `problems` for each rule that is broken. */
static AgentSettings *resolve(const Config *config, GPtrArray *problems)
{
    AgentSettings *out = g_new0(AgentSettings, 1);
    Resolution self = {config, out, problems};
    resolve_directory(&self);
    out->agent_data_path = resolve_path(&self, "agent_data_path", "agent_data.json");
    resolve_verifier(&self);
    resolve_registrar(&self);
    resolve_rhythm(&self);
    check_push_version(&self);
    resolve_registrar_versions(&self);
    resolve_tpm(&self);
    resolve_device_identity(&self);
    out->uuid = text_of(config, "uuid");
    out->identifier = optional_text(config, "agent_identifier");
    out->server_identifier = text_of(config, "certification_keys_server_identifier");
    out->contact_ip = text_of(config, "contact_ip");
    out->contact_port = (unsigned)config_int(config, NULL, "contact_port");
    out->run_as = optional_text(config, "run_as");
    out->report_status = config_bool(config, NULL, "report_status");
    resolve_logs(&self);
    return out;
}

void settings_check(const Config *config, GPtrArray *problems)
{
    settings_free(resolve(config, problems));
}

/* --- what an operator should know of accepted settings
 * ------------------------------------------------- */

static void announce_verifier(const AgentSettings *settings)
{
    if (!settings->verify_certificates) {
        log_warning("INSECURE: TLS certificate validation is DISABLED!");
        log_warning("INSECURE: anyone on the network path can pose as the verifier.");
        log_warning("INSECURE: remove --insecure and tls_accept_invalid_certs for production.");
    } else if (!settings->verify_host_names) {
        log_warning("INSECURE: TLS hostname verification is DISABLED!");
        log_warning("INSECURE: any server with a certificate of the CA can pose as the verifier.");
        log_warning("INSECURE: remove tls_accept_invalid_hostnames for production.");
    }
}

static bool is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
           g_str_has_prefix(host, "127.");
}

static void announce_registrar(const AgentSettings *settings)
{
    if (settings->registrar.tls) {
        log_info("Registrar TLS configuration complete - using HTTPS with server verification");
        return;
    }
    log_info("Registrar TLS disabled - using plain HTTP");
    if (!is_loopback(settings->registrar.host))
        log_warning("The registrar at %s is reached without TLS: set registrar_tls_enabled = true",
                    settings->registrar.origin);
}

static void announce_backoff(const Config *config)
{
    gint64 initial = config_int(config, NULL, "exponential_backoff_initial_delay");
    gint64 cap = config_int(config, NULL, "exponential_backoff_max_delay");
    if (initial > cap)
        log_warning("exponential_backoff_initial_delay (%" G_GINT64_FORMAT
                    " ms) is above exponential_backoff_max_delay (%" G_GINT64_FORMAT
                    " ms): the latter is used",
                    initial, cap);
}

static void announce_keys(const AgentSettings *settings)
{
    if (settings->keys.scheme != TPM_ALG_RSASSA || settings->keys.hash != TPM_ALG_SHA256)
        log_warning("upstream's verifier accepts only tpm_signing_alg = rsassa with tpm_hash_alg = "
                    "sha256; other attestation keys need this project's verifier");
}

AgentSettings *settings_new(const Config *config, GError **error)
{
    g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(AgentSettings) settings = resolve(config, problems);
    if (problems->len > 0) {
        g_set_error_literal(error, SETTINGS_ERROR, SETTINGS_ERROR_REFUSED, problems->pdata[0]);
        return NULL;
    }
    announce_verifier(settings);
    announce_registrar(settings);
    announce_backoff(config);
    announce_keys(settings);
    return g_steal_pointer(&settings);
}

void settings_free(AgentSettings *settings)
{
    if (!settings)
        return;
    g_free(settings->keylime_dir);
    g_free(settings->agent_data_path);
    g_free(settings->verifier_ca);
    g_free(settings->registrar_ca);
    url_clear(&settings->verifier);
    url_clear(&settings->registrar);
    g_clear_pointer(&settings->endorsement_password, g_bytes_unref);
    g_clear_pointer(&settings->identity.iak_password, g_bytes_unref);
    g_clear_pointer(&settings->identity.idevid_password, g_bytes_unref);
    g_clear_pointer(&settings->iak_certificate, g_bytes_unref);
    g_clear_pointer(&settings->idevid_certificate, g_bytes_unref);
    g_strfreev(settings->registrar_versions);
    g_free(settings->ima_log_path);
    g_free(settings->uefi_log_path);
    g_free(settings);
}
