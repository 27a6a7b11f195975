/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.web"
#include "http/loop.h"

#include "base/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* One TLS record, and a little for plain connections. */
#define SCRATCH_SIZE (32 * 1024)
#define BODY_BUDGET_MIN ((size_t)64 * 1024 * 1024)
/* Connections accepted before others get their turn. */
#define ACCEPT_BATCH 64

typedef struct {
    Loop *loop;
    Listener *listener;
    int fd;
    struct event *event;
} Door;

struct Loop {
    LoopSettings settings;
    ConnectionHost host;
    struct event_base *base;
    GThread *thread;
    Door *doors;
    bool paused;         /* the doors are shut for a moment */
    GQueue connections;  /* of Connection, oldest first */
    struct event *sweep; /* once a second while there are connections */
    bool sweeping;
    struct event *drain;
    int wake; /* eventfd */
    struct event *woken;
    gint stopping;     /* atomic */
    gint asked;        /* atomic: by loop_turns(), until the thread answers */
    GMutex lock;       /* for `answers` */
    Exchange *answers; /* newest first */
};

/* --- answers --------------------------------------------------------------------------------- */

static void wake(Loop *loop)
{
    guint64 one = 1;
    ssize_t written = write(loop->wake, &one, sizeof one);
    (void)written; /* a full counter wakes too */
}

void loop_hand_back(Exchange *exchange)
{
    Loop *loop = exchange->loop;
    g_mutex_lock(&loop->lock);
    bool first = loop->answers == NULL;
    exchange->next = loop->answers;
    loop->answers = exchange;
    g_mutex_unlock(&loop->lock);
    if (first)
        wake(loop);
}

