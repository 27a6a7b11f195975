/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 server: I/O threads with an event loop each (libevent's, with OpenSSL on the sockets), a
 * bounded pool of workers that run the handlers (design §3 "Servers").
 *
 * Not evhttp. Measured with libevent 2.1.12: a head that is too long, an unknown method and a
 * malformed line are answered by evhttp itself with an HTML page, for which there is no hook, so
 * without envelope, request id and log line, and with 400 where 431 is promised (decision D71); its
 * time-out counts from the last byte, so that a head that drips in keeps its connection for ever;
 * lines that end in a bare LF are taken. (A body that is too large it can refuse cleanly, with
 * EVHTTP_SERVER_LINGERING_CLOSE.) Requests are read strictly in request_head.h and chunked.h
 * instead; both are fuzzed.
 */
#pragma once

#include "http/route.h"

#include <openssl/ssl.h>

typedef struct HttpServer HttpServer;

#define HTTP_SERVER_ERROR (http_server_error_quark())
typedef enum {
    HTTP_SERVER_ERROR_SETTINGS,
    HTTP_SERVER_ERROR_LISTEN, /* address, port, permission */
    HTTP_SERVER_ERROR_START,
} HttpServerError;
GQuark http_server_error_quark(void);

/* Judges a bearer token: true and *agent_id (newly allocated), or false and *detail (static text of
 * the 401, verifier-push-api §3.2; NULL when it cannot be judged now: 503). Runs on a worker. */
typedef bool (*HttpTokenCheck)(const char *token, char **agent_id, const char **detail,
                               gpointer context);

typedef struct {
    const Route *routes;
    gpointer context;           /* handed to handlers and to the token check */
    HttpTokenCheck token_check; /* NULL: every token is refused */
    bool open;                  /* routes of ACCESS_OPEN are for anyone */
    bool v3_as_v2;              /* version 3 answers in version 2's envelope (decision D26) */
    unsigned io_threads, workers;
    unsigned queue_limit;        /* requests waiting for a worker; beyond it 503 with Retry-After */
    size_t max_body;             /* 413 beyond */
    const char *max_body_option; /* named in the text of the 413 (decision D56), or NULL */
    unsigned idle_seconds;       /* a connection without a complete request for so long is closed */
    const char *const *admin_names; /* CNs that count as admin without EKU (decision D38) */
    bool restrict_admin_names;      /* with EKU too */
    const char *const *trusted_proxies;
    unsigned drain_seconds; /* at stop: time for requests in progress */
} HttpServerSettings;

HttpServer *http_server_new(const HttpServerSettings *settings, GError **error);
/*
 * Listen; `tls` NULL = plain HTTP, on which every route that is not public answers 400. Port 0 asks
 * the system (tests); *bound_port tells. Several calls add several listeners.
 */
bool http_server_listen(HttpServer *server, const char *address, unsigned port, SSL_CTX *tls,
                        unsigned *bound_port, GError **error);
/* Starts the threads; returns at once. */
bool http_server_start(HttpServer *server, GError **error);
/* New connections use `tls` from now on (SIGHUP). Takes a reference. */
void http_server_replace_tls(HttpServer *server, SSL_CTX *tls);
/* For a watchdog, from one thread: false when an I/O thread has not come round since the last call.
 */
bool http_server_turns(HttpServer *server);
/* Stops listening, lets requests in progress end within drain_seconds, joins all threads. */
void http_server_stop(HttpServer *server);
void http_server_free(HttpServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HttpServer, http_server_free)
