/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/history.h"

#define DAY (24 * 60 * 60 * TIMESTAMP_SECOND)
/* Age is looked at less often than number: a day more or less in thirty does not matter. */
#define AGE_CHECK_EVERY 16

/* The rows that stay whatever their number and age. */
#define EXCEPT_KEPT                                                                                \
    " AND attestation_index <> $2 AND attestation_index NOT IN"                                    \
    " (SELECT last_pass_index FROM agents WHERE agent_id = $1"                                     \
    " UNION ALL SELECT failure_run_index FROM agents WHERE agent_id = $1)"

static bool prune_number(Connection *connection, const char *agent_id, gint64 index, gint64 keep,
                         GError **error)
{
    /* Of what is beyond the number, three rows at most are kept, so that each call makes progress.
     */
    return sql_run(connection, error,
                   "DELETE FROM attestations WHERE agent_id = $1 AND attestation_index IN"
                   " (SELECT attestation_index FROM attestations WHERE agent_id = $1"
                   " ORDER BY attestation_index DESC LIMIT $4 OFFSET $3)" EXCEPT_KEPT,
                   "tiii", agent_id, index, keep, (gint64)HISTORY_PRUNE_MAX);
}

static bool prune_age(Connection *connection, const char *agent_id, gint64 index, Timestamp oldest,
                      GError **error)
{
    return sql_run(connection, error,
                   "DELETE FROM attestations WHERE agent_id = $1 AND capabilities_received_at < $3"
                   " AND attestation_index IN (SELECT attestation_index FROM attestations"
                   " WHERE agent_id = $1 ORDER BY attestation_index LIMIT $4)" EXCEPT_KEPT,
                   "tiii", agent_id, index, oldest, (gint64)HISTORY_PRUNE_MAX);
}

bool history_prune(Connection *connection, const VerifierSettings *settings, const char *agent_id,
                   gint64 index, Timestamp now, GError **error)
{
    gint64 keep = settings->attestation_history_max;
    if (keep > 0 && index >= keep && !prune_number(connection, agent_id, index, keep, error))
        return false;
    gint64 days = settings->attestation_history_days;
    if (days == 0 || index % AGE_CHECK_EVERY != 0)
        return true;
    return prune_age(connection, agent_id, index, now - days * DAY, error);
}