/* In the order in which they came. */
static Exchange *take_answers(Loop *loop)
{
    g_mutex_lock(&loop->lock);
    Exchange *newest = g_steal_pointer(&loop->answers);
    g_mutex_unlock(&loop->lock);
    Exchange *oldest = NULL;
    while (newest) {
        Exchange *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

static void deliver_answers(Loop *loop)
{
    Exchange *next;
    for (Exchange *exchange = take_answers(loop); exchange; exchange = next) {
        next = exchange->next;
        Connection *connection = exchange->connection;
        if (connection)
            connection_answer(connection, exchange);
        else
            exchange_free(exchange);
    }
}

static bool dispatch(gpointer data, Exchange *exchange)
{
    Loop *loop = data;
    exchange->loop = loop;
    return worker_pool_push(loop->settings.pool, exchange);
}

/* --- connections ----------------------------------------------------------------------------- */

static void start_sweeping(Loop *loop)
{
    struct timeval second = {.tv_sec = 1};
    if (!loop->sweeping)
        event_add(loop->sweep, &second);
    loop->sweeping = true;
}

static void open_doors(Loop *loop)
{
    for (unsigned i = 0; loop->paused && i < loop->settings.listener_count; i++)
        event_add(loop->doors[i].event, NULL);
    loop->paused = false;
}

/* Until the next sweep. */
static void shut_doors(Loop *loop)
{
    for (unsigned i = 0; i < loop->settings.listener_count; i++)
        event_del(loop->doors[i].event);
    loop->paused = true;
    start_sweeping(loop);
}

static void gone(gpointer data, Connection *connection)
{
    Loop *loop = data;
    g_queue_unlink(&loop->connections, connection_link(connection));
    if (loop->host.stopping && g_queue_is_empty(&loop->connections))
        event_base_loopbreak(loop->base);
}

static void rejected(gpointer data, const char *peer, int alert)
{
    Loop *loop = data;
    loop->settings.rejected(loop->settings.context, peer, alert);
}

/* The one of those that `counts` whose time is over first; NULL when there is none. */
static Connection *first_due(Loop *loop, bool (*counts)(const Connection *))
{
    Connection *first = NULL;
    for (GList *link = loop->connections.head; link; link = link->next) {
        Connection *connection = link->data;
        if (counts(connection) &&
            (!first || connection_deadline(connection) < connection_deadline(first)))
            first = connection;
    }
    return first;
}

/* At the limit the connection that has been idle longest makes room; clients open a new one when
 * they need it. Without such a one, a request that has been coming for longest does: honest ones
 * are complete in a moment, so a crowd of slow ones keeps nobody out. False when every connection
 * is at work. */
static bool make_room(Loop *loop)
{
    if (g_queue_get_length(&loop->connections) < loop->settings.connection_limit)
        return true;
    Connection *leaves = first_due(loop, connection_is_idle);
    if (!leaves)
        leaves = first_due(loop, connection_awaits_request);
    if (leaves)
        connection_free(leaves);
    return leaves != NULL;
}

/* False when there is nothing (more) to accept now. */
static bool accept_one(Door *door)
{
    Loop *loop = door->loop;
    if (!make_room(loop)) {
        shut_doors(loop);
        return false;
    }
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    int fd = accept4(door->fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            log_error("Cannot accept connections: %s", g_strerror(errno));
            shut_doors(loop);
        }
        return errno == ECONNABORTED || errno == EINTR;
    }
    /* An answer in two TLS records would otherwise wait for a delayed acknowledgement (design §3).
     */
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    char peer[PEER_TEXT_MAX];
    peer_address_text((struct sockaddr *)&address, size, peer);
    SSL_CTX *tls = listener_tls(door->listener);
    Connection *connection = connection_new(&loop->host, fd, tls, peer);
    SSL_CTX_free(tls);
    if (connection) {
        g_queue_push_tail_link(&loop->connections, connection_link(connection));
        start_sweeping(loop);
    }
    return true;
}

static void on_accept(evutil_socket_t fd, short what, void *data)
{
    for (unsigned i = 0; i < ACCEPT_BATCH && accept_one(data); i++)
        continue;
}

static void on_sweep(evutil_socket_t fd, short what, void *data)
{
    Loop *loop = data;
    gint64 now = g_get_monotonic_time();
    GList *next;
    for (GList *link = loop->connections.head; link; link = next) {
        next = link->next; /* expiring frees its own connection only */
        if (connection_deadline(link->data) <= now)
            connection_expire(link->data);
    }
    if (loop->paused && !loop->host.stopping)
        open_doors(loop);
    if (g_queue_is_empty(&loop->connections)) {
        event_del(loop->sweep);
        loop->sweeping = false;
    }
}

/* --- the end --------------------------------------------------------------------------------- */

static void close_connections(Loop *loop, bool all)
{
    GList *next;
    for (GList *link = loop->connections.head; link; link = next) {
        next = link->next;
        if (all || connection_is_idle(link->data))
            connection_free(link->data);
    }
}

static void on_drained(evutil_socket_t fd, short what, void *data)
{
    Loop *loop = data;
    log_warning("Closing %u connections whose requests did not end in time",
                g_queue_get_length(&loop->connections));
    close_connections(loop, true);
    event_base_loopbreak(loop->base);
}

static void begin_stop(Loop *loop)
{
    loop->host.stopping = true;
    for (unsigned i = 0; i < loop->settings.listener_count; i++) {
        Door *door = &loop->doors[i];
        event_del(door->event);
        close(door->fd);
        door->fd = -1;
    }
    close_connections(loop, false);
    if (g_queue_is_empty(&loop->connections)) {
        event_base_loopbreak(loop->base);
        return;
    }
    struct timeval limit = {.tv_sec = loop->settings.gate->settings->drain_seconds};
    event_add(loop->drain, &limit);
}

static void on_woken(evutil_socket_t fd, short what, void *data)
{
    Loop *loop = data;
    guint64 count;
    ssize_t got = read(fd, &count, sizeof count);
    (void)got;
    g_atomic_int_set(&loop->asked, 0);
    deliver_answers(loop);
    if (g_atomic_int_get(&loop->stopping) && !loop->host.stopping)
        begin_stop(loop);
}

bool loop_turns(Loop *loop)
{
    bool answered = g_atomic_int_get(&loop->asked) == 0;
    g_atomic_int_set(&loop->asked, 1);
    wake(loop);
    return answered;
}

void loop_stop(Loop *loop)
{
    g_atomic_int_set(&loop->stopping, 1);
    wake(loop);
}

void loop_join(Loop *loop)
{
    if (loop->thread)
        g_thread_join(g_steal_pointer(&loop->thread));
}

/* --- the beginning --------------------------------------------------------------------------- */

static void open_door(Loop *loop, Door *door, Listener *listener)
{
    door->loop = loop;
    door->listener = listener;
    door->fd = listener->sockets[loop->settings.index];
    listener->sockets[loop->settings.index] = -1;
    door->event = event_new(loop->base, door->fd, EV_READ | EV_PERSIST, on_accept, door);
}

/* Of all large bodies that are arriving or being handled, this loop's share: four of the largest
 * for the server, and one for each loop at least. */
static size_t body_budget(const LoopSettings *settings)
{
    const HttpServerSettings *server = settings->gate->settings;
    size_t share = MAX(4 * server->max_body / server->io_threads, server->max_body);
    return MAX(share, BODY_BUDGET_MIN);
}

Loop *loop_new(const LoopSettings *settings, GError **error)
{
    struct event_base *base = event_base_new();
    int wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!base || wake_fd < 0) {
        g_set_error(error, HTTP_SERVER_ERROR, HTTP_SERVER_ERROR_START,
                    "cannot set up an I/O thread: %s", g_strerror(errno));
        g_clear_pointer(&base, event_base_free);
        return NULL;
    }
    Loop *loop = g_new0(Loop, 1);
    loop->settings = *settings;
    loop->base = base;
    loop->wake = wake_fd;
    g_mutex_init(&loop->lock);
    g_queue_init(&loop->connections);
    loop->host = (ConnectionHost){.base = base,
                                  .gate = settings->gate,
                                  .loop = loop,
                                  .scratch = g_malloc(SCRATCH_SIZE),
                                  .scratch_size = SCRATCH_SIZE,
                                  .body_budget = {.limit = body_budget(settings)},
                                  .dispatch = dispatch,
                                  .gone = gone,
                                  .rejected = rejected};
    loop->woken = event_new(base, wake_fd, EV_READ | EV_PERSIST, on_woken, loop);
    loop->sweep = event_new(base, -1, EV_PERSIST, on_sweep, loop);
    loop->drain = event_new(base, -1, 0, on_drained, loop);
    loop->doors = g_new0(Door, settings->listener_count);
    for (unsigned i = 0; i < settings->listener_count; i++)
        open_door(loop, &loop->doors[i], settings->listeners[i]);
    return loop;
}

static gpointer run_loop(gpointer data)
{
    Loop *loop = data;
    event_base_dispatch(loop->base);
    return NULL;
}

bool loop_start(Loop *loop, GError **error)
{
    event_add(loop->woken, NULL);
    for (unsigned i = 0; i < loop->settings.listener_count; i++)
        event_add(loop->doors[i].event, NULL);
    loop->thread = g_thread_try_new("http-io", run_loop, loop, error);
    return loop->thread != NULL;
}

void loop_free(Loop *loop)
{
    if (!loop)
        return;
    close_connections(loop, true);
    deliver_answers(loop);
    for (unsigned i = 0; i < loop->settings.listener_count; i++) {
        event_free(loop->doors[i].event);
        if (loop->doors[i].fd >= 0)
            close(loop->doors[i].fd);
    }
    event_free(loop->woken);
    event_free(loop->sweep);
    event_free(loop->drain);
    event_base_free(loop->base);
    close(loop->wake);
    g_free(loop->host.scratch);
    g_free(loop->doors);
    g_mutex_clear(&loop->lock);
    g_free(loop);
}
