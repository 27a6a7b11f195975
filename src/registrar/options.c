/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registrar's options (configuration-and-operations §4, decisions marked *new*), in the order
 * in which the example file prints them.
 */
#include "http/service_options.h"
#include "registrar/settings.h"
#include "store/database_options.h"

#include <string.h>

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

static const char *const malformed_actions[] = {"warn", "reject", "ignore", NULL};
static const char *const ek_checks[] = {"warn", "require", "off", NULL};

#define OPTION_SECTION "registrar"

static const Option options[] = {
    SERVICE_VERSION_ROW,
    SERVICE_IP_ROW,
    INT("port", "8890", 0, 65535,
        "Plain HTTP port, for registration and activation only; 0 opens none."),
    INT("tls_port", "8891", 0, 65535, "HTTPS port, for everything; 0 opens none."),

    /* TLS */
    TEXT("tls_dir", "default",
         "Directory of keys and certificates; default is the verifier's cv_ca, generate makes a CA "
         "and certificates in reg_ca."),
    SERVICE_TLS_ROWS,
    SERVICE_ACCESS_ROWS,

    DATABASE_ROWS,

    /* identity */
    TEXT("tpm_identity", "default",
         "Which identity a registration must carry: default, ek_cert_or_iak_idevid or ek_cert, "
         "which mean the same: an EK always; IAK and IDevID are checked where an agent has them.",
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
    SERVICE_LIMIT_ROWS("262144"),

    SERVICE_PLUG_IN_ROWS("ek_tpm,aik_tpm,ekcert"),
    {NULL},
};

const ConfigSchema registrar_schema = {
    .component = "registrar",
    .format = CONFIG_INI,
    .options = options,
    .program = "keylime_registrar",
    .summary = "Keylime registrar: binds the identities of agents to their TPMs.",
    .check = registrar_settings_check,
};
