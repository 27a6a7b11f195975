/* SPDX-License-Identifier: Apache-2.0 */
#include "http/service.h"

#define LOG_NAME "keylime.web"
#include "base/daemon.h"
#include "base/log.h"
#include "config/command_line.h"
#include "config/logging.h"
#include "http/peer.h"
#include "pki/tls_watch.h"

#include <malloc.h>
#include <math.h>
#include <sys/stat.h>

/* Requests that wait for a worker; beyond, 503 tells clients to come again. */
#define QUEUE_LIMIT 1024
/* A handler blocks on its database connection while others can work: more threads than CPUs. */
#define WORKERS_PER_IO_THREAD 4

/* Bytes from which memory is a mapping of its own. */
#define MMAP_THRESHOLD (512 * 1024)

typedef struct {
    const Service *service;
    char *log_name; /* "keylime.verifier": scripts look for it beside the greeting */
    Config *config;
    TlsWatch *certificates; /* NULL without an HTTPS listener */
    HttpServer *server;
    unsigned workers;
    DaemonHooks hooks;
} Life;

/* --- listeners ------------------------------------------------------------------------------- */

static unsigned number_of(const Life *life, const char *option)
{
    return option ? (unsigned)config_int(life->config, NULL, option) : 0;
}

/* The words that operators' scripts look for (configuration-and-operations §7.2). */
static void tell_listeners(const Life *life, unsigned plain_port, unsigned tls_port)
{
    const char *ip = config_text(life->config, NULL, "ip");
    g_autofree char *both = g_strdup_printf("%u/%u (HTTP/S)", plain_port, tls_port);
    g_autofree char *plain = g_strdup_printf("%u (HTTP)", plain_port);
    g_autofree char *tls = g_strdup_printf("%u (HTTPS)", tls_port);
    log_info("Listening on %s:%s with %u worker processes...", ip,
             tls_port == 0     ? plain
             : plain_port == 0 ? tls
                               : both,
             life->workers);
    if (peer_is_loopback(ip))
        log_info("Only agents of this machine can connect: option ip is %s (0.0.0.0 or :: serves"
                 " others)",
                 ip);
}

static bool listen_on(Life *life, unsigned port, SSL_CTX *tls, GError **error)
{
    return port == 0 || http_server_listen(life->server, config_text(life->config, NULL, "ip"),
                                           port, tls, NULL, error);
}

static bool listen_and_serve(Life *life, GError **error)
{
    unsigned plain_port = number_of(life, life->service->plain_port);
    unsigned tls_port = number_of(life, life->service->tls_port);
    SSL_CTX *tls = life->certificates ? tls_watch_load(life->certificates, error) : NULL;
    bool serving = (tls || tls_port == 0) && listen_on(life, tls_port, tls, error) &&
                   listen_on(life, plain_port, NULL, error) &&
                   http_server_start(life->server, error);
    SSL_CTX_free(tls);
    if (serving)
        tell_listeners(life, plain_port, tls_port);
    return serving;
}

/* --- start ----------------------------------------------------------------------------------- */

static bool find_certificates(Life *life, GError **error)
{
    const Service *service = life->service;
    if (number_of(life, service->tls_port) > 0) {
        life->certificates = tls_watch_new(life->config, service->schema->component, error);
        return life->certificates != NULL;
    }
    return true;
}

/* max_workers caps one I/O thread for each CPU; 0 is no cap (configuration-and-operations §3.1). */
static unsigned io_threads_of(const Config *config)
{
    unsigned cap = (unsigned)config_int(config, NULL, "max_workers");
    unsigned processors = g_get_num_processors();
    return cap > 0 && cap < processors ? cap : processors;
}

