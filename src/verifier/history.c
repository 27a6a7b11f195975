/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/history.h"

#define DAY (24 * 60 * 60 * TIMESTAMP_SECOND)
/* A deletion for each verdict would write pages for one row; so many verdicts share one. */
#define CLEAN_UP_EVERY 12

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

/* A history that is kept short is kept to the number. */
static gint64 clean_up_every(gint64 keep)
{
    return CLAMP(keep / 4, 1, CLEAN_UP_EVERY);
}

bool history_prune(Connection *connection, const VerifierSettings *settings,
                   const AgentRecord *agent, gint64 index, Timestamp now, GError **error)
{
    if (index < agent->next_clean_up)
        return true;
    gint64 keep = settings->attestation_history_max;
    return prune_number(connection, agent->agent_id, index, keep, error) &&
           prune_age(connection, agent->agent_id, index,
                     now - settings->attestation_history_days * DAY, error) &&
           sql_run(connection, error, "UPDATE agents SET next_clean_up = $2 WHERE agent_id = $1",
                   "ti", agent->agent_id, index + clean_up_every(keep));
}
