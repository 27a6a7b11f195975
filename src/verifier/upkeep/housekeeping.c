/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.verifier"
#include "verifier/upkeep/housekeeping.h"

#include "base/log.h"
#include "verifier/notification/outbox.h"
#include "verifier/session/store.h"
#include "verifier/upkeep/history.h"
#include "verifier/upkeep/stale_agents.h"

/* One transaction deletes so many rows of a kind at most. */
#define AT_ONCE 500
/* An abandoned challenge is kept so much longer than it is good, so that late evidence is told why
 * it does not count. */
#define CHALLENGE_MARGIN (3600 * TIMESTAMP_SECOND)

typedef struct {
    const VerifierSettings *settings;
    Timestamp now;
    HousekeepingRound step; /* of one transaction */
} Sweep;

static bool delete_tokens(Connection *connection, Sweep *sweep, GError **error)
{
    return session_store_purge(connection, sweep->now, AT_ONCE, &sweep->step.tokens,
                               &sweep->step.session_ids, error);
}

/* An agent's open challenge is its newest attestation. */
static bool delete_challenges(Connection *connection, Sweep *sweep, GError **error)
{
    return sql_change(connection, &sweep->step.challenges, error,
                      "DELETE FROM attestations WHERE stage = 'awaiting_evidence'"
                      " AND (agent_id, attestation_index) IN"
                      " (SELECT open.agent_id, open.attestation_index FROM agents"
                      " JOIN attestations AS open ON open.agent_id = agents.agent_id"
                      " AND open.attestation_index = agents.next_index - 1"
                      " WHERE unanswered_count > 0 AND open.stage = 'awaiting_evidence'"
                      " AND open.challenges_expire_at < $1 LIMIT $2)",
                      "ii", sweep->now - CHALLENGE_MARGIN, (gint64)AT_ONCE);
}

static bool delete_attestations(Connection *connection, Sweep *sweep, GError **error)
{
    return history_prune_silent(connection, sweep->settings, sweep->now, AT_ONCE,
                                &sweep->step.attestations, error);
}

static bool step(Connection *connection, gpointer data, GError **error)
{
    Sweep *sweep = data;
    sweep->step = (HousekeepingRound){0};
    return delete_tokens(connection, sweep, error) && delete_challenges(connection, sweep, error) &&
           delete_attestations(connection, sweep, error);
}

static bool is_full(const HousekeepingRound *step)
{
    return step->tokens == AT_ONCE || step->session_ids == AT_ONCE || step->challenges == AT_ONCE ||
           step->attestations == AT_ONCE;
}

bool housekeeping_sweep(Database *database, const VerifierSettings *settings, Timestamp now,
                        HousekeepingRound *out, GError **error)
{
    Sweep sweep = {.settings = settings, .now = now};
    *out = (HousekeepingRound){0};
    do {
        if (!database_write(database, step, &sweep, error))
            return false;
        out->tokens += sweep.step.tokens;
        out->session_ids += sweep.step.session_ids;
        out->challenges += sweep.step.challenges;
        out->attestations += sweep.step.attestations;
    } while (is_full(&sweep.step));
    return true;
}

static void report(const HousekeepingRound *round, const VerifierSettings *settings)
{
    if (round->tokens + round->session_ids > 0)
        log_info("Deleted %" G_GUINT64_FORMAT " expired tokens and %" G_GUINT64_FORMAT
                 " used session ids",
                 round->tokens, round->session_ids);
    if (round->challenges > 0)
        log_info("Deleted %" G_GUINT64_FORMAT " challenges that were never answered",
                 round->challenges);
    if (round->attestations > 0)
        log_info("Deleted %" G_GUINT64_FORMAT " attestations older than %u days"
                 " (attestation_history_days) of agents that are silent",
                 round->attestations, settings->attestation_history_days);
}

static bool expire_notifications(Verifier *verifier, Timestamp now, GError **error)
{
    g_autoptr(GPtrArray) lost = NULL;
    if (!outbox_expire(verifier->database, &verifier->settings.notifications, now, &lost, error))
        return false;
    for (guint i = 0; i < lost->len; i++)
        log_error("%s", (const char *)g_ptr_array_index(lost, i));
    return true;
}

static bool sweep_all(Verifier *verifier, GError **error)
{
    Timestamp now = timestamp_now();
    HousekeepingRound round;
    if (!housekeeping_sweep(verifier->database, &verifier->settings, now, &round, error))
        return false;
    report(&round, &verifier->settings);
    return expire_notifications(verifier, now, error) && stale_agents_handle(verifier, now, error);
}

static void run(gpointer context)
{
    g_autoptr(GError) error = NULL;
    if (!sweep_all(context, &error))
        log_error("Cannot delete what has expired: %s", error->message);
}

Timestamp housekeeping_span(const VerifierSettings *settings)
{
    if (settings->stale_after == 0)
        return settings->housekeeping_interval;
    return MIN(settings->housekeeping_interval, stale_agents_gap(settings) / 2);
}

Ticker *housekeeping_start(Verifier *verifier, GError **error)
{
    return ticker_start("housekeeping", housekeeping_span(&verifier->settings), run, verifier,
                        error);
}
