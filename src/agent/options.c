/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/options.h"

#include "agent/settings.h"
#include "agent/url.h"
#include "base/encoding.h"
#include "base/identifier.h"
#include "base/secret.h"

#include <string.h>

/* --- checks: NULL, or what is allowed
 * --------------------------------------------------------------- */

static const char *check_verifier_url(const char *value)
{
    return url_verifier_problem(value);
}

static const char *check_registrar_url(const char *value)
{
    return url_registrar_problem(value);
}

static const char *check_host(const char *value)
{
    return url_host_is_valid(value)
               ? NULL
               : "must be an IPv4 or IPv6 address or a host name, without scheme or port";
}

static const char *check_uuid(const char *value)
{
    static const char *const words[] = {"generate", "hash_ek", "environment", "dmidecode",
                                        "hostname"};
    for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
        if (strcmp(value, words[i]) == 0)
            return NULL;
    }
    g_autofree char *uuid = uuid_normalise(value);
    return uuid ? NULL : "must be a UUID, generate, hash_ek, environment, dmidecode or hostname";
}

static const char *check_identifier(const char *value)
{
    return agent_id_is_valid(value) ? NULL : "must be 1 to 80 of the characters A-Z a-z 0-9 . _ -";
}

static bool is_version(const char *text)
{
    text += *text == 'v';
    size_t major = strspn(text, "0123456789");
    if (major == 0 || text[major] != '.')
        return false;
    size_t minor = strspn(text + major + 1, "0123456789");
    return minor > 0 && text[major + 1 + minor] == '\0';
}

static const char *check_version_word(const char *value)
{
    bool known = strcmp(value, "default") == 0 || strcmp(value, "latest") == 0 || is_version(value);
    return known ? NULL : "must be a list of versions such as 3.0, or default, or latest";
}

static const char *check_api_version(const char *value)
{
    bool right = strcmp(value, "v3.0") == 0 || strcmp(value, "3.0") == 0;
    return right ? NULL
                 : "must be v3.0: the only version of the push protocol that this agent speaks";
}

static const char *check_run_as(const char *value)
{
    const char *colon = strchr(value, ':');
    bool right = *value == '\0' || (colon && colon != value && colon[1] && !strchr(colon + 1, ':'));
    return right ? NULL : "must be user:group";
}

bool options_read_handle(const char *text, uint32_t *out)
{
    *out = 0;
    if (*text == '\0' || strcmp(text, "generate") == 0)
        return true;
    const char *digits = g_str_has_prefix(text, "0x") ? text + 2 : text;
    if (strlen(digits) != 8 || strspn(digits, "0123456789abcdefABCDEF") != 8)
        return false;
    *out = (uint32_t)g_ascii_strtoull(digits, NULL, 16);
    return *out >> 24 == 0x81;
}

static const char *check_handle(const char *value)
{
    uint32_t handle;
    return options_read_handle(value, &handle) ? NULL
                                               : "must be a persistent handle such as 0x81010001";
}

bool options_read_password(const char *text, GBytes **out)
{
    *out = NULL;
    if (*text == '\0')
        return true;
    *out = g_str_has_prefix(text, "hex:") ? secret_bytes_take(hex_decode(text + 4))
                                          : secret_bytes_copy(bytes_of_text(text));
    return *out != NULL;
}

static const char *check_password(const char *value)
{
    g_autoptr(GBytes) password = NULL;
    return options_read_password(value, &password)
               ? NULL
               : "must be text, or hex: and pairs of hex digits";
}

static const char *const signing_words[] = {"rsassa", "rsapss", "ecdsa", NULL};
static const char *const hash_words[] = {"sha256", "sha384", "sha512", NULL};
static const char *const key_words[] = {
    "rsa",    "rsa2048", "rsa3072",       "rsa4096",       "ecc",           "ecc256",
    "ecc384", "ecc521",  "ecc_nist_p256", "ecc_nist_p384", "ecc_nist_p521", NULL};

/* --- the table
 * -------------------------------------------------------------------------------------- */

#define TEXT(NAME, DEFAULT, HELP)                                                                  \
    .section = "agent", .name = NAME, .type = OPTION_TEXT, .default_text = DEFAULT, .help = HELP
#define INTEGER(NAME, DEFAULT, LOW, HIGH, HELP)                                                    \
    .section = "agent", .name = NAME, .type = OPTION_INT, .default_text = DEFAULT, .minimum = LOW, \
    .maximum = HIGH, .help = HELP
#define BOOLEAN(NAME, DEFAULT, HELP)                                                               \
    .section = "agent", .name = NAME, .type = OPTION_BOOL, .default_text = DEFAULT, .help = HELP
#define WORD(NAME, DEFAULT, WORDS, HELP)                                                           \
    .section = "agent", .name = NAME, .type = OPTION_WORD, .default_text = DEFAULT,                \
    .words = WORDS, .exact_case = true, .help = HELP
