/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/registration.h"

#include "base/secret.h"
#include "base/timestamp.h"

/* Expired challenges are kept for a while: they tell `regstatus` that an agent tries. */
#define REMEMBER_EXPIRED (3600 * TIMESTAMP_SECOND)

#define IDENTITY                                                                                   \
    "ek_tpm, aik_tpm, ekcert, ek_cert_status, ek_cert_reason, iak_tpm, iak_cert, idevid_tpm,"      \
    " idevid_cert, ip, port, mtls_cert"

/* --- staging
 * -------------------------------------------------------------------------------------- */

typedef struct {
    const char *agent_id, *peer;
    const AgentIdentity *identity;
    Bytes tag_hash;
    Timestamp now;
} StageWork;

/* Room for one more, and what nobody will answer any more. */
static bool make_room(Connection *connection, const StageWork *work, GError **error)
{
    return sql_run(connection, error, "DELETE FROM registrations WHERE expires_at < $1", "i",
                   work->now - REMEMBER_EXPIRED) &&
           sql_run(connection, error,
                   "DELETE FROM registrations WHERE agent_id = $1 AND tag_hash NOT IN"
                   " (SELECT tag_hash FROM registrations WHERE agent_id = $1 AND expires_at > $2"
                   "  ORDER BY CASE WHEN peer = $3 THEN 1 ELSE 0 END, issued_at DESC LIMIT $4)",
                   "titi", work->agent_id, work->now, work->peer,
                   (gint64)(CHALLENGES_PER_AGENT - 1));
}

static const Bytes *view(GBytes *bytes, Bytes *storage)
{
    *storage = bytes_of_gbytes(bytes);
    return bytes ? storage : NULL;
}

static bool stage_work(Connection *connection, gpointer data, GError **error)
{
    const StageWork *work = data;
    const AgentIdentity *identity = work->identity;
    Bytes ek, ak, certificate, iak, iak_certificate, idevid, idevid_certificate;
    if (!make_room(connection, work, error))
        return false;
    return sql_run(
        connection, error,
        "INSERT INTO registrations (agent_id, tag_hash, peer, attempts, issued_at,"
        " expires_at, " IDENTITY ") VALUES ($1, $2, $3, 0, $4, $5,"
        " $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        "tbtiibbbttbbbbtnt", work->agent_id, &work->tag_hash, work->peer, work->now,
        work->now + CHALLENGE_LIFETIME, view(identity->ek_tpm, &ek), view(identity->aik_tpm, &ak),
        view(identity->ekcert, &certificate), identity->ek_cert_status, identity->ek_cert_reason,
        view(identity->iak_tpm, &iak), view(identity->iak_cert, &iak_certificate),
        view(identity->idevid_tpm, &idevid), view(identity->idevid_cert, &idevid_certificate),
        identity->ip, identity->has_port ? &identity->port : NULL, identity->mtls_cert);
}

bool registration_stage(Database *database, const char *agent_id, const AgentIdentity *identity,
                        const char *tag, const char *peer, GError **error)
{
    uint8_t hash[SHA256_SIZE];
    sha256(bytes_of_text(tag), hash);
    StageWork work = {
        .agent_id = agent_id,
        .peer = peer,
        .identity = identity,
        .tag_hash = BYTES_OF_ARRAY(hash),
        .now = timestamp_now(),
    };
    return database_write(database, stage_work, &work, error);
}

/* --- activation
 * ----------------------------------------------------------------------------------- */

typedef struct {
    const char *agent_id, *peer;
    Bytes tag_hash;
    Timestamp now;
    ActivationResult result;
} ActivateWork;

/* *exists: there is any registration; *open: one that still waits for this tag. */
static bool find_challenge(Connection *connection, const ActivateWork *work, bool *exists,
                           bool *open, GError **error)
{
    g_autoptr(Rows) rows = sql_query(
        connection, error, "SELECT tag_hash, expires_at FROM registrations WHERE agent_id = $1",
        "t", work->agent_id);
    GError *failure = NULL;
    while (rows && rows_next(rows, &failure)) {
        *exists = true;
        *open = *open || (rows_int(rows, 1) > work->now &&
                          secret_equal(rows_bytes(rows, 0), work->tag_hash));
    }
    if (failure)
        g_propagate_error(error, failure);
    return rows && failure == NULL;
}

/* Takes the challenge out of reach of another replica's same request; false when it was first. */
static bool lock_challenge(Connection *connection, const ActivateWork *work, bool *locked,
                           GError **error)
{
    guint64 changed = 0;
    bool good = sql_change(connection, &changed, error,
                           "UPDATE registrations SET attempts = attempts"
                           " WHERE agent_id = $1 AND tag_hash = $2 AND expires_at > $3",
                           "tbi", work->agent_id, &work->tag_hash, work->now);
    *locked = changed > 0;
    return good;
}

