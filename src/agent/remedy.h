/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Failures in the operator's words: what happened, and the option or command that mends it
 * (contract C106-C117). Pure text.
 */
#pragma once

#include "base/json.h"

/* What one server's configuration is called, for messages. */
typedef struct {
    const char *server;     /* "verifier" */
    const char *url_option; /* "verifier_url" */
    const char *ca_file;    /* NULL: no TLS, or nothing is verified */
    const char *ca_option;  /* "verifier_tls_ca_cert" */
} PeerNames;

/* "Network error (connection failed): ..." of an HTTP client error. Newly allocated. */
char *remedy_for_transport(const GError *error, const PeerNames *names);
/* A CA file that cannot be used: path, option, owner and mode, how to get it. Newly allocated. */
char *remedy_for_ca_file(const GError *error, const PeerNames *names);

/* The errors of an answer in one text: each `detail` of JSON:API or gate errors, the `status` of a
 * v2 envelope; "" when there is none. Newly allocated. */
char *remedy_answer_details(Json *body);
/* The `code` of its first JSON:API error; NULL when it has none. Borrowed. */
const char *remedy_answer_code(Json *body);

/* What to do about an answer of the verifier on an attestation route: newly allocated, NULL =
 * nothing to add. */
char *remedy_for_attestation(unsigned status, Json *body, const char *agent_id);

/* What to do when the verifier does not take the agent's proof. Newly allocated. */
char *remedy_for_unknown_key(const char *agent_id);

/* "the server answers, but is no Keylime verifier (status N): ..." Newly allocated. */
char *remedy_for_foreign_server(unsigned status);
