/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long attestations are kept (decision D81): at most `attestation_history_max` for an agent and
 * for `attestation_history_days`; never deleted are the last completed one, the last that passed
 * and the first failure of the present run of failures.
 */
#pragma once

#include "verifier/attestation_record.h"
#include "verifier/settings.h"

/* Deletes at most so many at a time, so that no verdict waits for a large deletion. */
#define HISTORY_PRUNE_MAX 16

/* Within the transaction that completed attestation `index` of the agent. */
bool history_prune(Connection *connection, const VerifierSettings *settings, const char *agent_id,
                   gint64 index, Timestamp now, GError **error);