static bool make_server(Life *life, GError **error)
{
    const Service *service = life->service;
    const Config *config = life->config;
    unsigned io_threads = io_threads_of(config);
    life->workers = io_threads * WORKERS_PER_IO_THREAD;
    HttpServerSettings settings = {
        .routes = service->routes,
        .v3_as_v2 = service->v3_as_v2,
        .context = service->context,
        .token_check = service->token_check,
        .open = service->is_open && service->is_open(service->context),
        .io_threads = io_threads,
        .workers = life->workers,
        .queue_limit = QUEUE_LIMIT,
        .max_body = (size_t)config_int(config, NULL, "max_upload_size"),
        .max_body_option = "max_upload_size",
        .idle_seconds = service->idle_seconds ? service->idle_seconds(service->context) : 0,
        .admin_names = config_list(config, NULL, "admin_certificate_names"),
        .restrict_admin_names = config_bool(config, NULL, "restrict_admin_names"),
        .trusted_proxies = config_list(config, NULL, "trusted_proxies"),
        .drain_seconds = (unsigned)ceil(config_real(config, NULL, "shutdown_drain_timeout")),
    };
    life->server = http_server_new(&settings, error);
    return life->server != NULL;
}

static bool start(Life *life, GError **error)
{
    const Service *service = life->service;
    const char *const lines[] = {service->greeting, "Current API version: 2.6",
                                 "Other supported API versions: 2.0, 2.1, 2.2, 2.3, 2.4, 2.5, 3.0"};
    for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++)
        log_write(life->log_name, LOG_LEVEL_INFO, "%s", lines[i]);
    return find_certificates(life, error) && service->open(service->context, life->config, error) &&
           make_server(life, error) && listen_and_serve(life, error);
}

/* --- while it runs, and the end --------------------------------------------------------------- */

/* New connections get the new ones; those that are open go on. */
static void reload_certificates(Life *life)
{
    g_autoptr(GError) error = NULL;
    SSL_CTX *tls = tls_watch_load(life->certificates, &error);
    if (!tls) {
        log_error("Kept the present certificate: %s", error->message);
        return;
    }
    http_server_replace_tls(life->server, tls);
    SSL_CTX_free(tls);
    log_info("Reloaded certificates");
    life->hooks.tend_seconds = tls_watch_seconds(life->certificates);
}

static void tend_certificates(gpointer context)
{
    Life *life = context;
    if (tls_watch_is_due(life->certificates))
        reload_certificates(life);
}

static void reload(gpointer context)
{
    Life *life = context;
    g_autoptr(GError) error = NULL;
    if (!logging_reload(&error))
        log_error("Kept the present log: %s", error->message);
    if (life->certificates)
        reload_certificates(life);
}

static bool alive(gpointer context)
{
    const Life *life = context;
    if (http_server_turns(life->server))
        return true;
    log_error("An I/O thread hangs: the service manager is not told that the server lives");
    return false;
}

static void watch_over(Life *life)
{
    life->hooks = (DaemonHooks){.reload = reload, .alive = alive, .context = life};
    if (life->certificates) {
        life->hooks.tend = tend_certificates;
        life->hooks.tend_seconds = tls_watch_seconds(life->certificates);
    }
}

/* Backwards; parts that never started are NULL. */
static void stop(Life *life)
{
    http_server_free(life->server);
    life->service->close(life->service->context);
    tls_watch_free(life->certificates);
    config_free(life->config);
    g_free(life->log_name);
}

int service_main(const Service *service, int argc, char **argv)
{
    int status = 0;
    Life life = {.service = service};
    umask(077);
    /* Logs and policies of megabytes come and go: what they took is given back at once, as a
     * threshold that is set does not grow with them. */
    mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
    life.config = command_line_start(service->schema, argc, argv, &status);
    if (!life.config)
        return status;
    life.log_name = g_strconcat("keylime.", service->schema->component, NULL);
    daemon_block_signals();
    g_autoptr(GError) error = NULL;
    if (start(&life, &error)) {
        watch_over(&life);
        daemon_ready(service->status);
        status = daemon_run(&life.hooks) < 0 ? 1 : 0;
    } else {
        log_write(life.log_name, LOG_LEVEL_ERROR, "%s",
                  error ? error->message : "The program cannot start");
        status = 1;
    }
    stop(&life);
    return status;
}
