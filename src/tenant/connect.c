/* SPDX-License-Identifier: Apache-2.0 */
/* From options to both servers. */
#define LOG_NAME "keylime.tenant"
#include "base/log.h"
#include "tenant/commands.h"

static Server *server_of(const Tenant *tenant, const char *kind, GError **error)
{
    const Config *config = tenant->config;
    g_autofree char *host_option = g_strdup_printf("%s_ip", kind);
    g_autofree char *port_option = g_strdup_printf("%s_port", kind);
    g_autofree char *port =
        g_strdup_printf("%" G_GINT64_FORMAT, config_int(config, NULL, port_option));
    ServerSettings settings = {
        .kind = kind,
        .host = config_text(config, NULL, host_option),
        .port = port,
        .tls = tenant->tls,
        .check_hostnames = config_bool(config, NULL, "tls_check_hostnames"),
        .timeout = config_real(config, NULL, "request_timeout"),
    };
    return server_new(&settings, error);
}

static bool connect_servers(Tenant *tenant, GError **error)
{
    log_info("Setting up client TLS...");
    tenant->tls = tls_client_files(tenant->config, "tenant", error);
    if (!tenant->tls)
        return false;
    if (tenant->tls->trust_all)
        log_warning(
            "trusted_server_ca = all: the servers' certificates are not checked, anybody may "
            "answer in their place");
    log_info("TLS is enabled.");
    tenant->verifier = server_of(tenant, "verifier", error);
    tenant->registrar = tenant->verifier ? server_of(tenant, "registrar", error) : NULL;
    return tenant->registrar != NULL;
}

bool tenant_connect(Tenant *tenant, GError **error)
{
    g_autoptr(GError) reason = NULL;
    if (connect_servers(tenant, &reason))
        return true;
    g_set_error(error, reason->domain, reason->code,
                "%s. Files of a client come from the servers' CA: keylime_ca -c bundle --for "
                "tenant",
                reason->message);
    return false;
}
