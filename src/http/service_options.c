/* SPDX-License-Identifier: Apache-2.0 */
#include "http/service_options.h"

#include "http/peer.h"
#include "pki/tls.h"

const char *const service_authorization_providers[] = {"simple", NULL};
const char *const service_store_formats[] = {"json", "pickle", NULL};
const char *const service_store_encodings[] = {"", "base64", NULL};

const char *service_check_not_empty(const char *value)
{
    return *value ? NULL : "must not be empty";
}

/* Whoever trusts every client has no administrators but the whole world (decision D100). */
const char *service_check_client_ca(const char *value)
{
    return g_ascii_strcasecmp(value, "all") == 0
               ? "must be default or a list of files: all would trust anybody's certificate"
               : NULL;
}

const char *service_check_proxy(const char *value)
{
    return peer_is_address(value) ? NULL
                                  : "must be IPv4 or IPv6 addresses, without a port or a network's"
                                    " length";
}

const char *service_check_no_plug_in(const char *value)
{
    return *value ? "must be empty: durable attestation plug-ins are not provided" : NULL;
}

void service_check(const Config *config, const char *component, bool tls, GPtrArray *problems)
{
    if (config_bool(config, NULL, "restrict_admin_names") &&
        !config_list(config, NULL, "admin_certificate_names")[0])
        config_add_problem(config, problems, NULL, "restrict_admin_names",
                           "nobody could administer this server: admin_certificate_names is empty");
    if (tls)
        tls_check_server(config, component, problems);
}
