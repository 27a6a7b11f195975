/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.web"
#include "http/connection.h"

#include "base/log.h"
#include "http/admin.h"
#include "http/envelope.h"
#include "http/message_parts.h"
#include "http/transport.h"

#define HANDSHAKE_SECONDS 10
/* From a head's first byte to its last: who drips it in holds a place for so long at most. */
#define HEAD_SECONDS 20
#define LINGER_SECONDS 5
#define SECOND G_TIME_SPAN_SECOND

typedef enum {
    STATE_HANDSHAKE,
    STATE_HEAD, /* idle, or a head has come in part */
    STATE_BODY,
    STATE_WORKING,
    STATE_ANSWERING,
    STATE_LINGER, /* all is said; the peer may still be sending */
} State;

/* What a step of the state machine asks for. */
typedef enum { STEP_AGAIN, STEP_READ, STEP_WRITE, STEP_PAUSE, STEP_CLOSE } Step;

struct Connection {
    ConnectionHost *host;
    Transport transport;
    State state;
    struct event *readable, *writable;
    bool reading, writing; /* the events are registered */
    GList link;
    char peer[PEER_TEXT_MAX];
    Identity identity;
    gint64 deadline;
    gint64 phase_started; /* of body or answer, for the pace */

    GByteArray *input; /* received, not yet taken */
    size_t scanned;
    Exchange *exchange; /* the present request; a worker's while STATE_WORKING */
    RequestBody body;
    bool last; /* close after this answer */
    GByteArray *output;
    size_t sent, discarded;
};

static const HttpServerSettings *settings_of(const Connection *connection)
{
    return connection->host->gate->settings;
}

static void set_deadline(Connection *connection, unsigned seconds)
{
    connection->deadline = g_get_monotonic_time() + (gint64)seconds * SECOND;
}

/* Time for `done` bytes of a body or an answer: idle_seconds, then the shortest pace. */
static void set_paced_deadline(Connection *connection, size_t done)
{
    connection->deadline = connection->phase_started +
                           (gint64)settings_of(connection)->idle_seconds * SECOND +
                           (gint64)(done / CONNECTION_MIN_PACE) * SECOND;
}

static Step step_of_io(IoOutcome outcome)
{
    switch (outcome) {
    case IO_DONE:
        return STEP_AGAIN;
    case IO_WANT_READ:
        return STEP_READ;
    case IO_WANT_WRITE:
        return STEP_WRITE;
    case IO_CLOSED:
    case IO_FAILED:
        break;
    }
    return STEP_CLOSE;
}

/* --- answering ------------------------------------------------------------------------------- */

/* The response is complete: turn it into bytes. */
static Step start_answer(Connection *connection, bool last)
{
    Exchange *exchange = connection->exchange;
    connection->last = last || exchange->head.close || connection->host->stopping;
    connection->output =
        http_response_serialise(exchange->response, !exchange->head.is_head, connection->last);
    g_clear_pointer(&connection->exchange, exchange_free);
    request_body_clear(&connection->body);
    connection->sent = 0;
    connection->state = STATE_ANSWERING;
    connection->phase_started = g_get_monotonic_time();
    set_paced_deadline(connection, 0);
    return STEP_AGAIN;
}

/* An error found by the connection itself. */
static Step answer_error(Connection *connection, unsigned status, const char *detail, bool last)
{
    Exchange *exchange = connection->exchange;
    gate_error(connection->host->gate, exchange->response, exchange->request, exchange->route,
               status, detail);
    if (status == 503)
        http_response_retry_after(exchange->response, 1);
    exchange_end(exchange);
    return start_answer(connection, last);
}

