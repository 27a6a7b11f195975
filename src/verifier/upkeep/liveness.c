/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.verifier"
#include "verifier/upkeep/liveness.h"

#include "base/log.h"
#include "verifier/notification/outbox.h"

#define SWEEP_SPAN G_TIME_SPAN_SECOND
/* A heartbeat that is older: no verifier ran in between (a busy machine may miss one or two). */
#define OUTAGE (3 * TIMESTAMP_SECOND)

typedef struct {
    const VerifierSettings *settings;
    Timestamp now;
    Timestamp limit;
    /* what the look found; 0 = none */
    Timestamp deadline, beat, enrolled, warned;
    LivenessSweep *out;
    GPtrArray *silent;  /* of char*: log lines */
    GPtrArray *alarms;  /* of char*: ids of agents whose status became TIMEOUT */
    GPtrArray *pending; /* likewise */
} Sweep;

/* --- looking: a read, so that an idle verifier writes nothing ------------------------------ */

static bool look(Connection *connection, gpointer data, GError **error)
{
    Sweep *sweep = data;
    g_autoptr(Rows) rows =
        sql_query(connection, error,
                  "SELECT (SELECT MIN(deadline) FROM agents WHERE deadline IS NOT NULL),"
                  " (SELECT beaten_at FROM heartbeats WHERE name = 'liveness'),"
                  " (SELECT MIN(created_at) FROM agents WHERE last_received_quote = 0"
                  " AND pending_noticed = 0),"
                  " (SELECT MIN(created_at) FROM agents WHERE last_received_quote = 0"
                  " AND pending_noticed = 1)",
                  "");
    GError *failure = NULL;
    if (rows && rows_next(rows, &failure)) {
        sweep->deadline = rows_int(rows, 0);
        sweep->beat = rows_int(rows, 1);
        sweep->enrolled = rows_int(rows, 2);
        sweep->warned = rows_int(rows, 3);
    }
    if (failure)
        g_propagate_error(error, failure);
    return rows && !failure;
}

static bool is_due(const Sweep *sweep)
{
    if (sweep->deadline != 0 &&
        (sweep->deadline <= sweep->now || sweep->beat + SWEEP_SPAN <= sweep->now ||
         sweep->beat - sweep->now > CLOCK_SET_BACK))
        return true;
    if (sweep->enrolled != 0 && sweep->enrolled + sweep->limit <= sweep->now)
        return true;
    return sweep->settings->pending_notice != 0 && sweep->warned != 0 &&
           sweep->warned + sweep->settings->pending_notice <= sweep->now;
}

/* --- writing ------------------------------------------------------------------------------- */

/* $1 now, $2 limit, $3 CLOCK_SET_BACK. What is from the future came before the clock was set back.
 */
#define EVIDENCE_IS_FRESH "(last_received_quote > $1 - $2 AND last_received_quote <= $1 + $3)"

/* Deadlines which passed while nobody could have received evidence start anew (decision D66). A
 * clock that is set forward looks the same. */
static bool rearm_after_outage(Connection *connection, Sweep *sweep, GError **error)
{
    if (sweep->beat == 0 || sweep->now - sweep->beat <= OUTAGE)
        return true;
    guint64 changed = 0;
    bool done = sql_change(connection, &changed, error,
                           "UPDATE agents SET deadline = $1 + $2 WHERE deadline > $4"
                           " AND deadline <= $1 AND NOT " EVIDENCE_IS_FRESH,
                           "iiii", sweep->now, sweep->limit, CLOCK_SET_BACK, sweep->beat);
    sweep->out->rearmed = (unsigned)changed;
    return done;
}

/* The clock was set back: no deadline lies further ahead than one that is set now could, else
 * silence would go unnoticed until the clock has caught up. */
