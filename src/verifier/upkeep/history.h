/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long attestations are kept (decision D81): `attestation_history_max` for an agent, and up to
 * a quarter (12 at most) more until the next clean-up; for `attestation_history_days`. Never
 * deleted are the last completed one, the last that passed and the first failure of the present run
 * of failures.
 */
#pragma once

#include "verifier/agent_record.h"

/* Deletes at most so many at a time, so that no verdict waits for a large deletion. */
#define HISTORY_PRUNE_MAX 16

/* Within the transaction that completed attestation `index` of the agent, as it was read before;
 * does nothing most of the time. *deleted = attestations that are gone. */
bool history_prune(Connection *connection, const VerifierSettings *settings,
                   const AgentRecord *agent, gint64 index, Timestamp now, guint64 *deleted,
                   GError **error);

/* The rest: what is too old of agents that send no evidence any more, at most `limit` attestations.
 */
bool history_prune_silent(Connection *connection, const VerifierSettings *settings, Timestamp now,
                          gint64 limit, guint64 *deleted, GError **error);
