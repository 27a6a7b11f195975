/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.verifier"
#include "verifier/stale_agents.h"

#include "base/log.h"
#include "verifier/management_store.h"

#define DAY (24 * 60 * 60 * TIMESTAMP_SECOND)
/* A gap between two rounds that a busy machine may leave, however short the time that counts. */
#define GAP_MIN (60 * TIMESTAMP_SECOND)

typedef struct {
    Verifier *verifier;
    Timestamp now;
    Timestamp since; /* silence before it does not count */
    GPtrArray *ids;  /* of char* */
    GPtrArray *last; /* of Timestamp*: when each was heard from */
} Round;

/* $1 verifier_id, $2 heard from before. A stopped one is silent because an operator wants it. */
#define IS_STALE                                                                                   \
    "verifier_id = $1 AND last_received_quote < $2 AND created_at < $2 AND stale_from < $2"        \
    " AND operational_state <> 10"

/* --- since when silence counts --------------------------------------------------------------- */

static bool read_beats(Connection *connection, Timestamp *last_round, Timestamp *since,
                       GError **error)
{
    g_autoptr(Rows) rows =
        sql_query(connection, error,
                  "SELECT (SELECT beaten_at FROM heartbeats WHERE name = 'stale_round'),"
                  " (SELECT beaten_at FROM heartbeats WHERE name = 'stale_since')",
                  "");
    GError *failure = NULL;
    if (rows && rows_next(rows, &failure)) {
        *last_round = rows_int(rows, 0);
        *since = rows_int(rows, 1);
    }
    if (failure)
        g_propagate_error(error, failure);
    return rows && !failure;
}

static bool set_beat(Connection *connection, const char *name, Timestamp at, GError **error)
{
    return sql_run(connection, error,
                   "INSERT INTO heartbeats (name, beaten_at) VALUES ($1, $2)"
                   " ON CONFLICT (name) DO UPDATE SET beaten_at = excluded.beaten_at",
                   "ti", name, at);
}

static bool beat(Connection *connection, gpointer data, GError **error)
{
    Round *round = data;
    Timestamp last_round = 0;
    if (!read_beats(connection, &last_round, &round->since, error))
        return false;
    Timestamp gap = MAX(round->verifier->settings.stale_after / 2, GAP_MIN);
    bool anew = round->now - last_round > gap || last_round - round->now > CLOCK_SET_BACK;
    if (anew)
        round->since = round->now;
    return (!anew || set_beat(connection, "stale_since", round->now, error)) &&
           set_beat(connection, "stale_round", round->now, error);
}

/* --- which, and what becomes of them --------------------------------------------------------- */

static Timestamp threshold_of(const Round *round)
{
    return round->now - round->verifier->settings.stale_after;
}

static bool collect(Connection *connection, Round *round, Rows *rows, GError **error)
{
    GError *failure = NULL;
    while (rows && rows_next(rows, &failure)) {
        Timestamp last = MAX(rows_int(rows, 1), rows_int(rows, 2));
        g_ptr_array_add(round->ids, g_strdup(rows_text(rows, 0)));
        g_ptr_array_add(round->last, g_memdup2(&last, sizeof last));
    }
    if (failure)
        g_propagate_error(error, failure);
    return rows && !failure;
}

static bool find(Connection *connection, gpointer data, GError **error)
{
    Round *round = data;
    g_ptr_array_set_size(round->ids, 0);
    g_ptr_array_set_size(round->last, 0);
    g_autoptr(Rows) rows = sql_query(
        connection, error,
        "SELECT agent_id, last_received_quote, created_at FROM agents WHERE " IS_STALE " LIMIT $3",
        "tii", round->verifier->settings.uuid, threshold_of(round), (gint64)STALE_AGENTS_AT_ONCE);
    return collect(connection, round, rows, error);
}

