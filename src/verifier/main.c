/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keylime_verifier: its table of contents. Start, serve, reload, drain, stop
 * (configuration-and-operations §12; decisions D111-D113).
 */
#define LOG_NAME "keylime.verifier"
#include "base/daemon.h"
#include "base/log.h"
#include "config/command_line.h"
#include "config/logging.h"
#include "pki/tls.h"
#include "verifier/appraisal_pool.h"
#include "verifier/liveness.h"
#include "verifier/server_keys.h"
#include "verifier/session_limits.h"
#include "verifier/session_store.h"

#include <arpa/inet.h>
#include <sys/stat.h>

#define DATABASE_FILE "verifier.sqlite"
/* Requests that wait for a worker; beyond, 503 tells agents to come again. */
#define QUEUE_LIMIT 1024
/* A kept-alive connection may be silent for two intervals of its agent, within these bounds. */
#define IDLE_SECONDS_MIN 120
#define IDLE_SECONDS_MAX 3600

typedef struct {
    Config *config;
    Verifier verifier;
    TlsFiles *tls_files;
    HttpServer *server;
} Program;

static bool open_database(Program *program, GError **error)
{
    const Config *config = program->config;
    DatabaseSettings settings = {
        .url = config_text(config, NULL, "database_url"),
        .directory = config_work_dir(),
        .file_name = DATABASE_FILE,
        .max_connections = program->verifier.settings.database_connections,
        .migrate = config_bool(config, NULL, "auto_migrate_db"),
        .migrations = verifier_migrations,
    };
    program->verifier.database = database_open(&settings, error);
    if (!program->verifier.database)
        return false;
    log_info("Database: %s", database_description(program->verifier.database));
    return session_store_purge(program->verifier.database, error);
}

/* What stands behind the handlers, in the order in which one needs the other. */
static bool open_parts(Program *program, GError **error)
{
    Verifier *verifier = &program->verifier;
    verifier->keys = server_keys_open(verifier->database, error);
    if (!verifier->keys)
        return false;
    verifier->limits = session_limits_new(&verifier->settings);
    verifier->appraisals = appraisal_pool_new(verifier, error);
    if (!verifier->appraisals)
        return false;
    verifier->liveness = liveness_start(verifier, error);
    return verifier->liveness != NULL;
}

static bool make_server(Program *program, GError **error)
{
    const Config *config = program->config;
    const VerifierSettings *settings = &program->verifier.settings;
    HttpServerSettings server = {
        .routes = verifier_routes,
        .context = &program->verifier,
        .token_check = session_store_check_token,
        .io_threads = settings->io_threads,
        .workers = settings->workers,
        .queue_limit = QUEUE_LIMIT,
        .max_body = settings->max_upload_size,
        .max_body_option = "max_upload_size",
        .idle_seconds = (unsigned)CLAMP(2 * settings->quote_interval / TIMESTAMP_SECOND,
                                        IDLE_SECONDS_MIN, IDLE_SECONDS_MAX),
        .admin_names = config_list(config, NULL, "admin_certificate_names"),
        .restrict_admin_names = config_bool(config, NULL, "restrict_admin_names"),
        .trusted_proxies = config_list(config, NULL, "trusted_proxies"),
        .drain_seconds = settings->shutdown_drain_timeout,
    };
    program->server = http_server_new(&server, error);
    return program->server != NULL;
}

static bool is_loopback(const char *ip)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, ip, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == IN_LOOPBACKNET;
    if (inet_pton(AF_INET6, ip, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return g_ascii_strcasecmp(ip, "localhost") == 0;
}

static bool listen_and_serve(Program *program, GError **error)
{
    const VerifierSettings *settings = &program->verifier.settings;
    SSL_CTX *tls = tls_server_context(program->tls_files, error);
    if (!tls)
        return false;
    unsigned port = settings->port;
    bool serving =
        http_server_listen(program->server, settings->ip, settings->port, tls, &port, error) &&
        http_server_start(program->server, error);
    SSL_CTX_free(tls);
    if (!serving)
        return false;
    log_write("keylime.web", LOG_LEVEL_INFO,
              "Listening on %s:%u (HTTPS) with %u worker processes...", settings->ip, port,
              settings->workers);
    if (is_loopback(settings->ip))
        log_info("Only agents of this machine can connect: option ip is %s (0.0.0.0 or :: serves"
                 " others)",
                 settings->ip);
    return true;
}

static bool start(Program *program, GError **error)
{
    log_info("Starting Keylime verifier in PUSH mode...");
    log_info("Current API version: 2.6");
    log_info("Other supported API versions: 2.0, 2.1, 2.2, 2.3, 2.4, 2.5, 3.0");
    verifier_settings_read(program->config, &program->verifier.settings);
    verifier_settings_report(program->config);
    program->verifier.config = program->config;
    program->tls_files = tls_server_files(program->config, "verifier", error);
    return program->tls_files && open_database(program, error) && open_parts(program, error) &&
           make_server(program, error) && listen_and_serve(program, error);
}

static void reload_certificates(Program *program)
{
    g_autoptr(GError) error = NULL;
    SSL_CTX *tls = tls_server_context(program->tls_files, &error);
    if (!tls) {
        log_error("Kept the present certificate: %s", error->message);
        return;
    }
    http_server_replace_tls(program->server, tls);
    SSL_CTX_free(tls);
    log_info("Reloaded certificates");
}

/* New certificates for new connections, those that are open go on; and the log's level (decision
 * D113). */
static void reload(gpointer context)
{
    g_autoptr(GError) error = NULL;
    if (!logging_reload(verifier_schema.component, &error))
        log_error("Kept the present log level: %s", error->message);
    reload_certificates(context);
}

/* Backwards; parts that never started are NULL. */
static void stop(Program *program)
{
    Verifier *verifier = &program->verifier;
    if (program->server)
        http_server_stop(program->server);
    liveness_stop(verifier->liveness);
    appraisal_pool_free(verifier->appraisals);
    http_server_free(program->server);
    session_limits_free(verifier->limits);
    server_keys_free(verifier->keys);
    database_close(verifier->database);
    tls_files_free(program->tls_files);
    config_free(program->config);
}

int main(int argc, char **argv)
{
    int status = 0;
    Program program = {0};
    umask(077);
    program.config = command_line_start(&verifier_schema, argc, argv, &status);
    if (!program.config)
        return status;
    daemon_block_signals();
    g_autoptr(GError) error = NULL;
    if (start(&program, &error)) {
        DaemonHooks hooks = {.reload = reload, .context = &program};
        daemon_ready("Serving agents in push mode");
        status = daemon_run(&hooks) < 0 ? 1 : 0;
    } else {
        log_error("%s", error ? error->message : "The verifier cannot start");
        status = 1;
    }
    stop(&program);
    return status;
}
