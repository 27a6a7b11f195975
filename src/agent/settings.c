/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.agent"

#include "agent/settings.h"

#include "agent/options.h"
#include "base/encoding.h"
#include "base/log.h"
#include "base/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

G_DEFINE_QUARK(keylime - agent - settings - error, settings_error)

#define API_VERSION "3.0"

static bool refuse(GError **error, const Config *config, const char *option, const char *allowed)
{
    g_set_error(error, SETTINGS_ERROR, SETTINGS_ERROR_REFUSED, "%s: [agent] %s: %s",
                config_source(config, NULL, option), option, allowed);
    return false;
}

/* "" for an option without value, so that "absent" and "empty" read alike. */
static const char *text_of(const Config *config, const char *option)
{
    const char *text = config_text(config, NULL, option);
    return text ? text : "";
}

/* --- paths
 * ------------------------------------------------------------------------------------------ */

static bool resolve_directory(const Config *config, AgentSettings *out, GError **error)
{
    const char *configured = text_of(config, "keylime_dir");
    struct stat status;
    out->keylime_dir = realpath(configured, NULL);
    if (!out->keylime_dir || stat(out->keylime_dir, &status) != 0) {
        g_autofree char *allowed =
            g_strdup_printf("'%s': %s; the directory must exist", configured, g_strerror(errno));
        return refuse(error, config, "keylime_dir", allowed);
    }
    if (!S_ISDIR(status.st_mode)) {
        g_autofree char *allowed = g_strdup_printf("'%s' is no directory", configured);
        return refuse(error, config, "keylime_dir", allowed);
    }
    return true;
}

