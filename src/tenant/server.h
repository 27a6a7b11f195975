/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server the tenant talks to: address, TLS connection, API version (tenant-and-management-api
 * §2.5, §2.6), and answers in the v2 envelope.
 */
#pragma once

#include "http/client.h"
#include "pki/tls.h"

typedef struct Server Server;

typedef struct {
    const char *kind; /* "verifier" or "registrar", as in upstream's log lines */
    const char *host, *port;
    const TlsFiles *tls;
    bool check_hostnames;
    double timeout; /* seconds */
} ServerSettings;

Server *server_new(const ServerSettings *settings, GError **error);
void server_free(Server *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Server, server_free)

const char *server_host(const Server *server);
const char *server_port(const Server *server);
/* "Verifier (127.0.0.1:8881)"; borrowed. */
const char *server_words(const Server *server);

/* What GET /version tells. */
typedef struct {
    unsigned status;            /* of HTTP; 410 is a verifier in push mode */
    const char *version;        /* the newest in common; NULL = none is named; static */
    bool clock_known;           /* whether the answer has a date */
    gint64 clock_ahead;         /* seconds that the server's clock is ahead of this machine's */
    gint64 certificate_expires; /* seconds since the epoch; 0 = not known */
} ServerProbe;
/* Of the last handshake: http_client_certificate_fault(). */
int server_certificate_fault(const Server *server);
/* Errors of HTTP_CLIENT_ERROR name the URL and the cause. */
bool server_probe(Server *server, ServerProbe *out, GError **error);

typedef struct {
    unsigned status; /* of HTTP */
    gint64 code;     /* body member `code`; the HTTP status where the body has none */
    char *text;      /* body member `status`, or the error's detail, or "" */
    Json *body;      /* may be NULL */
    char *raw;       /* body as text */
} ServerAnswer;
void server_answer_free(ServerAnswer *answer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ServerAnswer, server_answer_free)

/*
 * `path` below the version prefix ("/agents/ID"). `version` NULL: the negotiated 2.x, found out
 * before the first request. `body` is not taken over. Errors name the URL and the cause.
 */
ServerAnswer *server_send(Server *server, const char *method, const char *version, const char *path,
                          Json *body, GError **error);
/* Member `results` of the body, an object; borrowed, NULL when it is absent or anything else. */
Json *server_results(const ServerAnswer *answer);
