/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registrar's options (configuration-and-operations §4, decisions marked *new*), in the order
 * in which the example file prints them.
 */
#include "registrar/settings.h"

#include <string.h>

static const char *check_not_empty(const char *value)
{
    return *value ? NULL : "must not be empty";
}

/* Options of plug-ins that this registrar has not got are refused rather than ignored: the operator
 * counts on what they do (decision D117). */
static const char *check_no_durable_attestation(const char *value)
{
    return *value ? "must be empty: durable attestation plug-ins are not provided" : NULL;
}

static const char *check_pool(const char *value)
{
    g_auto(GStrv) parts = g_strsplit(value, ",", -1);
    const char *allowed = "must be two whole numbers, size and overflow, such as 5,10";
    if (g_strv_length(parts) != 2)
        return allowed;
    for (unsigned i = 0; i < 2; i++) {
        guint64 number;
        if (!g_ascii_string_to_unsigned(g_strstrip(parts[i]), 10, i == 0 ? 1 : 0, 10000, &number,
                                        NULL))
            return allowed;
    }
    return NULL;
}

/* Activation needs an EK, so an identity of IAK and IDevID alone could never be activated
 * (decision D21). */
static const char *check_identity(const char *value)
{
    static const char *const allowed[] = {"default", "ek_cert_or_iak_idevid", "ek_cert", NULL};
    if (g_strv_contains(allowed, value))
        return NULL;
    if (strcmp(value, "iak_idevid") == 0)
        return "must be default, ek_cert_or_iak_idevid or ek_cert: without an EK no agent can be "
               "activated";
    return "must be default, ek_cert_or_iak_idevid or ek_cert";
}

static const char *const providers[] = {"simple", NULL};
static const char *const malformed_actions[] = {"warn", "reject", "ignore", NULL};
static const char *const ek_checks[] = {"warn", "require", "off", NULL};
static const char *const store_formats[] = {"json", "pickle", NULL};
static const char *const store_encodings[] = {"", "base64", NULL};

#define OPTION(type_, name_, default_, help_, ...)                                                 \
    {                                                                                              \
        .section = "registrar", .name = name_, .type = type_, .default_text = default_,            \
        .help = help_, __VA_ARGS__                                                                 \
    }
#define TEXT(name_, default_, ...) OPTION(OPTION_TEXT, name_, default_, __VA_ARGS__)
#define LIST(name_, default_, ...) OPTION(OPTION_LIST, name_, default_, __VA_ARGS__)
#define BOOL(name_, default_, ...) OPTION(OPTION_BOOL, name_, default_, __VA_ARGS__)
#define WORD(name_, default_, words_, ...)                                                         \
    OPTION(OPTION_WORD, name_, default_, __VA_ARGS__, .words = words_)
#define INT(name_, default_, low_, high_, ...)                                                     \
    OPTION(OPTION_INT, name_, default_, __VA_ARGS__, .minimum = low_, .maximum = high_)

