/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The unavoidable work of each operation, in plain loops: what no server can do without. Parsing,
 * HTTP, the database and the wake-ups of threads are not in it.
 */
#pragma once

#include "agent/software_tpm.h"

/* Of an operation's messages on the wire. */
typedef struct {
    guint64 request, answer;
} Traffic;

/* CPU microseconds. */
typedef struct {
    double signature_us;  /* verify one signature of the AK, its digest included */
    double digest_us;     /* PCR digest */
    double credential_us; /* MakeCredential to the EK */
    double records_us;    /* TLS: two requests and their answers of a cycle's sizes */
    double small_us;      /* TLS: one request and its answer of 512 bytes each */
    double handshake_us;  /* TLS: the server's side of a full handshake */
} Floor;

/* `challenge` and `evidence` are a cycle's two exchanges. */
bool floor_measure(SoftwareTpm *tpm, const Traffic *challenge, const Traffic *evidence, Floor *out,
                   GError **error);