static bool rearm_after_step_back(Connection *connection, Sweep *sweep, GError **error)
{
    if (sweep->beat - sweep->now <= CLOCK_SET_BACK)
        return true;
    Timestamp latest = sweep->now + sweep->limit + sweep->settings->quote_interval + CLOCK_SET_BACK;
    guint64 changed = 0;
    bool done = sql_change(connection, &changed, error,
                           "UPDATE agents SET deadline = $2 WHERE deadline > $1", "ii", latest,
                           sweep->now + sweep->limit);
    sweep->out->rearmed += (unsigned)changed;
    return done;
}

/* The one statement: it looks at the last accepted evidence again, and an agent whose evidence is
 * being verified is not silent. Of two processes that sweep at once one changes the row. */
static bool time_out(Connection *connection, Sweep *sweep, GError **error)
{
    g_autoptr(Rows) rows = sql_query(
        connection, error,
        "UPDATE agents SET accept_attestations = 0, deadline = NULL, alarmed = 1"
        " WHERE deadline <= $1 AND NOT " EVIDENCE_IS_FRESH " AND accept_attestations = 1"
        " AND NOT EXISTS (SELECT 1 FROM attestations WHERE attestations.agent_id = agents.agent_id"
        " AND stage = 'evaluating_evidence')"
        " RETURNING agent_id, last_received_quote, consecutive_failures",
        "iii", sweep->now, sweep->limit, CLOCK_SET_BACK);
    double limit = (double)sweep->limit / TIMESTAMP_SECOND;
    GError *failure = NULL;
    while (rows && rows_next(rows, &failure)) {
        if (rows_int(rows, 2) == 0) /* else it stays FAIL */
            g_ptr_array_add(sweep->alarms, g_strdup(rows_text(rows, 0)));
        Timestamp silence = MAX(sweep->now - rows_int(rows, 1), sweep->limit);
        g_ptr_array_add(
            sweep->silent,
            g_strdup_printf("Agent '%s' is marked as failed (TIMEOUT): no evidence for %.1f s, the"
                            " limit is %.1f s (5 x quote_interval); check"
                            " attestation_interval_seconds on the agent (must be below %.1f s)",
                            rows_text(rows, 0), (double)silence / TIMESTAMP_SECOND, limit, limit));
    }
    if (failure)
        g_propagate_error(error, failure);
    sweep->out->timed_out = sweep->silent->len;
    return rows && !failure;
}

/* Evidence came after the deadline was set: it is the later one. */
static bool catch_up(Connection *connection, const Sweep *sweep, GError **error)
{
    return sql_run(connection, error,
                   "UPDATE agents SET deadline = last_received_quote + $2"
                   " WHERE deadline <= $1 AND " EVIDENCE_IS_FRESH,
                   "iii", sweep->now, sweep->limit, CLOCK_SET_BACK);
}

/* Never attested: a line after the time-out (contract C112), another after `pending_notice`. */
static bool notice_pending(Connection *connection, Sweep *sweep, gint64 noticed, Timestamp age,
                           GError **error)
{
    g_autoptr(Rows) rows =
        sql_query(connection, error,
                  "UPDATE agents SET pending_noticed = $1 + 1 WHERE last_received_quote = 0"
                  " AND pending_noticed = $1 AND created_at <= $2 RETURNING agent_id, created_at",
                  "ii", noticed, sweep->now - age);
    GError *failure = NULL;
    while (rows && rows_next(rows, &failure))
        g_ptr_array_add(
            sweep->pending,
            g_strdup_printf("Agent '%s' has never attested: it was enrolled %" G_GINT64_FORMAT
                            " s ago and stays PENDING; check that the agent runs, that its id is"
                            " this one and that verifier_url names this verifier (%s)",
                            rows_text(rows, 0), (sweep->now - rows_int(rows, 1)) / TIMESTAMP_SECOND,
                            noticed == 0 ? "first notice" : "agent_never_attested"));
    if (failure)
        g_propagate_error(error, failure);
    sweep->out->never_attested = sweep->pending->len;
    return rows && !failure;
}