#define LIST(NAME, DEFAULT, HELP)                                                                  \
    .section = "agent", .name = NAME, .type = OPTION_LIST, .default_text = DEFAULT, .help = HELP
#define PULL_ONLY(NAME)                                                                            \
    .section = "agent", .name = NAME, .type = OPTION_TEXT, .pull_only = true,                      \
    .help = "Option of the pull-model agent, which shares this file."
#define INERT(NAME, FLAG, VALUE)                                                                   \
    .section = "agent", .name = NAME, .type = OPTION_TEXT, .dead = true, .flag = FLAG,             \
    .flag_value = VALUE, .help = "Accepted for scripts; has no effect."

static const Option options[] = {
    /* Verifier. */
    {TEXT("verifier_url", "https://localhost:8881",
          "URL of the verifier. Must use HTTPS; without a port, 443."),
     .check = check_verifier_url, .flag = "verifier-url", .flag_value = "URL", .flag_short = 'v'},
    {TEXT(
         "verifier_tls_ca_cert", "default",
         "CA certificates (PEM) that the verifier's certificate must chain to, and the only ones "
         "that "
         "count. Relative to keylime_dir; the flag is relative to the current directory. default = "
         "cv_ca/cacert.crt."),
     .flag = "ca-certificate", .flag_value = "PATH"},
    {INTEGER("attestation_interval_seconds", "60", 1, 86400,
             "Seconds between attestations, where the verifier's quote_interval allows it, and the "
             "wait "
             "after a failure."),
     .flag = "attestation-interval-seconds", .flag_value = "SECS"},
    {LIST("api_versions", "[3.0]",
          "Versions of the verifier's API; must contain 3.0, the push protocol. default, latest = "
          "3.0."),
     .check = check_version_word},
    {TEXT("api_version", "v3.0", "Version of the verifier's API to use."),
     .check = check_api_version, .flag = "api-version", .flag_value = "VERSION"},
    {INTEGER("timeout", "5000", 1, 3600000,
             "Milliseconds that a request may take to connect, and stay silent."),
     .flag = "timeout", .flag_value = "MS"},
    {BOOLEAN("insecure", "false", "Accept any certificate of the verifier. For testing only."),
     .flag = "insecure"},
    {BOOLEAN("tls_accept_invalid_certs", "false",
             "Accept any certificate of the verifier. For testing only.")},
    {BOOLEAN("tls_accept_invalid_hostnames", "false",
             "Accept a verifier's certificate for another host name. For testing only.")},
    {BOOLEAN("report_status", "true",
             "Ask the verifier every tenth cycle for this agent's own verdict and log a change.")},

    /* Registrar. */
    {TEXT("registrar_ip", "127.0.0.1", "Address or host name of the registrar."),
     .check = check_host},
    {INTEGER("registrar_port", "8890", 1, 65535, "The registrar's port without TLS.")},
    {BOOLEAN("registrar_tls_enabled", "false", "Use TLS towards the registrar.")},
    {INTEGER("registrar_tls_port", "8891", 1, 65535, "The registrar's port with TLS.")},
    {TEXT(
        "registrar_tls_ca_cert", "default",
        "CA certificates (PEM) for the registrar's certificate. Relative to keylime_dir. default = "
        "cv_ca/cacert.crt.")},
    {TEXT("registrar_url", NULL,
          "URL of the registrar: overrides registrar_ip, the ports and the choice of TLS. Default: "
          "http://registrar_ip:registrar_port, which is http://127.0.0.1:8890."),
     .check = check_registrar_url, .flag = "registrar-url", .flag_value = "URL"},
    {LIST("registrar_api_versions", "[default]",
          "Versions of the registrar's API. default = 2.1 to 2.6, latest = 2.6."),
     .check = check_version_word},
    {TEXT("contact_ip", "127.0.0.1",
          "Address that the registrar keeps for this agent; nothing listens "
          "there in push mode."),
     .check = check_host},
    {INTEGER("contact_port", "9002", 1, 65535, "Port that the registrar keeps for this agent.")},

    /* Identity. */
    {TEXT("uuid", "generate",
          "Agent id: a UUID, generate (once, then kept in keylime_dir), hash_ek, environment "
          "(KEYLIME_AGENT_UUID), dmidecode, or hostname."),
     .check = check_uuid},
    {TEXT("agent_identifier", NULL, "Agent id to use everywhere instead of uuid."),
     .check = check_identifier, .flag = "agent-identifier", .flag_value = "ID"},
    {TEXT("keylime_dir", "/var/lib/keylime",
          "Working directory for keys and certificates. The variable KEYLIME_DIR overrides it.")},
    {TEXT("agent_data_path", "default",
          "Where the attestation key is kept. default = agent_data.json.")},
    {TEXT("run_as", NULL,
          "user:group to become after start as root. Default for root: keylime:tss. Of the "
          "service, User= "
          "and Group= of the unit decide."),
     .check = check_run_as},

    /* TPM. */
    {WORD("tpm_hash_alg", "sha256", hash_words,
          "Hash of the attestation key, its signatures and the "
          "quoted PCR bank.")},
    {WORD("tpm_signing_alg", "rsassa", signing_words, "Signature scheme of the attestation key.")},
    {WORD(
        "tpm_encryption_alg", NULL, key_words,
        "Kind of the endorsement and attestation keys. Default: what tpm_signing_alg needs, rsa or "
        "ecc (P-256).")},
    {TEXT("ek_handle", "generate", "Persistent handle of the endorsement key, or generate."),
     .check = check_handle},
    {TEXT("tpm_ownerpassword", NULL,
          "Password of the TPM's endorsement hierarchy; text, or hex:<digits>."),
     .check = check_password, .secret = true},
    {BOOLEAN("avoid_tpm", "false",
             "Use a software TPM inside the agent, which proves nothing. For testing only."),
     .flag = "avoid-tpm"},
    {TEXT("certification_keys_server_identifier", "ak", "Name of the key in the capabilities.")},
    {BOOLEAN("enable_iak_idevid", "false",
             "Register with the device identity keys IAK and IDevID.")},
    {TEXT("iak_idevid_template", "detect",
          "H-1, H-2, H-3, H-4, manual, or detect: the one that fits iak_cert, else idevid_cert, "
          "else as manual.")},
    {TEXT("iak_idevid_asymmetric_alg", "rsa", "With template manual: rsa or ecc.")},
    {TEXT("iak_idevid_name_alg", "sha256", "With template manual: sha256, sha384 or sha512.")},
    {TEXT("iak_handle", NULL, "Persistent handle of the IAK; empty = make it from the template."),
     .check = check_handle},
    {TEXT("idevid_handle", NULL,
          "Persistent handle of the IDevID; empty = make it from the template."),
     .check = check_handle},
    {TEXT("iak_password", NULL, "Password of the IAK; text, or hex:<digits>."),
     .check = check_password, .secret = true},
    {TEXT("idevid_password", NULL, "Password of the IDevID; text, or hex:<digits>."),
     .check = check_password, .secret = true},
    {TEXT("iak_cert", "default", "Certificate of the IAK (PEM or DER). default = iak-cert.crt.")},
    {TEXT("idevid_cert", "default",
          "Certificate of the IDevID (PEM or DER). default = idevid-cert.crt.")},

    /* Back-off. */
    {INTEGER("exponential_backoff_initial_delay", "10000", 1, 86400000,
             "Milliseconds before the first retry of a request; doubled for each further one.")},
    {INTEGER("exponential_backoff_max_retries", "5", 0, 1000, "Retries of one request; 0 = none.")},
    {INTEGER("exponential_backoff_max_delay", "300000", 1, 86400000,
             "Milliseconds that no delay exceeds.")},

    /* Logs of the kernel and the firmware. */
    {TEXT("ima_ml_path", "default",
          "The kernel's IMA measurement list. Relative to /. default = "
          "/sys/kernel/security/ima/ascii_runtime_measurements.")},
    {TEXT("measuredboot_ml_path", "default",
          "The firmware's event log. Relative to /. default = "
          "/sys/kernel/security/tpm0/binary_bios_measurements.")},
    {TEXT("uefi_logs_evidence_version", "2.1", "Version that is told with the event log.")},

    /* Flags of upstream's agent without effect there and here. */
    {INERT("json_file", "json-file", "FILE"), .flag_short = 'j'},
    {INERT("attestation_index", "attestation-index", "N")},
    {INERT("session_index", "session-index", "N")},
    {INERT("message_type", "message-type", "TYPE")},
    {INERT("method", "method", "METHOD")},

    {PULL_ONLY("ip")},
    {PULL_ONLY("port")},
    {PULL_ONLY("enable_agent_mtls")},
    {PULL_ONLY("server_key")},
    {PULL_ONLY("server_key_password")},
    {PULL_ONLY("server_cert")},
    {PULL_ONLY("trusted_client_ca")},
    {PULL_ONLY("payload_key")},
    {PULL_ONLY("payload_key_password")},
    {PULL_ONLY("enc_keyname")},
    {PULL_ONLY("dec_payload_file")},
    {PULL_ONLY("secure_size")},
    {PULL_ONLY("extract_payload_zip")},
    {PULL_ONLY("payload_script")},
    {PULL_ONLY("enable_insecure_payload")},
    {PULL_ONLY("allow_payload_revocation_actions")},
    {PULL_ONLY("enable_revocation_notifications")},
    {PULL_ONLY("revocation_notification_ip")},
    {PULL_ONLY("revocation_notification_port")},
    {PULL_ONLY("revocation_cert")},
    {PULL_ONLY("revocation_actions")},
    {PULL_ONLY("revocation_actions_dir")},
    {0},
};

const ConfigSchema agent_schema = {
    .component = "agent",
    .format = CONFIG_TOML,
    .options = options,
    .program = "keylime_push_model_agent",
    .summary = "The push-model agent: registers this machine's TPM at the registrar and proves the "
               "machine's state to the verifier.",
    .check = settings_check,
};
