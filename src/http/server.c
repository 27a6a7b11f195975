/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.web"
#include "http/server.h"

#include "base/log.h"
#include "http/loop.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>

/* More than a verifier of 100,000 agents at a 60 s interval keeps open at a time. */
#define CONNECTIONS_MAX 10000
/* Descriptors for everything else: databases, logs, event loops, certificates being loaded. */
#define DESCRIPTORS_KEPT 256
#define IDLE_SECONDS_DEFAULT 120
#define REJECTION_LOG_INTERVAL (60 * G_TIME_SPAN_SECOND)
/* Addresses remembered for that; then all are forgotten together. */
#define REJECTION_PEERS_MAX 1024

G_DEFINE_QUARK(http - server - error - quark, http_server_error)

struct HttpServer {
    HttpServerSettings settings;
    Gate gate;
    GPtrArray *listeners; /* of Listener */
    GPtrArray *loops;     /* of Loop */
    WorkerPool *pool;
    GMutex lock;            /* for `rejections` */
    GHashTable *rejections; /* peer -> monotonic time of its last line (gint64 *) */
};

HttpServer *http_server_new(const HttpServerSettings *settings, GError **error)
{
    if (!settings->routes || settings->io_threads == 0 || settings->workers == 0 ||
        settings->queue_limit == 0) {
        g_set_error_literal(error, HTTP_SERVER_ERROR, HTTP_SERVER_ERROR_SETTINGS,
                            "a server needs routes, I/O threads, workers and a queue");
        return NULL;
    }
    HttpServer *server = g_new0(HttpServer, 1);
    server->settings = *settings;
    if (server->settings.idle_seconds == 0)
        server->settings.idle_seconds = IDLE_SECONDS_DEFAULT;
    server->gate = (Gate){.settings = &server->settings, .router = router_new(settings->routes)};
    server->listeners = g_ptr_array_new_with_free_func((GDestroyNotify)listener_free);
    server->loops = g_ptr_array_new_with_free_func((GDestroyNotify)loop_free);
    g_mutex_init(&server->lock);
    server->rejections = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return server;
}

/* So that a client's session can be resumed: OpenSSL refuses resumption to servers that ask for
 * certificates and name no context. */
static void name_session_context(SSL_CTX *tls)
{
    static const unsigned char name[] = "keylime";
    SSL_CTX_set_session_id_context(tls, name, sizeof name - 1);
}

bool http_server_listen(HttpServer *server, const char *address, unsigned port, SSL_CTX *tls,
                        unsigned *bound_port, GError **error)
{
    if (tls)
        name_session_context(tls);
    Listener *listener = listener_open(address, port, server->settings.io_threads, tls, error);
    if (!listener)
        return false;
    g_ptr_array_add(server->listeners, listener);
    if (bound_port)
        *bound_port = listener->port;
    return true;
}

static void serve(gpointer item, gpointer context)
{
    HttpServer *server = context;
    exchange_serve(item, &server->gate);
    loop_hand_back(item);
}

static const char *alert_text(int alert)
{
    switch (alert) {
    case SSL_AD_UNKNOWN_CA:
        return "unknown ca";
    case SSL_AD_BAD_CERTIFICATE:
        return "bad certificate";
    case SSL_AD_CERTIFICATE_EXPIRED:
        return "certificate expired";
    case SSL_AD_CERTIFICATE_UNKNOWN:
        return "certificate unknown";
    default:
        return NULL;
    }
}

/* True at most once a minute for an address (contract C111). */
static bool may_log_rejection(HttpServer *server, const char *peer)
{
    gint64 now = g_get_monotonic_time();
    g_mutex_lock(&server->lock);
    gint64 *last = g_hash_table_lookup(server->rejections, peer);
    bool may = !last || now - *last >= REJECTION_LOG_INTERVAL;
    if (may) {
        if (g_hash_table_size(server->rejections) >= REJECTION_PEERS_MAX)
            g_hash_table_remove_all(server->rejections);
        g_hash_table_insert(server->rejections, g_strdup(peer), g_memdup2(&now, sizeof now));
    }
    g_mutex_unlock(&server->lock);
    return may;
}