static Step step_answer(Connection *connection)
{
    GByteArray *output = connection->output;
    while (connection->sent < output->len) {
        size_t sent;
        Bytes rest = {output->data + connection->sent, output->len - connection->sent};
        IoOutcome outcome = transport_write(&connection->transport, rest, &sent);
        if (outcome != IO_DONE)
            return step_of_io(outcome);
        connection->sent += sent;
        set_paced_deadline(connection, connection->sent);
    }
    g_clear_pointer(&connection->output, g_byte_array_unref);
    if (connection->last) {
        /* Closing with unread input would reset the connection and take the answer from the peer.
         */
        transport_end_writing(&connection->transport);
        connection->state = STATE_LINGER;
        set_deadline(connection, LINGER_SECONDS);
        return STEP_AGAIN;
    }
    connection->state = STATE_HEAD;
    set_deadline(connection, settings_of(connection)->idle_seconds);
    bool more = connection->input->len > 0 || transport_has_pending(&connection->transport);
    return more ? STEP_AGAIN : STEP_READ;
}

static Step step_linger(Connection *connection)
{
    IoOutcome outcome = transport_discard(&connection->transport, &connection->discarded);
    /* Who sends twice what is allowed is not about to read an answer. */
    if (connection->discarded > 2 * settings_of(connection)->max_body + REQUEST_HEAD_MAX)
        return STEP_CLOSE;
    return step_of_io(outcome);
}

/* --- receiving ------------------------------------------------------------------------------- */

static Step step_handshake(Connection *connection)
{
    IoOutcome outcome = transport_handshake(&connection->transport);
    if (outcome == IO_FAILED) {
        int alert = transport_alert();
        if (alert)
            connection->host->rejected(connection->host->loop, connection->peer, alert);
    }
    if (outcome != IO_DONE)
        return step_of_io(outcome);
    const HttpServerSettings *settings = settings_of(connection);
    AdminRule rule = {settings->admin_names, settings->restrict_admin_names};
    if (connection->transport.ssl)
        connection->identity = admin_identity_of_connection(connection->transport.ssl, &rule);
    connection->state = STATE_HEAD;
    set_deadline(connection, settings->idle_seconds);
    return STEP_AGAIN;
}

/* Append what the peer sent to the input. */
static Step receive(Connection *connection)
{
    size_t got;
    const ConnectionHost *host = connection->host;
    IoOutcome outcome =
        transport_read(&connection->transport, host->scratch, host->scratch_size, &got);
    if (outcome == IO_FAILED) {
        /* With TLS 1.3 a client's refusal of our certificate arrives after the handshake. */
        int alert = transport_alert();
        if (alert)
            host->rejected(host->loop, connection->peer, alert);
    }
    g_byte_array_append(connection->input, host->scratch, (guint)got);
    return step_of_io(outcome);
}

static void consume(Connection *connection, size_t size)
{
    if (size == connection->input->len)
        g_byte_array_set_size(connection->input, 0);
    else if (size > 0)
        g_byte_array_remove_range(connection->input, 0, (guint)size);
}

/* The whole request is here. */
static Step request_complete(Connection *connection)
{
    Exchange *exchange = connection->exchange;
    if (!exchange->route)
        return start_answer(connection, false);
    exchange->connection = connection;
    connection->state = STATE_WORKING;
    connection->deadline = G_MAXINT64;
    if (connection->host->dispatch(connection->host->loop, exchange))
        return STEP_PAUSE;
    return answer_error(connection, 503, "The server is busy; try again", false);
}

/* The route's own limit, where it is the lower one; else the server's, which an option sets. */
static size_t body_limit(const Connection *connection, const char **option)
{
    const HttpServerSettings *settings = settings_of(connection);
    const Route *route = connection->exchange->route;
    bool own = route->max_body > 0 && route->max_body < settings->max_body;
    *option = own ? NULL : settings->max_body_option;
    return own ? route->max_body : settings->max_body;
}

static Step refuse_large_body(Connection *connection)
{
    if (!connection->exchange->route) /* refused by its head: that answer, at once */
        return start_answer(connection, true);
    const char *option;
    size_t limit = body_limit(connection, &option);
    g_autofree char *detail =
        g_strdup_printf("The body is larger than the %zu bytes that are taken here%s%s%s", limit,
                        option ? " (option " : "", option ? option : "", option ? ")" : "");
    return answer_error(connection, 413, detail, true);
}

/* Tell a waiting client to go on. False when even this cannot be sent. */
static bool send_continue(Connection *connection)
{
    static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
    size_t sent;
    Bytes bytes = {(const uint8_t *)line, sizeof line - 1};
    return transport_write(&connection->transport, bytes, &sent) == IO_DONE && sent == bytes.size;
}

