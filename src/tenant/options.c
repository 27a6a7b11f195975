/* SPDX-License-Identifier: Apache-2.0 */
#include "tenant/options.h"

#include "policy/accept.h"

#define TENANT_OPTION(name_, type_, default_, help_)                                               \
    .section = "tenant", .name = name_, .type = type_, .default_text = default_, .help = help_

static const char *check_host(const char *value)
{
    return *value ? NULL : "must be an address or a host name";
}

static const char *check_hash(const char *word)
{
    return accept_hash_is_known(word) ? NULL : "must be a list of hash algorithms such as sha256";
}

static const char *check_encryption(const char *word)
{
    return accept_encryption_is_known(word) ? NULL : "must be a list of key types such as rsa, ecc";
}

static const char *check_signing(const char *word)
{
    return accept_signing_is_known(word) ? NULL
                                         : "must be a list of signature schemes such as rsassa";
}

static const Option options[] = {
    {TENANT_OPTION("version", OPTION_TEXT, "2.6", "Version of the file's format.")},
    {TENANT_OPTION("verifier_ip", OPTION_TEXT, "127.0.0.1", "Address or name of the verifier."),
     .flag = "cv", .check = check_host},
    {TENANT_OPTION("verifier_port", OPTION_INT, "8881", "Port of the verifier."), .flag = "cvport",
     .minimum = 1, .maximum = 65535},
    {TENANT_OPTION("registrar_ip", OPTION_TEXT, "127.0.0.1", "Address or name of the registrar."),
     .flag = "registrarhost", .check = check_host},
    {TENANT_OPTION("registrar_port", OPTION_INT, "8891", "HTTPS port of the registrar."),
     .flag = "registrarport", .minimum = 1, .maximum = 65535},
    {TENANT_OPTION(
        "tls_dir", OPTION_TEXT, "default",
        "Directory of the tenant's certificate; default = cv_ca in the work directory.")},
    {TENANT_OPTION("client_key", OPTION_TEXT, "default", "Key of the tenant's certificate.")},
    {TENANT_OPTION("client_key_password", OPTION_TEXT, "", "Its password, if it has one."),
     .secret = true},
    {TENANT_OPTION("client_cert", OPTION_TEXT, "default", "The tenant's certificate.")},
    {TENANT_OPTION("trusted_server_ca", OPTION_TEXT, "default",
                   "CA certificates that verifier and registrar are checked against.")},
    {TENANT_OPTION("tls_check_hostnames", OPTION_BOOL, "True",
                   "Whether a server's certificate must name the host that is asked.")},
    {TENANT_OPTION("tpm_cert_store", OPTION_TEXT, "/var/lib/keylime/tpm_cert_store",
                   "Directory of the TPM vendors' CA certificates (*.pem).")},
    {TENANT_OPTION("require_ek_cert", OPTION_BOOL, "True",
                   "Whether an agent's EK certificate must chain to tpm_cert_store.")},
    {TENANT_OPTION("ek_check_script", OPTION_TEXT, "",
                   "Program that must exit 0 for the EK to be accepted.")},
    {TENANT_OPTION("accept_tpm_hash_algs", OPTION_LIST, "['sha512', 'sha384', 'sha256']",
                   "Hash algorithms that an agent may use."),
     .check = check_hash},
    {TENANT_OPTION("accept_tpm_encryption_algs", OPTION_LIST, "['ecc', 'rsa']",
                   "Key types that an agent may use."),
     .check = check_encryption},
    {TENANT_OPTION("accept_tpm_signing_algs", OPTION_LIST, "['rsassa', 'rsapss', 'ecdsa']",
                   "Signature schemes that an agent may use."),
     .check = check_signing},
    {TENANT_OPTION("exponential_backoff", OPTION_BOOL, "True",
                   "Whether the wait between tries grows exponentially.")},
    {TENANT_OPTION("retry_interval", OPTION_REAL, "2", "Seconds, or the base of the growth."),
     .minimum = 0, .maximum = 3600},
    {TENANT_OPTION("max_retries", OPTION_INT, "5", "Tries before giving up."), .minimum = 0,
     .maximum = 1000},
    {TENANT_OPTION("request_timeout", OPTION_REAL, "60", "Seconds to wait for a server."),
     .minimum = 0.1, .maximum = 86400},
    {TENANT_OPTION("enable_agent_mtls", OPTION_BOOL, "True", "Pull model."), .dead = true},
    {TENANT_OPTION("max_payload_size", OPTION_INT, "1048576", "Pull model."), .dead = true},
    {TENANT_OPTION("mb_refstate", OPTION_TEXT, "",
                   "File with the measured boot policy that --mb-policy default means.")},
    {0},
};

const ConfigSchema tenant_schema = {
    .component = "tenant",
    .format = CONFIG_INI,
    .options = options,
    .program = "keylime_tenant",
    .summary = "Enrol, watch and remove the agents of a Keylime verifier in push mode.",
};