static const Option options[] = {
    TEXT("version", "2.6", "Version of this file's format; any is read."),
    TEXT("ip", "127.0.0.1", "Address to listen on; 0.0.0.0 or :: for all of the machine.",
         .check = check_not_empty),
    INT("port", "8890", 0, 65535,
        "Plain HTTP port, for registration and activation only; 0 opens none."),
    INT("tls_port", "8891", 0, 65535, "HTTPS port, for everything; 0 opens none."),

    /* TLS */
    TEXT("tls_dir", "default",
         "Directory of keys and certificates; default is the verifier's cv_ca, generate makes a CA "
         "and certificates in reg_ca."),
    TEXT("server_key", "default", "Private key file; default is server-private.pem in tls_dir."),
    TEXT("server_key_password", "", "Password of the private key; empty when it has none.",
         .secret = true),
    TEXT("server_cert", "default", "Certificate file; default is server-cert.crt in tls_dir."),
    TEXT("cert_subject_alternative_names", "",
         "Further names and addresses for a generated certificate, separated by commas."),
    TEXT("trusted_client_ca", "default",
         "CAs whose client certificates are believed; default is cv_ca/cacert.crt, else a list."),
    WORD("authorization_provider", "simple", providers, "How requests are authorised."),
    LIST("admin_certificate_names", "['client']",
         "Common names that count as administrator even without the extended key usage "
         "clientAuth."),
    BOOL("restrict_admin_names", "False",
         "Count only the names of admin_certificate_names as administrators."),
    LIST("trusted_proxies", "[]",
         "Addresses of reverse proxies whose X-Forwarded-For tells a client's address."),

    /* database */
    TEXT("database_url", "sqlite",
         "sqlite for registrar.sqlite in the working directory, sqlite:////path/to/file, or "
         "postgresql://user:password@host/name.",
         .check = check_not_empty, .secret = true),
    TEXT("database_pool_sz_ovfl", "5,10",
         "Connections to PostgreSQL kept open, and more of them under load.", .check = check_pool),
    BOOL("auto_migrate_db", "True", "Bring the database's tables up to date at start."),

    /* identity */
    TEXT("tpm_identity", "default",
         "Which identity a registration must carry: default or ek_cert_or_iak_idevid (an EK, and "
         "IAK and IDevID if the agent has them), or ek_cert.",
         .check = check_identity),
    WORD("malformed_cert_action", "warn", malformed_actions,
         "What to do about certificates that are not encoded by the rules: warn, reject or "
         "ignore."),
    WORD("ek_cert_check", "warn", ek_checks,
         "Whether the EK certificate must come from a CA of tpm_cert_store: require refuses, warn "
         "tells and records, off does not look."),
    TEXT("tpm_cert_store", NULL,
         "Directory of the TPM vendors' CA certificates (*.pem); default: tpm_cert_store of "
         "tenant.conf, else /var/lib/keylime/tpm_cert_store."),
    INT("identity_tombstone", "0", 0, 315360000,
        "Seconds for which the id of a deleted agent stays bound to its TPM; 0 frees it at once."),

    /* limits */
    INT("register_rate_limit_per_ip", "60", 0, 1000000,
        "Registrations a minute from one address; 0 is no limit."),
    INT("max_upload_size", "262144", 4096, 104857600, "Largest request body in bytes."),
    INT("max_workers", "16", 0, 1024,
        "Most threads that serve connections; 0 is one for each CPU."),
    INT("shutdown_drain_timeout", "10", 0, 3600,
        "Seconds at stop for requests in progress to end."),

    /* of upstream's files, without a counterpart here */
    TEXT("durable_attestation_import", "", "Plug-in of upstream's registrar; must be empty.",
         .check = check_no_durable_attestation),
    TEXT("persistent_store_url", "", "Of durable attestation; must be empty.",
         .check = check_no_durable_attestation),
    TEXT("transparency_log_url", "", "Of durable attestation; must be empty.",
         .check = check_no_durable_attestation),
    TEXT("time_stamp_authority_url", "", "Of durable attestation; must be empty.",
         .check = check_no_durable_attestation),
    TEXT("time_stamp_authority_certs_path", "", "Of durable attestation; must be empty.",
         .check = check_no_durable_attestation),
    WORD("persistent_store_format", "json", store_formats, "Of durable attestation.", .dead = true),
    WORD("persistent_store_encoding", "", store_encodings, "Of durable attestation.", .dead = true),
    TEXT("transparency_log_sign_algo", "sha256", "Of durable attestation.", .dead = true),
    TEXT("signed_attributes", "ek_tpm,aik_tpm,ekcert", "Of durable attestation.", .dead = true),
    {NULL},
};

const ConfigSchema registrar_schema = {
    .component = "registrar",
    .format = CONFIG_INI,
    .options = options,
    .program = "keylime_registrar",
    .summary = "Keylime registrar: binds the identities of agents to their TPMs.",
};
