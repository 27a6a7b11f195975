/* SPDX-License-Identifier: Apache-2.0 */
/* keylime_tenant: parse, load, connect, run one command. */
#define LOG_NAME "keylime.tenant"
#include "base/identifier.h"
#include "base/log.h"
#include "config/check_config.h"
#include "config/logging.h"
#include "pki/certificate.h"
#include "pki/pem_file.h"
#include "tenant/commands.h"
#include "tenant/options.h"

#include <stdio.h>
#include <unistd.h>

#define STATUS_FAILED 1
#define STATUS_USAGE 2

static int complain(const char *message, int status)
{
    fprintf(stderr, "keylime_tenant: %s\n", message);
    return status;
}

/* Before anything could be done: a wrong command line, or configuration. */
static int refuse(bool json, const char *message, int status)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Json) document = json_object_new_object();
    json_add(document, "error", tool_json_error(message, status));
    if (json && !tool_print_json(document, &error))
        return complain(error->message, status);
    return status;
}

static int usage_error(bool json, const GError *error)
{
    complain(error->message, STATUS_USAGE);
    fputs("keylime_tenant --help shows all options\n", stderr);
    return refuse(json, error->message, STATUS_USAGE);
}

static void warn_of_useless_options(const Arguments *arguments, const TenantCommand *command)
{
    g_autofree char *names = tool_useless_options(arguments_options, command->tool.name, arguments);
    if (names)
        log_warning("%s: no effect with %s", names, command->tool.name);
}

/* The servers will say no more of an expired certificate than that they do not like it. */
static bool connect_as_usual(Tenant *tenant, GError **error)
{
    if (!tenant_connect(tenant, error))
        return false;
    g_autoptr(X509) certificate = pem_file_certificate(tenant->tls->certificate, NULL);
    if (certificate)
        certificate_warn_expiry(certificate, tenant->tls->certificate);
    return true;
}

static bool run_command(Tenant *tenant, const TenantCommand *command, GError **error)
{
    warn_of_useless_options(tenant->arguments, command);
    if (!command->connects_by_itself && !connect_as_usual(tenant, error))
        return false;
    if (!tenant->arguments->agent_id && command->about_one_agent)
        log_warning("Using default UUID %s", tenant->agent_id);
    if (!agent_id_is_valid(tenant->agent_id))
        return tenant_fail(error,
                           "The agent ID set via agent uuid parameter use invalid characters");
    return command->run(tenant, error);
}

static bool run(Tenant *tenant, GError **error)
{
    const TenantCommand *command = tenant_find_command(tenant->arguments->command);
    if (!command)
        return tenant_fail(error, "Invalid command specified: %s", tenant->arguments->command);
    return run_command(tenant, command, error);
}

/* What is known, and the error beside it. */
static Json *document_of(const Tenant *tenant, const GError *failure)
{
    Json *document = tenant->result ? json_object_get(tenant->result) : json_object_new_object();
    if (!failure)
        return document;
    Json *error = tool_json_error(failure->message, STATUS_FAILED);
    if (tenant->refusal)
        json_add(error, "answer", json_object_get(tenant->refusal));
    if (tenant->advice)
        json_add_text(error, "advice", tenant->advice);
    json_add(document, "error", error);
    return document;
}

/* The results were lines of the log, or are printed now. False: they are lost. */
static bool print_result(const Tenant *tenant, const GError *failure, GError **error)
{
    g_autoptr(Json) document = document_of(tenant, failure);
    if (tenant->arguments->json)
        return tool_print_json(document, error);
    int lost = log_output_error();
    return (lost == 0 || tenant_fail(error, "standard output: %s", g_strerror(lost))) &&
           tool_end_output(error);
}

static int work(const Config *config, const Arguments *arguments)
{
    const char *given = arguments->agent_id;
    g_auto(Tenant) tenant = {.config = config,
                             .arguments = arguments,
                             .agent_id = given ? given : ARGUMENTS_DEFAULT_AGENT_ID};
    g_autoptr(GError) failure = NULL;
    g_autoptr(GError) lost = NULL;
    bool good = run(&tenant, &failure);
    if (!good)
        log_error("%s", failure->message);
    if (!good && tenant.advice)
        log_info("%s", tenant.advice);
    if (!print_result(&tenant, failure, &lost))
        return complain(lost->message, STATUS_FAILED);
    return good ? 0 : STATUS_FAILED;
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

/* Whether the command line asks for a text only; it is now printed. */
static bool answer(const Arguments *arguments)
{
    if (arguments->help)
        tool_print_help(&tenant_tool, tool_find_command(&tenant_tool, arguments->command), stdout);
    else if (arguments->version)
        printf("keylime_tenant %s\nAPI versions: 2.0-2.6, 3.0\n", KEYLIME_VERSION);
    else if (arguments->example_config)
        config_print_example(&tenant_schema, stdout);
    return arguments->help || arguments->version || arguments->example_config;
}

int main(int argc, char **argv)
{
    Arguments arguments;
    g_autoptr(GError) error = NULL;
    if (!arguments_parse(argc, argv, &arguments, &error))
        return usage_error(tool_wants_json(argc, argv), error);
    if (answer(&arguments))
        return 0;
    if (!arguments.command)
        arguments.command = "add";
    ConfigOverride overrides[5] = {0};
    overrides_of(&arguments, overrides);
    if (arguments.check_config)
        return check_config(&tenant_schema, overrides, arguments.json, argv[0]);
    if (!arguments_check(&arguments, &error))
        return usage_error(arguments.json, error);
    bool json = arguments.json;
    bool logging = logging_start(json ? STDERR_FILENO : STDOUT_FILENO, json, &error);
    g_autoptr(Config) config = logging ? config_load(&tenant_schema, overrides, &error) : NULL;
    if (!config)
        return refuse(arguments.json, error->message, check_config_complain(error, argv[0]));
    return work(config, &arguments);
}