/* Relative paths lie under keylime_dir; one given as a flag, under the current directory (C54). */
static char *resolve_path(const Config *config, const AgentSettings *settings, const char *option,
                          const char *default_name)
{
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

static void resolve_verifier(const Config *config, AgentSettings *out)
{
    url_parse(text_of(config, "verifier_url"), &out->verifier);
    out->verify_certificates = !config_bool(config, NULL, "insecure") &&
                               !config_bool(config, NULL, "tls_accept_invalid_certs");
    out->verify_host_names =
        out->verify_certificates && !config_bool(config, NULL, "tls_accept_invalid_hostnames");
    if (out->verify_certificates)
        out->verifier_ca = resolve_path(config, out, "verifier_tls_ca_cert", "cv_ca/cacert.crt");
    if (!out->verify_certificates) {
        log_warning("INSECURE: TLS certificate validation is DISABLED!");
        log_warning("INSECURE: anyone on the network path can pose as the verifier.");
        log_warning("INSECURE: remove --insecure and tls_accept_invalid_certs for production.");
    } else if (!out->verify_host_names) {
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

/* Port with TLS: registrar_tls_port if set; else a registrar_port set to other than 8890; else 8891
 * (contract C42, K11). */
static unsigned tls_port(const Config *config)
{
    gint64 plain = config_int(config, NULL, "registrar_port");
    if (!config_is_set(config, NULL, "registrar_tls_port") && plain != 8890)
        return (unsigned)plain;
    return (unsigned)config_int(config, NULL, "registrar_tls_port");
}

static void resolve_registrar(const Config *config, AgentSettings *out)
{
    if (config_is_set(config, NULL, "registrar_url")) {
        url_parse(text_of(config, "registrar_url"), &out->registrar);
    } else {
        bool tls = config_bool(config, NULL, "registrar_tls_enabled");
        unsigned port =
            tls ? tls_port(config) : (unsigned)config_int(config, NULL, "registrar_port");
        url_from_parts(tls, text_of(config, "registrar_ip"), port, &out->registrar);
    }
    if (out->registrar.tls) {
        out->registrar_ca = resolve_path(config, out, "registrar_tls_ca_cert", "cv_ca/cacert.crt");
        log_info("Registrar TLS configuration complete - using HTTPS with server verification");
    } else {
        log_info("Registrar TLS disabled - using plain HTTP");
        if (!is_loopback(out->registrar.host))
            log_warning(
                "The registrar at %s is reached without TLS: set registrar_tls_enabled = true",
                out->registrar.origin);
    }
}

static bool resolve_versions(const Config *config, AgentSettings *out, GError **error)
{
    static const char *const known[] = {"2.1", "2.2", "2.3", "2.4", "2.5", "2.6", NULL};
    bool speaks = false;
    const char *const *versions = config_list(config, NULL, "api_versions");
    for (guint i = 0; versions[i]; i++)
        speaks = speaks || strcmp(versions[i], API_VERSION) == 0 ||
                 strcmp(versions[i], "v3.0") == 0 || strcmp(versions[i], "default") == 0 ||
                 strcmp(versions[i], "latest") == 0;
    if (!speaks)
        return refuse(error, config, "api_versions",
                      "must contain 3.0, the version of the push protocol: api_versions = \"3.0\"");

    g_autoptr(GPtrArray) wanted = g_ptr_array_new_with_free_func(g_free);
    versions = config_list(config, NULL, "registrar_api_versions");
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
    out->registrar_versions = (char **)g_ptr_array_steal(wanted, NULL);
    return true;
}

/* --- TPM
 * -------------------------------------------------------------------------------------------- */

/* Text, or "hex:" and digits. NULL for the empty password; false when the digits are wrong. */
static bool read_password(const Config *config, const char *option, GBytes **out, GError **error)
{
    const char *text = text_of(config, option);
    *out = NULL;
    if (*text == '\0')
        return true;
    *out = g_str_has_prefix(text, "hex:") ? hex_decode(text + 4) : g_bytes_new(text, strlen(text));
    return *out || refuse(error, config, option, "must be text, or hex: and pairs of hex digits");
}

/* Hexadecimal with or without 0x; "generate" and nothing = 0. */
static bool read_handle(const Config *config, const char *option, uint32_t *out, GError **error)
{
    const char *text = text_of(config, option);
    *out = 0;
    if (*text == '\0' || strcmp(text, "generate") == 0)
        return true;
    const char *digits = g_str_has_prefix(text, "0x") ? text + 2 : text;
    guint64 value = 0;
    bool whole = strlen(digits) == 8 && strspn(digits, "0123456789abcdefABCDEF") == 8;
    if (whole)
        value = g_ascii_strtoull(digits, NULL, 16);
    if (value >> 24 != 0x81)
        return refuse(error, config, option, "must be a persistent handle such as 0x81010001");
    *out = (uint32_t)value;
    return true;
}

static bool resolve_keys(const Config *config, AgentSettings *out, GError **error)
{
    const char *encryption = config_is_set(config, NULL, "tpm_encryption_alg")
                                 ? text_of(config, "tpm_encryption_alg")
                                 : NULL;
    const char *problem = NULL;
    if (!key_template_from_words(encryption, text_of(config, "tpm_signing_alg"),
                                 text_of(config, "tpm_hash_alg"), &out->keys, &problem))
        return refuse(error, config, encryption ? "tpm_encryption_alg" : "tpm_signing_alg",
                      problem);
    out->avoid_tpm = config_bool(config, NULL, "avoid_tpm");
    if (out->keys.scheme != TPM_ALG_RSASSA || out->keys.hash != TPM_ALG_SHA256)
        log_warning("upstream's verifier accepts only tpm_signing_alg = rsassa with tpm_hash_alg = "
                    "sha256; other attestation keys need this project's verifier");
    return read_handle(config, "ek_handle", &out->ek_handle, error) &&
           read_password(config, "tpm_ownerpassword", &out->endorsement_password, error);
}

static bool resolve_device_identity(const Config *config, AgentSettings *out, GError **error)
{
    out->use_device_identity = config_bool(config, NULL, "enable_iak_idevid");
    if (!out->use_device_identity)
        return true;
    const char *problem = NULL;
    if (!key_template_device_from_words(
            text_of(config, "iak_idevid_template"), text_of(config, "iak_idevid_asymmetric_alg"),
            text_of(config, "iak_idevid_name_alg"), &out->identity.key, &problem))
        return refuse(error, config, "iak_idevid_template", problem);
    out->iak_certificate = resolve_path(config, out, "iak_cert", "iak-cert.crt");
    out->idevid_certificate = resolve_path(config, out, "idevid_cert", "idevid-cert.crt");
    return read_handle(config, "iak_handle", &out->identity.iak_handle, error) &&
           read_handle(config, "idevid_handle", &out->identity.idevid_handle, error) &&
           read_password(config, "iak_password", &out->identity.iak_password, error) &&
           read_password(config, "idevid_password", &out->identity.idevid_password, error);
}

/* --- the rest
 * --------------------------------------------------------------------------------------- */

static void resolve_rhythm(const Config *config, AgentSettings *out)
{
    gint64 initial = config_int(config, NULL, "exponential_backoff_initial_delay");
    gint64 cap = config_int(config, NULL, "exponential_backoff_max_delay");
    unsigned retries = (unsigned)config_int(config, NULL, "exponential_backoff_max_retries");
    if (backoff_rules_make(initial, cap, retries, &out->backoff))
        log_warning("exponential_backoff_initial_delay (%" G_GINT64_FORMAT
                    " ms) is above exponential_backoff_max_delay (%" G_GINT64_FORMAT
                    " ms): the latter is used",
                    initial, cap);
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

static void resolve_logs(const Config *config, AgentSettings *out)
{
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

AgentSettings *settings_new(const Config *config, GError **error)
{
    g_autoptr(AgentSettings) out = g_new0(AgentSettings, 1);
    if (!resolve_directory(config, out, error))
        return NULL;
    out->agent_data_path = resolve_path(config, out, "agent_data_path", "agent_data.json");
    resolve_verifier(config, out);
    resolve_registrar(config, out);
    resolve_rhythm(config, out);
    if (!resolve_versions(config, out, error) || !resolve_keys(config, out, error) ||
        !resolve_device_identity(config, out, error))
        return NULL;
    out->uuid = text_of(config, "uuid");
    out->identifier = optional_text(config, "agent_identifier");
    out->server_identifier = text_of(config, "certification_keys_server_identifier");
    out->contact_ip = text_of(config, "contact_ip");
    out->contact_port = (unsigned)config_int(config, NULL, "contact_port");
    out->run_as = optional_text(config, "run_as");
    out->report_status = config_bool(config, NULL, "report_status");
    resolve_logs(config, out);
    return g_steal_pointer(&out);
}

void settings_free(AgentSettings *settings)
{
    if (!settings)
        return;
    free(settings->keylime_dir); /* realpath()'s */
    g_free(settings->agent_data_path);
    g_free(settings->verifier_ca);
    g_free(settings->registrar_ca);
    url_clear(&settings->verifier);
    url_clear(&settings->registrar);
    g_clear_pointer(&settings->endorsement_password, g_bytes_unref);
    g_clear_pointer(&settings->identity.iak_password, g_bytes_unref);
    g_clear_pointer(&settings->identity.idevid_password, g_bytes_unref);
    g_free(settings->iak_certificate);
    g_free(settings->idevid_certificate);
    g_strfreev(settings->registrar_versions);
    g_free(settings->ima_log_path);
    g_free(settings->uefi_log_path);
    g_free(settings);
}
