/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One server as the agent talks to it: its origin, its trust, one kept-alive connection, and
 * requests with back-off (contract C59-C65; decisions D84, D85, D88).
 */
#pragma once

#include "agent/backoff.h"
#include "agent/remedy.h"
#include "agent/waiter.h"
#include "base/timestamp.h"
#include "http/client.h"

#define PEER_ERROR (peer_error_quark())
typedef enum {
    PEER_ERROR_CANCELLED, /* a signal came: the waiter knows which */
    PEER_ERROR_TRANSPORT, /* no answer in any attempt; the message has cause, URL and remedy */
} PeerError;
GQuark peer_error_quark(void);

typedef struct {
    PeerNames names;
    bool verify_host_names;
    unsigned timeout_ms;
    const BackoffRules *backoff;
    Waiter *waiter;
    HttpClient *client;
    gint64 quick_retry_ms; /* wait of the first retry of a broken connection after a success; 0 =
                              none */
} Peer;

/* Read the CA file: while the process may. The client keeps it in memory and reads it again when it
 * changes. False and HTTP_CLIENT_ERROR with the remedy. The rest of `peer` is filled by the caller.
 */
bool peer_open(Peer *peer, GError **error);
void peer_close(Peer *peer);

typedef struct {
    const char *method;
    const char *url;
    const char *content_type; /* NULL = no body */
    const char *accept;
    const char *token; /* bearer token or NULL; never logged but for its fingerprint */
    const char *body;
    Timestamp not_after; /* no attempt is begun after it; 0 = none */
    bool once;           /* one attempt, no retry */
} PeerRequest;

/*
 * Send, with retries where the outcome allows them (connection failures, time-outs, 408, 429, 5xx).
 * Any status that is left after the retries is an answer. NULL and PEER_ERROR.
 */
HttpAnswer *peer_send(Peer *peer, const PeerRequest *request, GError **error);
