/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.verifier"
#include "verifier/session/store.h"

#include "base/log.h"
#include "base/secret.h"

#include <string.h>

/* A used id is remembered so much longer than its challenge lives, so that clocks of replicas that
 * differ do not bring it back to life. */
#define CONSUMED_MARGIN (3600 * TIMESTAMP_SECOND)

#define DETAIL_INVALID "Invalid authentication token"
#define DETAIL_NOT_ACTIVE "Authentication session not active"
#define DETAIL_EXPIRED "Authentication token expired"

/* --- opening ---------------------------------------------------------------------------------- */

/* The agent's row is locked first: the AK that proved itself is the enrolled one at commit, too. */
static bool agent_still_has_ak(Connection *connection, const SessionOpening *opening, bool *has,
                               GError **error)
{
    *has = false;
    guint64 changed = 0;
    if (!sql_change(connection, &changed, error,
                    "UPDATE agents SET agent_id = agent_id WHERE agent_id = $1 AND ak_name = $2",
                    "tb", opening->agent_id, &opening->ak_name))
        return false;
    *has = changed > 0;
    return true;
}

bool session_store_open(Connection *connection, SessionOpening *opening, GError **error)
{
    bool has = false;
    if (!agent_still_has_ak(connection, opening, &has, error))
        return false;
    opening->result = SESSION_NOT_ENROLLED;
    if (!has)
        return true;
    guint64 inserted = 0;
    if (!sql_change(connection, &inserted, error,
                    "INSERT INTO consumed_sessions (session_id, expires_at) VALUES ($1, $2)"
                    " ON CONFLICT (session_id) DO NOTHING",
                    "ti", opening->challenge->id, opening->challenge->expires))
        return false;
    opening->result = SESSION_CONSUMED;
    if (inserted == 0)
        return true;
    opening->result = SESSION_OPENED;
    Bytes hash = bytes_of(opening->token_hash, TOKEN_HASH_SIZE);
    return sql_run(connection, error, "DELETE FROM consumed_sessions WHERE expires_at < $1", "i",
                   opening->now - CONSUMED_MARGIN) &&
           sql_run(connection, error,
                   "INSERT INTO sessions (agent_id, session_id, token_hash, ak_name,"
                   " created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)"
                   " ON CONFLICT (agent_id) DO UPDATE SET session_id = excluded.session_id,"
                   " token_hash = excluded.token_hash, ak_name = excluded.ak_name,"
                   " created_at = excluded.created_at, expires_at = excluded.expires_at",
                   "ttbbii", opening->agent_id, opening->challenge->id, &hash, &opening->ak_name,
                   opening->now, opening->expires);
}

bool session_store_is_consumed(Connection *connection, const char *session_id, bool *consumed,
                               GError **error)
{
    *consumed = false;
    g_autoptr(Rows) rows =
        sql_query(connection, error, "SELECT 1 FROM consumed_sessions WHERE session_id = $1", "t",
                  session_id);
    if (!rows)
        return false;
    GError *failure = NULL;
    *consumed = rows_next(rows, &failure);
    if (failure)
        g_propagate_error(error, failure);
    return !failure;
}

/* --- purging ---------------------------------------------------------------------------------- */

bool session_store_purge(Connection *connection, Timestamp now, gint64 limit, guint64 *tokens,
                         guint64 *ids, GError **error)
{
    return sql_change(connection, tokens, error,
                      "DELETE FROM sessions WHERE agent_id IN"
                      " (SELECT agent_id FROM sessions WHERE expires_at < $1 LIMIT $2)"
                      " AND expires_at < $1",
                      "ii", now, limit) &&
           sql_change(connection, ids, error,
                      "DELETE FROM consumed_sessions WHERE session_id IN (SELECT session_id"
                      " FROM consumed_sessions WHERE expires_at < $1 LIMIT $2)",
                      "ii", now - CONSUMED_MARGIN, limit);
}

/* --- checking --------------------------------------------------------------------------------- */

typedef struct {
    const char *session_id;
    bool found, enrolled, same_ak;
    char *agent_id;
    uint8_t hash[TOKEN_HASH_SIZE];
    bool hash_fits; /* size of the stored hash */
    Timestamp expires;
} Lookup;

static bool lookup_work(Connection *connection, gpointer data, GError **error)
{
    Lookup *lookup = data;
    g_clear_pointer(&lookup->agent_id, g_free);
    lookup->found = false;
    g_autoptr(Rows) rows =
        sql_query(connection, error,
                  "SELECT s.agent_id, s.token_hash, s.ak_name, s.expires_at, a.ak_name"
                  " FROM sessions s LEFT JOIN agents a ON a.agent_id = s.agent_id"
                  " WHERE s.session_id = $1",
                  "t", lookup->session_id);
    if (!rows)
        return false;
    GError *failure = NULL;
    if (rows_next(rows, &failure)) {
        Bytes hash = rows_bytes(rows, 1);
        lookup->found = true;
        lookup->agent_id = g_strdup(rows_text(rows, 0));
        lookup->hash_fits = hash.size == TOKEN_HASH_SIZE;
        if (lookup->hash_fits)
            memcpy(lookup->hash, hash.data, TOKEN_HASH_SIZE);
        lookup->expires = rows_int(rows, 3);
        lookup->enrolled = !rows_is_null(rows, 4);
        lookup->same_ak = bytes_equal(rows_bytes(rows, 2), rows_bytes(rows, 4));
    }
    if (failure)
        g_propagate_error(error, failure);
    return !failure;
}

static bool delete_work(Connection *connection, gpointer data, GError **error)
{
    const char *session_id = data;
    return sql_run(connection, error, "DELETE FROM sessions WHERE session_id = $1", "t",
                   session_id);
}

/* Decision D35: the token of an AK that is no longer the agent's. */
static void revoke_session(Database *database, char *session_id, const char *agent_id)
{
    g_autoptr(GError) error = NULL;
    log_info("Revoked a token of agent '%s': its attestation key has changed since", agent_id);
    if (!database_write(database, delete_work, session_id, &error))
        log_warning("Cannot delete a revoked session of agent '%s': %s", agent_id, error->message);
}

static const char *refusal_of(const Lookup *lookup, const uint8_t *hash)
{
    if (!lookup->found || !lookup->hash_fits ||
        !secret_equal(bytes_of(lookup->hash, TOKEN_HASH_SIZE), bytes_of(hash, TOKEN_HASH_SIZE)))
        return DETAIL_INVALID;
    if (lookup->expires < timestamp_now())
        return DETAIL_EXPIRED;
    return lookup->enrolled && !lookup->same_ak ? DETAIL_NOT_ACTIVE : NULL;
}

bool session_store_check_token(const char *token, char **agent_id, const char **detail,
                               gpointer context)
{
    Verifier *verifier = context;
    g_autofree char *session_id = NULL;
    uint8_t hash[TOKEN_HASH_SIZE];
    *detail = DETAIL_INVALID;
    if (!token_parse(token, &session_id, hash))
        return false;
    Lookup lookup = {.session_id = session_id};
    g_autoptr(GError) error = NULL;
    if (!database_read(verifier->database, lookup_work, &lookup, &error)) {
        log_error("Cannot check a token: %s", error->message);
        *detail = NULL;
        return false;
    }
    g_autofree char *owner = lookup.agent_id;
    *detail = refusal_of(&lookup, hash);
    if (*detail) {
        if (g_str_equal(*detail, DETAIL_NOT_ACTIVE))
            revoke_session(verifier->database, session_id, owner);
        return false;
    }
    *agent_id = g_steal_pointer(&owner);
    return true;
}
