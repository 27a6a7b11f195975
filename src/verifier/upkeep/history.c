/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/upkeep/history.h"

#define DAY (24 * 60 * 60 * TIMESTAMP_SECOND)
/* A deletion for each verdict would write pages for one row; so many verdicts share one. */
#define CLEAN_UP_EVERY 12

/* The rows that stay whatever their number and age. */
#define EXCEPT_KEPT                                                                                \
    " AND attestation_index <> $2 AND attestation_index NOT IN"                                    \
    " (SELECT last_pass_index FROM agents WHERE agent_id = $1"                                     \
    " UNION ALL SELECT failure_run_index FROM agents WHERE agent_id = $1)"

static bool prune_number(Connection *connection, const char *agent_id, gint64 index, gint64 keep,
                         guint64 *deleted, GError **error)
{
    /* Of what is beyond the number, three rows at most are kept, so that each call makes progress.
     */
    return sql_change(connection, deleted, error,
                      "DELETE FROM attestations WHERE agent_id = $1 AND attestation_index IN"
                      " (SELECT attestation_index FROM attestations WHERE agent_id = $1"
                      " ORDER BY attestation_index DESC LIMIT $4 OFFSET $3)" EXCEPT_KEPT,
                      "tiii", agent_id, index, keep, (gint64)HISTORY_PRUNE_MAX);
}

static bool prune_age(Connection *connection, const char *agent_id, gint64 index, Timestamp oldest,
                      guint64 *deleted, GError **error)
{
    return sql_change(
        connection, deleted, error,
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
                   const AgentRecord *agent, gint64 index, Timestamp now, guint64 *deleted,
                   GError **error)
{
    *deleted = 0;
    if (index < agent->next_clean_up)
        return true;
    gint64 keep = settings->attestation_history_max;
    guint64 aged = 0;
    if (!prune_number(connection, agent->agent_id, index, keep, deleted, error) ||
        !prune_age(connection, agent->agent_id, index,
                   now - settings->attestation_history_days * DAY, &aged, error))
        return false;
    *deleted += aged;
    return sql_run(connection, error, "UPDATE agents SET next_clean_up = $2 WHERE agent_id = $1",
                   "ti", agent->agent_id, index + clean_up_every(keep));
}

bool history_prune_silent(Connection *connection, const VerifierSettings *settings, Timestamp now,
                          gint64 limit, guint64 *deleted, GError **error)
{
    return sql_change(
        connection, deleted, error,
        "DELETE FROM attestations WHERE (agent_id, attestation_index) IN"
        " (SELECT old.agent_id, old.attestation_index FROM agents"
        " JOIN attestations AS old ON old.agent_id = agents.agent_id"
        " WHERE last_received_quote < $1 AND old.capabilities_received_at < $1"
        " AND old.stage = 'verification_complete'"
        " AND old.attestation_index <> last_pass_index"
        " AND old.attestation_index <> failure_run_index"
        " AND old.attestation_index < (SELECT MAX(attestation_index) FROM attestations AS newest"
        " WHERE newest.agent_id = old.agent_id AND newest.stage = 'verification_complete')"
        " LIMIT $2)",
        "ii", now - settings->attestation_history_days * DAY, limit);
}