static void fill_identity(Connection *connection, HttpRequest *request)
{
    const Identity *identity = &connection->identity;
    request->identity = *identity;
    request->identity.name = g_strdup(identity->name);
    const char *const *proxies = settings_of(connection)->trusted_proxies;
    /* All lines: a proxy may add one of its own below the one that a client has written. */
    g_autofree char *forwarded =
        proxies && *proxies ? http_request_header_list(request, "X-Forwarded-For") : NULL;
    request->peer = peer_client_address(connection->peer, forwarded, proxies);
}

static Step head_complete(Connection *connection)
{
    Exchange *exchange = connection->exchange;
    const RequestHead *head = &exchange->head;
    fill_identity(connection, exchange->request);
    exchange_begin(exchange);
    bool admitted = gate_admit(connection->host->gate, head, connection->transport.ssl != NULL,
                               exchange->request, exchange->response, &exchange->route);
    if (!admitted) {
        exchange->route = NULL;
        exchange_end(exchange);
    }
    const char *option;
    size_t limit = admitted ? body_limit(connection, &option) : CONNECTION_REFUSED_BODY_MAX;
    if (head->body_size > limit)
        return refuse_large_body(connection);
    if (!head->chunked && head->body_size == 0)
        return request_complete(connection);
    if (head->expect && connection->input->len == 0) {
        if (!admitted)
            return start_answer(connection, true);
        if (!send_continue(connection))
            return STEP_CLOSE;
    }
    connection->state = STATE_BODY;
    request_body_start(&connection->body, head->chunked, head->body_size, limit,
                       &connection->host->body_budget);
    connection->phase_started = g_get_monotonic_time();
    set_paced_deadline(connection, 0);
    return STEP_AGAIN;
}

static Step step_head(Connection *connection)
{
    if (connection->input->len > 0) {
        if (!connection->exchange)
            connection->exchange = exchange_new();
        Exchange *exchange = connection->exchange;
        size_t size;
        HeadError error;
        switch (request_head_parse(bytes_of_array(connection->input), &connection->scanned,
                                   &exchange->head, &size, exchange->request, &error)) {
        case HEAD_COMPLETE:
            exchange->started = g_get_monotonic_time();
            consume(connection, size);
            return head_complete(connection);
        case HEAD_BAD:
            connection->scanned = 0;
            exchange_begin(exchange);
            return answer_error(connection, error.status, error.detail, true);
        case HEAD_INCOMPLETE:
            break;
        }
    }
    bool first = connection->input->len == 0;
    Step step = receive(connection);
    if (first && connection->input->len > 0)
        set_deadline(connection, MIN(HEAD_SECONDS, settings_of(connection)->idle_seconds));
    return step;
}

static Step body_trouble(Connection *connection, BodyOutcome outcome)
{
    if (!connection->exchange->route) /* refused by its head: that answer */
        return start_answer(connection, true);
    if (outcome == BODY_TOO_LARGE)
        return refuse_large_body(connection);
    if (outcome == BODY_NO_MEMORY)
        return answer_error(connection, 503, "Too many large requests at a time; try again", true);
    return answer_error(connection, 400, "The chunked body is malformed", true);
}

static Step step_body(Connection *connection)
{
    RequestBody *body = &connection->body;
    for (;;) {
        Reader reader = reader_of(bytes_of_array(connection->input));
        BodyOutcome outcome = request_body_take(body, &reader);
        consume(connection, connection->input->len - reader.rest.size);
        if (outcome == BODY_COMPLETE)
            break;
        if (outcome != BODY_MORE)
            return body_trouble(connection, outcome);
        set_paced_deadline(connection, request_body_size(body));
        Step step = receive(connection);
        if (step != STEP_AGAIN)
            return step;
    }
    HttpRequest *request = connection->exchange->request;
    request->body = request_body_steal(body, &request->body_size);
    return request_complete(connection);
}

/* --- the state machine ----------------------------------------------------------------------- */

