/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May this agent create an attestation, or answer one, at this moment? The order of the checks is
 * the protocol's (verifier-push-api §5.2, §5.5; decisions D65, D68, D80, D82). Pure.
 */
#pragma once

#include "http/envelope.h"
#include "verifier/agent_record.h"
#include "verifier/attestation/record.h"

/* More creations than this without evidence within the window are refused (decision D80). */
#define UNANSWERED_LIMIT 10
#define UNANSWERED_WINDOW (60 * TIMESTAMP_SECOND)
/* An agent may be so early: its timers and ours round differently (decision D65). */
#define PREMATURE_TOLERANCE (TIMESTAMP_SECOND / 2)

typedef struct {
    unsigned status;     /* 0 = go on; else the answer */
    const char *code;    /* static */
    char *detail;        /* g_free() */
    guint64 retry_after; /* seconds; 0 = no such header */
    bool prolongs;       /* the agent was told to wait: counts for its deadline (decision D64) */
} Gate;

void gate_clear(Gate *gate);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Gate, gate_clear)

/* max(1, ceil(rest of the interval)) after evidence of `received` (0 = none: 0). */
gint64 gate_seconds_to_next(Timestamp received, Timestamp interval, Timestamp now);

/* `agent` NULL = not enrolled; `latest` NULL = no attestation yet. */
void gate_create(const char *agent_id, const AgentRecord *agent, const AttestationRecord *latest,
                 const VerifierSettings *settings, Timestamp now, Gate *out);

/* `index` as it stands in the path, NULL = latest. */
void gate_submit(const char *agent_id, const AgentRecord *agent, const AttestationRecord *latest,
                 const char *index, Timestamp now, Gate *out);

/* Writes the answer of a gate that is not open. */
void gate_answer(const Gate *gate, const HttpRequest *request, HttpResponse *response);
