/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.verifier"
#include "verifier/upkeep/stale_agents.h"

#include "base/log.h"
#include "verifier/management/store.h"

#define DAY (24 * 60 * 60 * TIMESTAMP_SECOND)
/* A gap between two rounds that a busy machine may leave, however short the time that counts. */
#define GAP_MIN (60 * TIMESTAMP_SECOND)

typedef struct {
    Verifier *verifier;
    Timestamp now;
    Timestamp since; /* silence before it does not count */
    GPtrArray *ids;  /* of char*: who was found */
} Round;

/* One of them. */
typedef struct {
    const Round *round;
    const char *agent_id;
    bool still;     /* it has not been heard from meanwhile */
    Timestamp last; /* when it was */
} Case;

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

Timestamp stale_agents_gap(const VerifierSettings *settings)
{
    return MAX(settings->stale_after / 2, GAP_MIN);
}

static bool beat(Connection *connection, gpointer data, GError **error)
{
    Round *round = data;
    Timestamp last_round = 0;
    if (!read_beats(connection, &last_round, &round->since, error))
        return false;
    bool anew = round->now - last_round > stale_agents_gap(&round->verifier->settings) ||
                last_round - round->now > CLOCK_SET_BACK;
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

static bool find(Connection *connection, gpointer data, GError **error)
{
    Round *round = data;
    g_ptr_array_set_size(round->ids, 0);
    g_autoptr(Rows) rows = sql_query(
        connection, error, "SELECT agent_id FROM agents WHERE " IS_STALE " LIMIT $3", "tii",
        round->verifier->settings.uuid, threshold_of(round), (gint64)STALE_AGENTS_AT_ONCE);
    GError *failure = NULL;
    while (rows && rows_next(rows, &failure))
        g_ptr_array_add(round->ids, g_strdup(rows_text(rows, 0)));
    if (failure)
        g_propagate_error(error, failure);
    return rows && !failure;
}

/* Locks the agent's row; from now on the time counts anew. */
static bool claim(Connection *connection, Case *one, GError **error)
{
    const Round *round = one->round;
    g_autoptr(Rows) rows = sql_query(
        connection, error,
        "UPDATE agents SET stale_from = $3 WHERE agent_id = $4 AND " IS_STALE
        " RETURNING last_received_quote, created_at",
        "tiit", round->verifier->settings.uuid, threshold_of(round), round->now, one->agent_id);
    GError *failure = NULL;
    one->still = rows && rows_next(rows, &failure);
    if (one->still)
        one->last = MAX(rows_int(rows, 0), rows_int(rows, 1));
    if (failure)
        g_propagate_error(error, failure);
    return rows && !failure;
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
    Case *one = data;
    const VerifierSettings *settings = &one->round->verifier->settings;
    if (!claim(connection, one, error))
        return false;
    if (!one->still || settings->stale_action == STALE_WARN)
        return true;
    return settings->stale_action == STALE_ARCHIVE
               ? archive(connection, one->agent_id, error)
               : management_delete_record(connection, settings, one->agent_id, one->round->now,
                                          error);
}

static void report(const Case *one)
{
    static const char *const done[] = {
        [STALE_WARN] = "check whether the machine still exists, and delete the agent if it does"
                       " not",
        [STALE_ARCHIVE] = "it is archived: stopped, its token and history deleted, until it is"
                          " reactivated",
        [STALE_DELETE] = "its enrolment is deleted",
    };
    log_warning("Agent '%s' is stale, nothing was heard from it for %.1f days (stale_agent_after):"
                " %s",
                one->agent_id, (double)(one->round->now - one->last) / DAY,
                done[one->round->verifier->settings.stale_action]);
}

/* Each in a transaction of its own, as what is told of one waits for others
 * (verifier/notification/outbox.h). */
static bool handle_found(const Round *round, GError **error)
{
    for (guint i = 0; i < round->ids->len; i++) {
        Case one = {.round = round, .agent_id = g_ptr_array_index(round->ids, i)};
        if (!database_write(round->verifier->database, handle, &one, error))
            return false;
        if (one.still)
            report(&one);
    }
    return true;
}

bool stale_agents_handle(Verifier *verifier, Timestamp now, GError **error)
{
    g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
    Round round = {.verifier = verifier, .now = now, .ids = ids};
    if (verifier->settings.stale_after == 0)
        return true;
    if (!database_write(verifier->database, beat, &round, error))
        return false;
    if (round.since >= threshold_of(&round))
        return true;
    do {
        if (!database_read(verifier->database, find, &round, error) || !handle_found(&round, error))
            return false;
    } while (ids->len == STALE_AGENTS_AT_ONCE);
    return true;
}
