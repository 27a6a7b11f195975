/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has fallen silent: one sweep a second over the deadlines in the database (verifier-push-api
 * §8.2, decisions D64 and D66). Any number of processes may sweep; each change happens once.
 *
 * A deadline in the database may lag behind the evidence: moving it at each attestation would write
 * two more pages of its index. Evidence moves it when little of it is left, the sweep when it has
 * passed; an agent is silent only when its last evidence is old, too.
 */
#pragma once

#include "base/ticker.h"
#include "verifier/verifier.h"

/* Starts the sweeping thread. `verifier` must outlive it. */
Ticker *liveness_start(Verifier *verifier, GError **error);

/* What one sweep did. */
typedef struct {
    unsigned timed_out;      /* agents that are TIMEOUT now */
    unsigned rearmed;        /* deadlines that mean nothing: no verifier ran, the clock was set */
    unsigned never_attested; /* agents warned about */
} LivenessSweep;

/* One sweep as of `now`; the thread's body, for tests. */
bool liveness_sweep(Database *database, const VerifierSettings *settings, Timestamp now,
                    LivenessSweep *out, GError **error);