static Step run_step(Connection *connection)
{
    switch (connection->state) {
    case STATE_HANDSHAKE:
        return step_handshake(connection);
    case STATE_HEAD:
        return step_head(connection);
    case STATE_BODY:
        return step_body(connection);
    case STATE_WORKING:
        return STEP_PAUSE;
    case STATE_ANSWERING:
        return step_answer(connection);
    case STATE_LINGER:
        return step_linger(connection);
    }
    return STEP_CLOSE;
}

static void want(struct event *event, bool *registered, bool wanted)
{
    if (*registered == wanted)
        return;
    if (wanted)
        event_add(event, NULL);
    else
        event_del(event);
    *registered = wanted;
}

/* May free the connection. */
static void run(Connection *connection)
{
    Step step;
    do
        step = run_step(connection);
    while (step == STEP_AGAIN);
    if (step == STEP_CLOSE) {
        connection_free(connection);
        return;
    }
    want(connection->writable, &connection->writing, step == STEP_WRITE);
    /* A pause leaves the read event as it is: taking it away and back costs two system calls a
     * request, and the rare early byte is met by on_readable(). */
    if (step == STEP_READ)
        want(connection->readable, &connection->reading, true);
    else if (step == STEP_WRITE)
        want(connection->readable, &connection->reading, false);
}

static void on_readable(evutil_socket_t fd, short what, void *data)
{
    Connection *connection = data;
    if (connection->state == STATE_WORKING)
        want(connection->readable, &connection->reading, false);
    else
        run(connection);
}

static void on_writable(evutil_socket_t fd, short what, void *data)
{
    run(data);
}

Connection *connection_new(ConnectionHost *host, int fd, SSL_CTX *tls, const char *peer)
{
    Transport transport;
    if (!transport_open(&transport, fd, tls))
        return NULL;
    Connection *connection = g_new0(Connection, 1);
    connection->host = host;
    connection->transport = transport;
    connection->link.data = connection;
    connection->input = g_byte_array_new();
    g_strlcpy(connection->peer, peer, sizeof connection->peer);
    connection->readable = event_new(host->base, fd, EV_READ | EV_PERSIST, on_readable, connection);
    connection->writable =
        event_new(host->base, fd, EV_WRITE | EV_PERSIST, on_writable, connection);
    connection->state = STATE_HANDSHAKE;
    set_deadline(connection, MIN(HANDSHAKE_SECONDS, settings_of(connection)->idle_seconds));
    want(connection->readable, &connection->reading, true);
    return connection;
}

void connection_free(Connection *connection)
{
    connection->host->gone(connection->host->loop, connection);
    if (connection->state == STATE_WORKING)
        connection->exchange->connection = NULL; /* the worker's to finish, the loop's to free */
    else
        exchange_free(connection->exchange);
    event_free(connection->readable);
    event_free(connection->writable);
    transport_close(&connection->transport);
    g_byte_array_unref(connection->input);
    request_body_clear(&connection->body);
    g_clear_pointer(&connection->output, g_byte_array_unref);
    g_free(connection->identity.name);
    g_free(connection);
}

void connection_answer(Connection *connection, Exchange *exchange)
{
    connection->exchange = exchange;
    start_answer(connection, false);
    run(connection);
}

bool connection_is_idle(const Connection *connection)
{
    return connection->state == STATE_HANDSHAKE || connection->state == STATE_LINGER ||
           (connection->state == STATE_HEAD && connection->input->len == 0);
}

bool connection_awaits_request(const Connection *connection)
{
    return connection->state == STATE_HEAD || connection->state == STATE_BODY ||
           connection_is_idle(connection);
}

gint64 connection_deadline(const Connection *connection)
{
    return connection->deadline;
}

void connection_expire(Connection *connection)
{
    bool partial = (connection->state == STATE_HEAD && connection->input->len > 0) ||
                   connection->state == STATE_BODY;
    if (!partial) {
        connection_free(connection);
        return;
    }
    if (connection->state == STATE_BODY && !connection->exchange->route)
        start_answer(connection, true); /* refused by its head */
    else
        answer_error(connection, 408, "The request did not arrive in time", true);
    run(connection);
}

GList *connection_link(Connection *connection)
{
    return &connection->link;
}
