/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/policies/policy_record.h"

#include <string.h>

static const char *const kinds[] = {
    [POLICY_RUNTIME] = "runtime",
    [POLICY_MEASURED_BOOT] = "measured_boot",
};

PolicyRecord *policy_record_new(PolicyKind kind, const char *name, char *text)
{
    PolicyRecord *record = g_new0(PolicyRecord, 1);
    record->kind = kind;
    record->name = g_strdup(name);
    record->text = text;
    record->checksum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text ? text : "", -1);
    return record;
}

void policy_record_free(PolicyRecord *record)
{
    if (!record)
        return;
    g_free(record->name);
    g_free(record->text);
    g_free(record->checksum);
    g_free(record->key);
    g_free(record);
}

/* The texts of the first column; NULL and *error on a failure. */
static GPtrArray *texts_of_rows(Rows *rows, GError **error)
{
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    GError *failure = NULL;
    while (rows_next(rows, &failure))
        g_ptr_array_add(texts, g_strdup(rows_text(rows, 0)));
    if (!failure)
        return g_steal_pointer(&texts);
    g_propagate_error(error, failure);
    return NULL;
}

#define COLUMNS "name, checksum, generator, wants_log, key"
#define WITH_TEXT "policies JOIN policy_texts USING (kind, name)"

static PolicyRecord *record_of_row(Rows *rows, PolicyKind kind)
{
    PolicyRecord *record = g_new0(PolicyRecord, 1);
    record->kind = kind;
    record->name = g_strdup(rows_text(rows, 0));
    record->checksum = g_strdup(rows_text(rows, 1));
    record->generator = rows_int(rows, 2);
    record->wants_log = rows_int(rows, 3) != 0;
    record->key = g_strdup(rows_text(rows, 4));
    return record;
}

/* The first row; `with_text`: a further column has the text. */
static bool single_of_rows(Rows *rows, PolicyKind kind, bool with_text, PolicyRecord **out,
                           GError **error)
{
    *out = NULL;
    if (!rows)
        return false;
    GError *failure = NULL;
    if (rows_next(rows, &failure)) {
        *out = record_of_row(rows, kind);
        if (with_text)
            (*out)->text = g_strdup(rows_text(rows, 5));
        return true;
    }
    if (!failure)
        return true;
    g_propagate_error(error, failure);
    return false;
}

bool policy_record_load(Connection *connection, PolicyKind kind, const char *name,
                        PolicyRecord **out, GError **error)
{
    g_autoptr(Rows) rows =
        sql_query(connection, error,
                  "SELECT " COLUMNS ", policy FROM " WITH_TEXT " WHERE kind = $1 AND name = $2",
                  "tt", kinds[kind], name);
    return single_of_rows(rows, kind, true, out, error);
}

bool policy_record_of_agent(Connection *connection, PolicyKind kind, const char *agent_id,
                            PolicyRecord **out, GError **error)
{
    static const char *const statements[] = {
        [POLICY_RUNTIME] = "SELECT " COLUMNS ", policy FROM " WITH_TEXT
                           " WHERE kind = $1 AND name = (SELECT runtime_policy FROM enrolments"
                           " WHERE agent_id = $2)",
        [POLICY_MEASURED_BOOT] = "SELECT " COLUMNS ", policy FROM " WITH_TEXT
                                 " WHERE kind = $1 AND name = (SELECT mb_policy FROM enrolments"
                                 " WHERE agent_id = $2)",
    };
    g_autoptr(Rows) rows =
        sql_query(connection, error, statements[kind], "tt", kinds[kind], agent_id);
    return single_of_rows(rows, kind, true, out, error);
}

bool policy_record_lock(Connection *connection, PolicyKind kind, const char *name,
                        PolicyRecord **out, GError **error)
{
    g_autoptr(Rows) rows = sql_query(connection, error,
                                     "UPDATE policies SET updated_at = updated_at"
                                     " WHERE kind = $1 AND name = $2 RETURNING " COLUMNS,
                                     "tt", kinds[kind], name);
    return single_of_rows(rows, kind, false, out, error);
}

bool policy_record_names(Connection *connection, PolicyKind kind, GPtrArray **out, GError **error)
{
    g_autoptr(Rows) rows =
        sql_query(connection, error, "SELECT name FROM policies WHERE kind = $1 ORDER BY name", "t",
                  kinds[kind]);
    *out = rows ? texts_of_rows(rows, error) : NULL;
    return *out != NULL;
}

bool policy_record_users(Connection *connection, PolicyKind kind, const char *name,
                         const char *except, gint64 limit, GPtrArray **out, GError **error)
{
    static const char *const statements[] = {
        [POLICY_RUNTIME] = "SELECT agent_id FROM enrolments WHERE runtime_policy = $1"
                           " AND agent_id <> $2 ORDER BY agent_id LIMIT $3",
        [POLICY_MEASURED_BOOT] = "SELECT agent_id FROM enrolments WHERE mb_policy = $1"
                                 " AND agent_id <> $2 ORDER BY agent_id LIMIT $3",
    };
    g_autoptr(Rows) rows =
        sql_query(connection, error, statements[kind], "tti", name, except ? except : "", limit);
    *out = rows ? texts_of_rows(rows, error) : NULL;
    return *out != NULL;
}

static bool write_text(Connection *connection, const PolicyRecord *record, GError **error)
{
    return sql_run(connection, error,
                   "INSERT INTO policy_texts (kind, name, policy) VALUES ($1, $2, $3)"
                   " ON CONFLICT (kind, name) DO UPDATE SET policy = excluded.policy",
                   "ttt", kinds[record->kind], record->name, record->text);
}

bool policy_record_insert(Connection *connection, const PolicyRecord *record, bool *done,
                          GError **error)
{
    guint64 changed = 0;
    *done = false;
    if (!sql_change(connection, &changed, error,
                    "INSERT INTO policies (kind, name, checksum, generator, wants_log, updated_at,"
                    " key) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
                    "tttiiit", kinds[record->kind], record->name, record->checksum,
                    record->generator, (gint64)record->wants_log, g_get_real_time(), record->key))
        return false;
    *done = changed > 0;
    return !*done || write_text(connection, record, error);
}

bool policy_record_replace(Connection *connection, const PolicyRecord *record, bool *done,
                           GError **error)
{
    guint64 changed = 0;
    *done = false;
    if (!sql_change(connection, &changed, error,
                    "UPDATE policies SET checksum = $3, generator = $4, wants_log = $5,"
                    " updated_at = $6, key = $7 WHERE kind = $1 AND name = $2",
                    "tttiiit", kinds[record->kind], record->name, record->checksum,
                    record->generator, (gint64)record->wants_log, g_get_real_time(), record->key))
        return false;
    *done = changed > 0;
    return !*done || write_text(connection, record, error);
}

bool policy_record_delete(Connection *connection, PolicyKind kind, const char *name, GError **error)
{
    return sql_run(connection, error, "DELETE FROM policies WHERE kind = $1 AND name = $2", "tt",
                   kinds[kind], name);
}
