/* SPDX-License-Identifier: Apache-2.0 */
/* keylime_tenant: parse, load, connect, run one command. */
#define LOG_NAME "keylime.tenant"
#include "base/identifier.h"
#include "base/log.h"
#include "config/check_config.h"
#include "tenant/commands.h"
#include "tenant/options.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Upstream's example id, the default of -u. */
#define DEFAULT_AGENT_ID "d432fbb3-d2f1-4a97-9ef7-75bd81c00000"

static const TenantCommand *find_command(const char *name)
{
    for (const TenantCommand *command = tenant_commands; command->name; command++)
        if (strcmp(command->name, name) == 0)
            return command;
    return NULL;
}

static Server *connect_server(const Config *config, const TlsFiles *tls, const char *kind,
                              GError **error)
{
    g_autofree char *host_option = g_strdup_printf("%s_ip", kind);
    g_autofree char *port_option = g_strdup_printf("%s_port", kind);
    g_autofree char *port =
        g_strdup_printf("%" G_GINT64_FORMAT, config_int(config, NULL, port_option));
    ServerSettings settings = {
        .kind = kind,
        .host = config_text(config, NULL, host_option),
        .port = port,
        .tls = tls,
        .check_hostnames = config_bool(config, NULL, "tls_check_hostnames"),
        .timeout = config_real(config, NULL, "request_timeout"),
    };
    return server_new(&settings, error);
}

static bool run_command(const Config *config, const Arguments *arguments,
                        const TenantCommand *command, GError **error)
{
    log_info("Setting up client TLS...");
    g_autoptr(TlsFiles) tls = tls_client_files(config, "tenant", error);
    if (!tls)
        return false;
    if (tls->trust_all)
        log_warning(
            "trusted_server_ca = all: the servers' certificates are not checked, anybody may "
            "answer in their place");
    log_info("TLS is enabled.");
    g_autoptr(Server) verifier = connect_server(config, tls, "verifier", error);
    g_autoptr(Server) registrar = verifier ? connect_server(config, tls, "registrar", error) : NULL;
    if (!registrar)
        return false;
    if (!arguments->agent_id && command->about_one_agent)
        log_warning("Using default UUID %s", DEFAULT_AGENT_ID);
    Tenant tenant = {
        .config = config,
        .arguments = arguments,
        .agent_id = arguments->agent_id ? arguments->agent_id : DEFAULT_AGENT_ID,
        .verifier = verifier,
        .registrar = registrar,
    };
    if (!agent_id_is_valid(tenant.agent_id))
        return tenant_fail(error,
                           "The agent ID set via agent uuid parameter use invalid characters");
    return command->run(&tenant, error);
}

/* What the command line says about options of tenant.conf: `out` has room for all and ends. */
static void overrides_of(const Arguments *arguments, ConfigOverride *out)
{
    const ConfigOverride given[] = {
        {"verifier_ip", arguments->verifier_host, "--cv"},
        {"verifier_port", arguments->verifier_port, "--cvport"},
        {"registrar_ip", arguments->registrar_host, "--registrarhost"},
        {"registrar_port", arguments->registrar_port, "--registrarport"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(given); i++)
        if (given[i].value)
            *out++ = given[i];
}

static int usage_error(const GError *error)
{
    fprintf(stderr, "keylime_tenant: %s\nkeylime_tenant --help shows all options\n",
            error->message);
    return 2;
}

int main(int argc, char **argv)
{
    Arguments arguments;
    g_autoptr(GError) error = NULL;
    if (!arguments_parse(argc, argv, &arguments, &error))
        return usage_error(error);
    if (arguments.help) {
        arguments_print_help(stdout);
        return 0;
    }
    if (arguments.version) {
        printf("keylime_tenant %s\nAPI versions: 2.0-2.6, 3.0\n", KEYLIME_VERSION);
        return 0;
    }
    if (arguments.example_config) {
        config_print_example(&tenant_schema, stdout);
        return 0;
    }
    ConfigOverride overrides[5] = {0};
    overrides_of(&arguments, overrides);
    if (arguments.check_config)
        return check_config(&tenant_schema, overrides, arguments.json, argv[0]);
    if (!arguments_check(&arguments, &error))
        return usage_error(error);
    log_open(arguments.json ? STDERR_FILENO : STDOUT_FILENO, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    g_autoptr(Config) config = config_load(&tenant_schema, overrides, &error);
    if (!config)
        return check_config_complain(error, argv[0]);
    const TenantCommand *command = find_command(arguments.command);
    if (!command) {
        log_error("Invalid command specified: %s", arguments.command);
        return 1;
    }
    if (!run_command(config, &arguments, command, &error)) {
        log_error("%s", error->message);
        return 1;
    }
    return 0;
}
