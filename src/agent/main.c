/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keylime_push_model_agent: options, settings, what needs root, privileges, TPM and identity,
 * states. Exit status: 0 = help, version, SIGTERM, SIGINT; 1 = cannot start or go on; 2 = usage
 * (D93).
 */
#define LOG_NAME "keylime.agent"

#include "agent/agent.h"
#include "agent/options.h"
#include "agent/privileges.h"
#include "base/log.h"
#include "config/command_line.h"

#include <errno.h>
#include <unistd.h>

static Peer verifier_of(const AgentSettings *settings, Waiter *waiter)
{
    return (Peer){
        .names = {.server = "verifier",
                  .url_option = "verifier_url",
                  .ca_file = settings->verifier_ca,
                  .ca_option = "verifier_tls_ca_cert"},
        .verify_host_names = settings->verify_host_names,
        .timeout_ms = settings->timeout_ms,
        .backoff = &settings->backoff,
        .waiter = waiter,
    };
}

static Peer registrar_of(const AgentSettings *settings, Waiter *waiter)
{
    return (Peer){
        .names = {.server = "registrar",
                  .url_option = "registrar_ip and registrar_port (or --registrar-url)",
                  .ca_file = settings->registrar_ca,
                  .ca_option = "registrar_tls_ca_cert"},
        .verify_host_names = settings->registrar.tls,
        .timeout_ms = settings->timeout_ms,
        .backoff = &settings->backoff,
        .waiter = waiter,
    };
}

static bool check_writable(const char *directory, GError **error)
{
    if (access(directory, W_OK | X_OK) == 0)
        return true;
    g_set_error(error, SETTINGS_ERROR, SETTINGS_ERROR_REFUSED,
                "[agent] keylime_dir: %s: %s: the user of run_as must be able to write there",
                directory, g_strerror(errno));
    return false;
}

static int run(const AgentSettings *settings, GError **error)
{
    g_autoptr(Waiter) waiter = waiter_new(error);
    if (!waiter)
        return 1;
    Agent agent = {.settings = settings,
                   .waiter = waiter,
                   .verifier = verifier_of(settings, waiter),
                   .registrar = registrar_of(settings, waiter)};
    log_info("Verifier: %s, registrar: %s", settings->verifier.origin, settings->registrar.origin);
    agent_open_files(&agent);
    int status = 1;
    if (peer_open(&agent.verifier, error) && peer_open(&agent.registrar, error) &&
        privileges_drop(settings->run_as, error) && check_writable(settings->keylime_dir, error) &&
        agent_open(&agent, error))
        status = agent_run(&agent);
    agent_close(&agent);
    return status;
}

int main(int argc, char **argv)
{
    int status = 0;
    g_autoptr(Config) config = command_line_start(&agent_schema, argc, argv, &status);
    if (!config)
        return status;
    privileges_restrict();
    /* tpm2-tss writes its own lines to stderr; the agent reports each failure in words. */
    g_setenv("TSS2_LOG", "all+NONE", FALSE);
    g_autoptr(GError) error = NULL;
    g_autoptr(AgentSettings) settings = settings_new(config, &error);
    status = settings ? run(settings, &error) : 1;
    if (error)
        log_error("%s", error->message);
    return status;
}
