/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/agent_record.h"

#include "base/timestamp.h"

#include <string.h>

static void clear_bytes(GBytes **bytes)
{
    g_clear_pointer(bytes, g_bytes_unref);
}

void agent_identity_clear(AgentIdentity *identity)
{
    clear_bytes(&identity->ek_tpm);
    clear_bytes(&identity->aik_tpm);
    clear_bytes(&identity->ekcert);
    clear_bytes(&identity->iak_tpm);
    clear_bytes(&identity->iak_cert);
    clear_bytes(&identity->idevid_tpm);
    clear_bytes(&identity->idevid_cert);
    g_free(identity->ek_cert_status);
    g_free(identity->ek_cert_reason);
    g_free(identity->ip);
    g_free(identity->mtls_cert);
    *identity = (AgentIdentity){0};
}

void agent_record_free(AgentRecord *record)
{
    if (!record)
        return;
    g_free(record->agent_id);
    agent_identity_clear(&record->identity);
    g_free(record);
}

void agent_lookup_clear(AgentLookup *lookup)
{
    g_clear_pointer(&lookup->record, agent_record_free);
    clear_bytes(&lookup->tombstone_ek);
    lookup->state = AGENT_UNKNOWN;
}

/* --- looking up
 * ----------------------------------------------------------------------------------- */

typedef struct {
    const char *agent_id;
    AgentLookup *out;
} LookupWork;

static GBytes *optional_bytes(Rows *rows, unsigned column)
{
    return rows_is_null(rows, column) ? NULL : bytes_copy(rows_bytes(rows, column));
}

static AgentRecord *record_of_row(Rows *rows, const char *agent_id)
{
    AgentRecord *record = g_new0(AgentRecord, 1);
    record->agent_id = g_strdup(agent_id);
    record->regcount = rows_int(rows, 12);
    record->identity = (AgentIdentity){
        .ek_tpm = optional_bytes(rows, 0),
        .aik_tpm = optional_bytes(rows, 1),
        .ekcert = optional_bytes(rows, 2),
        .ek_cert_status = g_strdup(rows_text(rows, 3)),
        .ek_cert_reason = g_strdup(rows_text(rows, 4)),
        .iak_tpm = optional_bytes(rows, 5),
        .iak_cert = optional_bytes(rows, 6),
        .idevid_tpm = optional_bytes(rows, 7),
        .idevid_cert = optional_bytes(rows, 8),
        .ip = g_strdup(rows_text(rows, 9)),
        .has_port = !rows_is_null(rows, 10),
        .port = rows_int(rows, 10),
        .mtls_cert = g_strdup(rows_text(rows, 11)),
    };
    return record;
}

static bool find_active(Connection *connection, LookupWork *work, GError **error)
{
    g_autoptr(Rows) rows =
        sql_query(connection, error,
                  "SELECT ek_tpm, aik_tpm, ekcert, ek_cert_status, ek_cert_reason, iak_tpm,"
                  " iak_cert, idevid_tpm, idevid_cert, ip, port, mtls_cert, regcount"
                  " FROM agents WHERE agent_id = $1",
                  "t", work->agent_id);
    GError *failure = NULL;
    if (!rows)
        return false;
    if (rows_next(rows, &failure)) {
        work->out->state = AGENT_ACTIVE;
        work->out->record = record_of_row(rows, work->agent_id);
    }
    if (failure)
        g_propagate_error(error, failure);
    return failure == NULL;
}

/* What else stands under the id: open registrations, a tombstone. */
static bool find_traces(Connection *connection, LookupWork *work, GError **error)
{
    g_autoptr(Rows) rows =
        sql_query(connection, error,
                  "SELECT 1, ek_tpm FROM tombstones WHERE agent_id = $1 AND expires_at > $2"
                  " UNION ALL SELECT * FROM (SELECT 2, ek_tpm FROM registrations"
                  " WHERE agent_id = $1 LIMIT 1) AS open",
                  "ti", work->agent_id, timestamp_now());
    GError *failure = NULL;
    while (rows && rows_next(rows, &failure)) {
        if (rows_int(rows, 0) == 1)
            work->out->tombstone_ek = bytes_copy(rows_bytes(rows, 1));
        else
            work->out->state = AGENT_UNPROVEN;
    }
    if (failure)
        g_propagate_error(error, failure);
    return rows && failure == NULL;
}

