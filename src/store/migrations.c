/* SPDX-License-Identifier: Apache-2.0 */
#include "store/migrations.h"

#include "store/driver.h"

typedef struct {
    const Migration *migrations;
    gint64 found; /* version of the database; 0 = no schema yet */
} Progress;

static bool query_number(Connection *connection, gint64 *out, GError **error, const char *sql,
                         const char *types, const char *text)
{
    g_autoptr(Rows) rows = types[0] ? sql_query(connection, error, sql, types, text)
                                    : sql_query(connection, error, sql, types);
    GError *failure = NULL;
    if (!rows)
        return false;
    *out = rows_next(rows, &failure) ? rows_int(rows, 0) : 0;
    if (!failure)
        return true;
    g_propagate_error(error, failure);
    return false;
}

static bool find_version(Connection *connection, gpointer data, GError **error)
{
    Progress *progress = data;
    gint64 tables;
    progress->found = 0;
    if (!query_number(connection, &tables, error, connection->driver->count_tables, "t",
                      "schema_version"))
        return false;
    return tables == 0 ||
           query_number(connection, &progress->found, error,
                        "SELECT COALESCE(MAX(version), 0) FROM schema_version", "", NULL);
}

static bool apply_one(Connection *connection, const Migration *migration, GError **error)
{
    for (const char *const *statement = migration->statements; *statement; statement++)
        if (!driver_execute(connection, *statement, error))
            return false;
    return sql_run(connection, error,
                   "INSERT INTO schema_version (version, applied_at) VALUES ($1, $2)", "ii",
                   (gint64)migration->version, g_get_real_time());
}

/* The version is looked up again under the lock: another process may have been first. */
static bool apply_missing(Connection *connection, gpointer data, GError **error)
{
    Progress *progress = data;
    const char *lock = connection->driver->lock_schema;
    if ((lock && !driver_execute(connection, lock, error)) ||
        !driver_execute(connection,
                        "CREATE TABLE IF NOT EXISTS schema_version ("
                        "version BIGINT PRIMARY KEY, applied_at BIGINT NOT NULL)",
                        error) ||
        !find_version(connection, progress, error))
        return false;
    for (const Migration *migration = progress->migrations; migration->version; migration++)
        if (migration->version > progress->found && !apply_one(connection, migration, error))
            return false;
    return true;
}

bool migrations_apply(Database *database, const Migration *migrations, bool migrate, GError **error)
{
    Progress progress = {.migrations = migrations};
    gint64 newest = 0;
    for (const Migration *migration = migrations; migration->version; migration++)
        newest = migration->version;
    if (!database_read(database, find_version, &progress, error))
        return false;
    if (progress.found < newest && migrate &&
        !database_write(database, apply_missing, &progress, error)) {
        g_prefix_error(error, "cannot bring the database to schema version %" G_GINT64_FORMAT ": ",
                       newest);
        return false;
    }
    if (progress.found > newest) {
        g_set_error(error, STORE_ERROR, STORE_ERROR_SCHEMA,
                    "the database has schema version %" G_GINT64_FORMAT
                    ", newer than %" G_GINT64_FORMAT
                    " of this program; upgrade the program or restore an older database",
                    progress.found, newest);
        return false;
    }
    if (progress.found < newest && !migrate) {
        g_set_error(error, STORE_ERROR, STORE_ERROR_SCHEMA,
                    "the database has schema version %" G_GINT64_FORMAT
                    " and this program needs %" G_GINT64_FORMAT "; set auto_migrate_db = True",
                    progress.found, newest);
        return false;
    }
    return true;
}
