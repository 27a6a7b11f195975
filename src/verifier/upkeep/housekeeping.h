/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ends by time, in a round every `housekeeping_interval`: tokens, challenges, attestations of
 * agents that fell silent (those of others go with their verdicts, verifier/upkeep/history.h),
 * notifications that nobody took, and stale agents. Any number of verifiers may do it; each
 * deletion is bounded, so that no request waits for a large one.
 */
#pragma once

#include "verifier/verifier.h"

/* The time between two rounds: `housekeeping_interval`, or less where the time after which an agent
 * is stale would never end with rounds so far apart. */
Timestamp housekeeping_span(const VerifierSettings *settings);

/* Starts the thread; the first round begins at once. `verifier` must outlive it. */
Ticker *housekeeping_start(Verifier *verifier, GError **error);

/* What a round deleted. */
typedef struct {
    guint64 tokens, session_ids, challenges, attestations;
} HousekeepingRound;

/* The deletions of one round as of `now`; the thread's body but for stale agents and the outbox. */
bool housekeeping_sweep(Database *database, const VerifierSettings *settings, Timestamp now,
                        HousekeepingRound *out, GError **error);