static bool lookup_work(Connection *connection, gpointer data, GError **error)
{
    LookupWork *work = data;
    agent_lookup_clear(work->out);
    return find_active(connection, work, error) &&
           (work->out->state == AGENT_ACTIVE || find_traces(connection, work, error));
}

bool agent_lookup(Database *database, const char *agent_id, AgentLookup *out, GError **error)
{
    *out = (AgentLookup){0};
    LookupWork work = {agent_id, out};
    return database_read(database, lookup_work, &work, error);
}

/* --- list and delete
 * ------------------------------------------------------------------------------ */

static bool list_work(Connection *connection, gpointer data, GError **error)
{
    Json **out = data;
    g_clear_pointer(out, json_unref);
    *out = json_object_new_array();
    g_autoptr(Rows) rows = sql_query(connection, error,
                                     "SELECT agent_id FROM agents UNION"
                                     " SELECT agent_id FROM registrations ORDER BY agent_id",
                                     "");
    GError *failure = NULL;
    while (rows && rows_next(rows, &failure))
        json_object_array_add(*out, json_new_text(rows_text(rows, 0)));
    if (failure)
        g_propagate_error(error, failure);
    return rows && failure == NULL;
}

Json *agent_list(Database *database, GError **error)
{
    g_autoptr(Json) list = NULL;
    if (!database_read(database, list_work, &list, error))
        return NULL;
    return g_steal_pointer(&list);
}

typedef struct {
    const char *agent_id;
    gint64 tombstone;
    guint64 found;
} DeleteWork;

static bool bury(Connection *connection, const DeleteWork *work, GError **error)
{
    if (work->tombstone <= 0)
        return true;
    return sql_run(connection, error,
                   "INSERT INTO tombstones (agent_id, ek_tpm, expires_at)"
                   " SELECT agent_id, ek_tpm, CAST($2 AS BIGINT) FROM agents WHERE agent_id = $1"
                   " ON CONFLICT (agent_id) DO UPDATE SET ek_tpm = excluded.ek_tpm,"
                   " expires_at = excluded.expires_at",
                   "ti", work->agent_id, timestamp_now() + work->tombstone * TIMESTAMP_SECOND);
}

static bool delete_work(Connection *connection, gpointer data, GError **error)
{
    DeleteWork *work = data;
    guint64 agents = 0, registrations = 0;
    bool good = bury(connection, work, error) &&
                sql_change(connection, &agents, error, "DELETE FROM agents WHERE agent_id = $1",
                           "t", work->agent_id) &&
                sql_change(connection, &registrations, error,
                           "DELETE FROM registrations WHERE agent_id = $1", "t", work->agent_id);
    work->found = agents + registrations;
    return good;
}

bool agent_delete(Database *database, const char *agent_id, gint64 tombstone, bool *found,
                  GError **error)
{
    DeleteWork work = {.agent_id = agent_id, .tombstone = tombstone};
    if (!database_write(database, delete_work, &work, error))
        return false;
    *found = work.found > 0;
    return true;
}

/* --- the answer
 * ----------------------------------------------------------------------------------- */

Json *agent_record_to_json(const AgentRecord *record)
{
    const AgentIdentity *identity = &record->identity;
    Json *out = json_object_new_object();
    json_add_text(out, "agent_id", record->agent_id);
    json_add_base64(out, "ek_tpm", bytes_of_gbytes(identity->ek_tpm));
    if (identity->ekcert)
        json_add_base64(out, "ekcert", bytes_of_gbytes(identity->ekcert));
    else
        json_add_null(out, "ekcert");
    json_add_base64(out, "aik_tpm", bytes_of_gbytes(identity->aik_tpm));
    json_add_text(out, "ip", identity->ip);
    if (identity->has_port)
        json_add_int(out, "port", identity->port);
    else
        json_add_null(out, "port");
    json_add_text(out, "mtls_cert", identity->mtls_cert);
    json_add_int(out, "regcount", record->regcount);
    json_add_text(out, "ek_cert_status", identity->ek_cert_status);
    json_add_text(out, "ek_cert_reason", identity->ek_cert_reason);
    return out;
}
