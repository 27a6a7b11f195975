/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keylime_registrar: its table of contents. Start, serve, reload, drain, stop
 * (configuration-and-operations §12; decisions D30, D113).
 */
#define LOG_NAME "keylime.registrar"
#include "base/daemon.h"
#include "base/log.h"
#include "config/command_line.h"
#include "config/logging.h"
#include "pki/tls.h"
#include "registrar/rate_limit.h"
#include "registrar/registrar.h"

#include <arpa/inet.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMPONENT "registrar"
#define DATABASE_FILE "registrar.sqlite"
/* Requests that wait for a worker; beyond, 503 tells agents to come again. */
#define QUEUE_LIMIT 1024
#define IDLE_SECONDS 120

typedef struct {
    Config *config;
    Registrar registrar;
    TlsFiles *tls_files; /* NULL without an HTTPS listener */
    HttpServer *server;
} Program;

static bool open_database(Program *program, GError **error)
{
    const Config *config = program->config;
    DatabaseSettings settings = {
        .url = config_text(config, NULL, "database_url"),
        .directory = config_work_dir(),
        .file_name = DATABASE_FILE,
        .max_connections = program->registrar.settings.database_connections,
        .migrate = config_bool(config, NULL, "auto_migrate_db"),
        .migrations = registrar_migrations,
    };
    program->registrar.database = database_open(&settings, error);
    if (program->registrar.database)
        log_info("Database: %s", database_description(program->registrar.database));
    return program->registrar.database != NULL;
}

/* What stands behind the handlers. */
static bool open_parts(Program *program, GError **error)
{
    Registrar *registrar = &program->registrar;
    if (!registrar_settings_read(program->config, &registrar->settings, error))
        return false;
    if (registrar->settings.ek_cert_check == EK_CHECK_OFF)
        log_warning("EK certificates are not checked (ek_cert_check = off)");
    registrar->trust = tpm_trust_new(registrar->settings.tpm_cert_store);
    registrar->rate_limit = rate_limit_new(registrar->settings.register_rate_limit_per_ip);
    return open_database(program, error);
}

static bool make_server(Program *program, GError **error)
{
    const Config *config = program->config;
    const RegistrarSettings *settings = &program->registrar.settings;
    HttpServerSettings server = {
        .routes = registrar_routes,
        .context = &program->registrar,
        .io_threads = settings->io_threads,
        .workers = settings->workers,
        .queue_limit = QUEUE_LIMIT,
        .max_body = settings->max_upload_size,
        .max_body_option = "max_upload_size",
        .idle_seconds = IDLE_SECONDS,
        .admin_names = config_list(config, NULL, "admin_certificate_names"),
        .restrict_admin_names = config_bool(config, NULL, "restrict_admin_names"),
        .trusted_proxies = config_list(config, NULL, "trusted_proxies"),
        .drain_seconds = settings->drain_seconds,
    };
    program->server = http_server_new(&server, error);
    return program->server != NULL;
}

static bool listen_plain(Program *program, GError **error)
{
    const RegistrarSettings *settings = &program->registrar.settings;
    return settings->port == 0 ||
           http_server_listen(program->server, settings->ip, settings->port, NULL, NULL, error);
}

static bool listen_tls(Program *program, GError **error)
{
    const RegistrarSettings *settings = &program->registrar.settings;
    if (settings->tls_port == 0)
        return true;
    program->tls_files = tls_server_files(program->config, COMPONENT, error);
    SSL_CTX *tls = program->tls_files ? tls_server_context(program->tls_files, error) : NULL;
    bool listening = tls && http_server_listen(program->server, settings->ip, settings->tls_port,
                                               tls, NULL, error);
    SSL_CTX_free(tls);
    return listening;
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

/* The words that operators' scripts look for (configuration-and-operations §7.2). */
static void tell_listeners(const RegistrarSettings *settings)
{
    g_autofree char *both = g_strdup_printf("%u/%u (HTTP/S)", settings->port, settings->tls_port);
    g_autofree char *plain = g_strdup_printf("%u (HTTP)", settings->port);
    g_autofree char *tls = g_strdup_printf("%u (HTTPS)", settings->tls_port);
    const char *listeners = settings->tls_port == 0 ? plain : settings->port == 0 ? tls : both;
    log_write("keylime.web", LOG_LEVEL_INFO, "Listening on %s:%s with %u worker processes...",
              settings->ip, listeners, settings->workers);
    if (is_loopback(settings->ip))
        log_info("Only agents of this machine can connect: option ip is %s (0.0.0.0 or :: serves "
                 "others)",
                 settings->ip);
}

static bool listen_and_serve(Program *program, GError **error)
{
    const RegistrarSettings *settings = &program->registrar.settings;
    if (settings->port == 0 && settings->tls_port == 0) {
        g_set_error_literal(error, CONFIG_ERROR, CONFIG_ERROR_VALUE,
                            "port and tls_port are both 0: one of them must be set");
        return false;
    }
    if (!listen_tls(program, error) || !listen_plain(program, error) ||
        !http_server_start(program->server, error))
        return false;
    tell_listeners(settings);
    return true;
}

static bool start(Program *program, GError **error)
{
    log_info("Starting Keylime registrar...");
    log_info("Current API version: 2.6");
    log_info("Other supported API versions: 2.0, 2.1, 2.2, 2.3, 2.4, 2.5, 3.0");
    return open_parts(program, error) && make_server(program, error) &&
           listen_and_serve(program, error);
}

/* New certificates for new connections; those that are open go on (decision D113). */
static void reload_certificates(Program *program)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(TlsFiles) files = tls_server_files(program->config, COMPONENT, &error);
    SSL_CTX *tls = files ? tls_server_context(files, &error) : NULL;
    if (!tls) {
        log_error("Kept the present certificate: %s", error->message);
        return;
    }
    http_server_replace_tls(program->server, tls);
    SSL_CTX_free(tls);
    log_info("Reloaded certificates");
}

static void reload(gpointer context)
{
    Program *program = context;
    g_autoptr(GError) error = NULL;
    if (!logging_reload(COMPONENT, &error))
        log_error("Kept the present log level: %s", error->message);
    if (program->tls_files)
        reload_certificates(program);
}

/* Backwards; parts that never started are NULL. */
static void stop(Program *program)
{
    Registrar *registrar = &program->registrar;
    if (program->server)
        http_server_stop(program->server);
    http_server_free(program->server);
    database_close(registrar->database);
    rate_limit_free(registrar->rate_limit);
    tpm_trust_free(registrar->trust);
    registrar_settings_clear(&registrar->settings);
    tls_files_free(program->tls_files);
    config_free(program->config);
}

int main(int argc, char **argv)
{
    int status = 0;
    Program program = {0};
    g_autoptr(GError) error = NULL;
    umask(077);
    program.config = command_line_start(&registrar_schema, argc, argv, &status);
    if (!program.config)
        return status;
    daemon_block_signals();
    if (logging_start(COMPONENT, &error) && start(&program, &error)) {
        DaemonHooks hooks = {.reload = reload, .context = &program};
        daemon_ready("Serving registrations");
        status = daemon_run(&hooks) < 0 ? 1 : 0;
    } else {
        log_error("%s", error ? error->message : "The registrar cannot start");
        status = 1;
    }
    stop(&program);
    return status;
}
