/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the verifier thinks of this agent, so that a machine that fails attestation does not look
 * healthy in its own log (decision D99, contract C105). Best effort: any failure is silent.
 */
#pragma once

#include "agent/peer.h"
#include "agent/url.h"

#define STATUS_REPORT_CYCLES 10

typedef struct {
    char *last;      /* attestation_status last seen; NULL = none yet */
    unsigned cycles; /* accepted since the start */
} StatusReport;

void status_report_clear(StatusReport *report);
/* After each accepted evidence; asks at most once in STATUS_REPORT_CYCLES calls, first at the
 * second. */
void status_report_after_cycle(StatusReport *report, Peer *verifier, const Url *url,
                               const char *agent_id, const char *token);
