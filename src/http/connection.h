/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client's connection: handshake, then request after request. Lives on its loop's thread; while
 * a worker has its request, it waits and reads nothing, so a client can hold one request in work at
 * most.
 */
#pragma once

#include "http/exchange.h"
#include "http/peer.h"
#include "http/request_body.h"

#include <event2/event.h>
#include <openssl/ssl.h>

typedef struct Connection Connection;

/* Shortest pace of a body or an answer that is not cut off: 8 KiB a second after idle_seconds. */
#define CONNECTION_MIN_PACE 8192
/* A refused request may bring so much body and keep its connection; a longer one ends it. */
#define CONNECTION_REFUSED_BODY_MAX (64 * 1024)

/* What a connection needs from its loop. Borrowed; outlives every connection. */
typedef struct {
    struct event_base *base;
    const Gate *gate;
    gpointer loop;
    uint8_t *scratch; /* for reading; shared by the connections of a thread */
    size_t scratch_size;
    BodyBudget body_budget;
    bool stopping; /* answers end their connection */
    /* Give the exchange to a worker; false = queue full, it stays the connection's. */
    bool (*dispatch)(gpointer loop, Exchange *exchange);
    /* The connection is about to be freed. */
    void (*gone)(gpointer loop, Connection *connection);
    /* The peer ended the handshake with this TLS alert. */
    void (*rejected)(gpointer loop, const char *peer, int alert);
} ConnectionHost;

/* Takes the socket over; `tls` NULL = plain. NULL when memory is short. `link` is for the loop. */
Connection *connection_new(ConnectionHost *host, int fd, SSL_CTX *tls, const char *peer);
/* Closes at once; an exchange at a worker loses its connection. Calls `gone`. */
void connection_free(Connection *connection);

/* The worker's answer has come; takes the exchange back. */
void connection_answer(Connection *connection, Exchange *exchange);
/* Between requests: nothing is lost by closing it. */
bool connection_is_idle(const Connection *connection);
/* Idle, or a request has come in part only: the peer is to send, and nothing is promised yet. */
bool connection_awaits_request(const Connection *connection);
/* Monotonic µs at which its time is over; G_MAXINT64 while a worker has its request. */
gint64 connection_deadline(const Connection *connection);
/* Its time is over: a request that came in part is answered 408, everything else is closed. */
void connection_expire(Connection *connection);
/* Place in the loop's list. */
GList *connection_link(Connection *connection);
