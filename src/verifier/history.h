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
 * does nothing most of the time. */
bool history_prune(Connection *connection, const VerifierSettings *settings,
                   const AgentRecord *agent, gint64 index, Timestamp now, GError **error);