/* Locks the agent's row; *still false: it has been heard from meanwhile. */
static bool claim(Connection *connection, const Round *round, const char *agent_id, bool *still,
                  GError **error)
{
    guint64 changed = 0;
    bool done =
        sql_change(connection, &changed, error,
                   "UPDATE agents SET stale_from = $3 WHERE agent_id = $4 AND " IS_STALE, "tiit",
                   round->verifier->settings.uuid, threshold_of(round), round->now, agent_id);
    *still = changed > 0;
    return done;
}

/* Stopped as by an operator, who can reactivate it; of its attestations those stay that retention
 * never deletes. */
static bool archive(Connection *connection, const char *agent_id, GError **error)
{
    return sql_run(connection, error,
                   "UPDATE agents SET operational_state = 10, deadline = NULL WHERE agent_id = $1",
                   "t", agent_id) &&
           sql_run(connection, error, "DELETE FROM sessions WHERE agent_id = $1", "t", agent_id) &&
           sql_run(connection, error, "DELETE FROM log_states WHERE agent_id = $1", "t",
                   agent_id) &&
           sql_run(connection, error, "DELETE FROM evidence_logs WHERE agent_id = $1", "t",
                   agent_id) &&
           sql_run(connection, error,
                   "DELETE FROM attestations WHERE agent_id = $1 AND attestation_index NOT IN"
                   " (SELECT last_pass_index FROM agents WHERE agent_id = $1"
                   " UNION ALL SELECT failure_run_index FROM agents WHERE agent_id = $1"
                   " UNION ALL SELECT COALESCE(MAX(attestation_index), -1) FROM attestations"
                   " WHERE agent_id = $1 AND stage = 'verification_complete')",
                   "t", agent_id);
}

static bool handle(Connection *connection, gpointer data, GError **error)
{
    Round *round = data;
    const VerifierSettings *settings = &round->verifier->settings;
    for (guint i = round->ids->len; i-- > 0;) {
        const char *agent_id = g_ptr_array_index(round->ids, i);
        bool still = false;
        if (!claim(connection, round, agent_id, &still, error))
            return false;
        if (!still) {
            g_ptr_array_remove_index(round->ids, i);
            g_ptr_array_remove_index(round->last, i);
        } else if (settings->stale_action == STALE_ARCHIVE) {
            if (!archive(connection, agent_id, error))
                return false;
        } else if (settings->stale_action == STALE_DELETE) {
            if (!management_delete_record(connection, settings, agent_id, round->now, error))
                return false;
        }
    }
    return true;
}

static void report(const Round *round)
{
    static const char *const done[] = {
        [STALE_WARN] = "check whether the machine still exists, and delete the agent if it does"
                       " not",
        [STALE_ARCHIVE] = "it is archived: stopped, its token and history deleted, until it is"
                          " reactivated",
        [STALE_DELETE] = "its enrolment is deleted",
    };
    for (guint i = 0; i < round->ids->len; i++) {
        const Timestamp *last = g_ptr_array_index(round->last, i);
        log_warning("Agent '%s' is stale, nothing was heard from it for %.1f days"
                    " (stale_agent_after): %s",
                    (const char *)g_ptr_array_index(round->ids, i),
                    (double)(round->now - *last) / DAY,
                    done[round->verifier->settings.stale_action]);
    }
}

bool stale_agents_handle(Verifier *verifier, Timestamp now, GError **error)
{
    g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) last = g_ptr_array_new_with_free_func(g_free);
    Round round = {.verifier = verifier, .now = now, .ids = ids, .last = last};
    if (verifier->settings.stale_after == 0)
        return true;
    if (!database_write(verifier->database, beat, &round, error))
        return false;
    if (round.since >= threshold_of(&round))
        return true;
    do {
        if (!database_read(verifier->database, find, &round, error) ||
            (ids->len > 0 && !database_write(verifier->database, handle, &round, error)))
            return false;
        report(&round);
    } while (ids->len == STALE_AGENTS_AT_ONCE);
    return true;
}