static bool beat(Connection *connection, const Sweep *sweep, GError **error)
{
    return sql_run(connection, error,
                   "INSERT INTO heartbeats (name, beaten_at) VALUES ('liveness', $1)"
                   " ON CONFLICT (name) DO UPDATE SET beaten_at = excluded.beaten_at"
                   " WHERE heartbeats.beaten_at < excluded.beaten_at OR heartbeats.beaten_at > $2",
                   "ii", sweep->now, sweep->now + CLOCK_SET_BACK);
}

/* Decision D108. */
static bool notify(Connection *connection, const Sweep *sweep, GError **error)
{
    g_autoptr(GArray) events = g_array_new(FALSE, FALSE, sizeof(OutboxEvent));
    for (guint i = 0; i < sweep->alarms->len; i++) {
        OutboxEvent event = {.type = NOTIFICATION_COMM_ERROR,
                             .agent_id = g_ptr_array_index(sweep->alarms, i)};
        g_array_append_val(events, event);
    }
    return outbox_add(connection, &sweep->settings->notifications,
                      (const OutboxEvent *)events->data, events->len, sweep->now, error);
}

static bool act(Connection *connection, gpointer data, GError **error)
{
    Sweep *sweep = data;
    g_ptr_array_set_size(sweep->silent, 0);
    g_ptr_array_set_size(sweep->alarms, 0);
    g_ptr_array_set_size(sweep->pending, 0);
    *sweep->out = (LivenessSweep){0};
    if (!rearm_after_outage(connection, sweep, error) ||
        !rearm_after_step_back(connection, sweep, error) || !time_out(connection, sweep, error) ||
        !catch_up(connection, sweep, error) ||
        !notice_pending(connection, sweep, 0, sweep->limit, error))
        return false;
    if (sweep->settings->pending_notice != 0 &&
        !notice_pending(connection, sweep, 1, sweep->settings->pending_notice, error))
        return false;
    return beat(connection, sweep, error) && notify(connection, sweep, error);
}

bool liveness_sweep(Database *database, const VerifierSettings *settings, Timestamp now,
                    LivenessSweep *out, GError **error)
{
    *out = (LivenessSweep){0};
    Sweep sweep = {
        .settings = settings, .now = now, .limit = verifier_liveness_limit(settings), .out = out};
    if (!database_read(database, look, &sweep, error))
        return false;
    if (!is_due(&sweep))
        return true;
    sweep.silent = g_ptr_array_new_with_free_func(g_free);
    sweep.alarms = g_ptr_array_new_with_free_func(g_free);
    sweep.pending = g_ptr_array_new_with_free_func(g_free);
    bool done = database_write(database, act, &sweep, error);
    for (guint i = 0; done && i < sweep.silent->len; i++)
        log_warning("%s", (const char *)g_ptr_array_index(sweep.silent, i));
    for (guint i = 0; done && i < sweep.pending->len; i++)
        log_warning("%s", (const char *)g_ptr_array_index(sweep.pending, i));
    g_ptr_array_unref(sweep.silent);
    g_ptr_array_unref(sweep.alarms);
    g_ptr_array_unref(sweep.pending);
    return done;
}

/* --- the thread ---------------------------------------------------------------------------- */

static void sweep_now(gpointer context)
{
    Verifier *verifier = context;
    LivenessSweep sweep;
    g_autoptr(GError) error = NULL;
    if (!liveness_sweep(verifier->database, &verifier->settings, timestamp_now(), &sweep, &error))
        log_error("Cannot check the deadlines of agents: %s", error->message);
    else if (sweep.rearmed > 0)
        log_info("%u agents get a new deadline: no verifier ran when theirs passed, or the clock"
                 " was set",
                 sweep.rearmed);
}

Ticker *liveness_start(Verifier *verifier, GError **error)
{
    return ticker_start("liveness", SWEEP_SPAN, sweep_now, verifier, error);
}