static void on_rejected(gpointer context, const char *peer, int alert)
{
    const char *text = alert_text(alert);
    if (text && may_log_rejection(context, peer))
        log_warning("peer %s rejected our certificate (%s)", peer, text);
}

/*
 * How many connections may be open at a time. The soft limit of descriptors is 1024 by custom, for
 * programs that use select(): it is raised, and where the administrator does not allow so many, the
 * connections are fewer, so that a crowd of clients takes no descriptor from the database.
 */
static unsigned connections_max(void)
{
    const rlim_t wanted = CONNECTIONS_MAX + DESCRIPTORS_KEPT;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return CONNECTIONS_MAX;
    if (limit.rlim_cur < wanted) {
        struct rlimit raised = {MIN(wanted, limit.rlim_max), limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
            limit = raised;
    }
    if (limit.rlim_cur >= wanted)
        return CONNECTIONS_MAX;
    unsigned available = (unsigned)limit.rlim_cur;
    unsigned result = available - MIN(DESCRIPTORS_KEPT, available / 2);
    log_warning("The limit of open files, %u, allows %u connections at a time", available, result);
    return result;
}

static bool add_loop(HttpServer *server, unsigned index, unsigned connections, GError **error)
{
    LoopSettings settings = {
        .gate = &server->gate,
        .pool = server->pool,
        .listeners = (Listener *const *)server->listeners->pdata,
        .listener_count = server->listeners->len,
        .index = index,
        .connection_limit = MAX(1, connections / server->settings.io_threads),
        .context = server,
        .rejected = on_rejected,
    };
    Loop *loop = loop_new(&settings, error);
    if (!loop)
        return false;
    g_ptr_array_add(server->loops, loop);
    return true;
}

static bool start_threads(HttpServer *server, GError **error)
{
    server->pool =
        worker_pool_new(server->settings.workers, server->settings.queue_limit, serve, server);
    unsigned connections = connections_max();
    for (unsigned i = 0; i < server->settings.io_threads; i++) {
        if (!add_loop(server, i, connections, error))
            return false;
    }
    for (guint i = 0; i < server->loops->len; i++) {
        if (!loop_start(g_ptr_array_index(server->loops, i), error))
            return false;
    }
    return true;
}

bool http_server_start(HttpServer *server, GError **error)
{
    /* Signals are for the program's main thread; SIGPIPE is for nobody (OpenSSL writes without
     * MSG_NOSIGNAL). */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    bool started = start_threads(server, error);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!started)
        http_server_stop(server);
    return started;
}

void http_server_replace_tls(HttpServer *server, SSL_CTX *tls)
{
    name_session_context(tls);
    for (guint i = 0; i < server->listeners->len; i++) {
        Listener *listener = g_ptr_array_index(server->listeners, i);
        if (listener->encrypted)
            listener_replace_tls(listener, tls);
    }
}

bool http_server_turns(HttpServer *server)
{
    bool all = true;
    for (guint i = 0; i < server->loops->len; i++)
        all = loop_turns(g_ptr_array_index(server->loops, i)) && all;
    return all;
}

void http_server_stop(HttpServer *server)
{
    for (guint i = 0; i < server->loops->len; i++)
        loop_stop(g_ptr_array_index(server->loops, i));
    for (guint i = 0; i < server->loops->len; i++)
        loop_join(g_ptr_array_index(server->loops, i));
    if (server->pool) {
        worker_pool_stop(server->pool, (GDestroyNotify)exchange_free);
        g_clear_pointer(&server->pool, worker_pool_free);
    }
    /* After the workers: their last answers go to loops that are not there any more. */
    g_ptr_array_set_size(server->loops, 0);
    g_ptr_array_set_size(server->listeners, 0);
}

void http_server_free(HttpServer *server)
{
    if (!server)
        return;
    http_server_stop(server);
    g_ptr_array_unref(server->loops);
    g_ptr_array_unref(server->listeners);
    router_free(server->gate.router);
    g_hash_table_unref(server->rejections);
    g_mutex_clear(&server->lock);
    g_free(server);
}