/* One statement holds the rule of D18: no row comes back when the id is another TPM's by now. */
static bool swap_in(Connection *connection, ActivateWork *work, GError **error)
{
    g_autoptr(Rows) rows = sql_query(
        connection, error,
        "INSERT INTO agents (agent_id, regcount, last_tag_hash, activated_at, " IDENTITY ")"
        " SELECT agent_id, 1, tag_hash, CAST($3 AS BIGINT), " IDENTITY
        " FROM registrations WHERE agent_id = $1 AND tag_hash = $2"
        " ON CONFLICT (agent_id) DO UPDATE SET regcount = agents.regcount + 1,"
        " last_tag_hash = excluded.last_tag_hash, activated_at = excluded.activated_at,"
        " ekcert = COALESCE(excluded.ekcert, agents.ekcert),"
        " ek_cert_status = excluded.ek_cert_status, ek_cert_reason = excluded.ek_cert_reason,"
        " iak_tpm = excluded.iak_tpm, iak_cert = excluded.iak_cert,"
        " idevid_tpm = excluded.idevid_tpm, idevid_cert = excluded.idevid_cert,"
        " ip = excluded.ip, port = excluded.port, mtls_cert = excluded.mtls_cert"
        " WHERE agents.ek_tpm = excluded.ek_tpm AND agents.aik_tpm = excluded.aik_tpm"
        " AND (agents.ekcert IS NULL OR excluded.ekcert IS NULL"
        "      OR agents.ekcert = excluded.ekcert)"
        " RETURNING regcount",
        "tbi", work->agent_id, &work->tag_hash, work->now);
    GError *failure = NULL;
    bool swapped = rows && rows_next(rows, &failure);
    work->result = swapped ? ACTIVATION_DONE : ACTIVATION_FORBIDDEN;
    if (failure)
        g_propagate_error(error, failure);
    return rows && failure == NULL;
}

static bool consume(Connection *connection, ActivateWork *work, GError **error)
{
    return swap_in(connection, work, error) &&
           sql_run(connection, error,
                   "DELETE FROM registrations WHERE agent_id = $1 AND tag_hash = $2", "tb",
                   work->agent_id, &work->tag_hash) &&
           sql_run(connection, error, "DELETE FROM tombstones WHERE agent_id = $1", "t",
                   work->agent_id);
}

static bool count_wrong_tag(Connection *connection, const ActivateWork *work, GError **error)
{
    return sql_run(connection, error,
                   "UPDATE registrations SET attempts = attempts + 1,"
                   " expires_at = CASE WHEN attempts + 1 >= $4 THEN $3 ELSE expires_at END"
                   " WHERE agent_id = $1 AND peer = $2 AND expires_at > $3",
                   "ttii", work->agent_id, work->peer, work->now, (gint64)WRONG_TAGS_PER_CHALLENGE);
}

/* No open challenge has this tag: a repetition, a wrong tag, or nobody. */
static bool judge_without_challenge(Connection *connection, ActivateWork *work, bool exists,
                                    GError **error)
{
    g_autoptr(Rows) rows = sql_query(
        connection, error, "SELECT last_tag_hash, activated_at FROM agents WHERE agent_id = $1",
        "t", work->agent_id);
    GError *failure = NULL;
    bool active = rows && rows_next(rows, &failure);
    if (!rows || failure) {
        if (failure)
            g_propagate_error(error, failure);
        return false;
    }
    work->result = active || exists ? ACTIVATION_WRONG_TAG : ACTIVATION_UNKNOWN;
    if (active && rows_int(rows, 1) + REPEAT_WINDOW > work->now &&
        secret_equal(rows_bytes(rows, 0), work->tag_hash))
        work->result = ACTIVATION_REPEATED;
    g_clear_pointer(&rows, rows_free);
    return work->result != ACTIVATION_WRONG_TAG || count_wrong_tag(connection, work, error);
}

static bool activate_work(Connection *connection, gpointer data, GError **error)
{
    ActivateWork *work = data;
    bool exists = false, open = false;
    if (!find_challenge(connection, work, &exists, &open, error) ||
        (open && !lock_challenge(connection, work, &open, error)))
        return false;
    return open ? consume(connection, work, error)
                : judge_without_challenge(connection, work, exists, error);
}

bool registration_activate(Database *database, const char *agent_id, const char *tag,
                           const char *peer, ActivationResult *result, GError **error)
{
    uint8_t hash[SHA256_SIZE];
    sha256(bytes_of_text(tag), hash);
    ActivateWork work = {
        .agent_id = agent_id,
        .peer = peer,
        .tag_hash = BYTES_OF_ARRAY(hash),
        .now = timestamp_now(),
    };
    if (!database_write(database, activate_work, &work, error))
        return false;
    *result = work.result;
    return true;
}
