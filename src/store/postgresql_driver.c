/* SPDX-License-Identifier: Apache-2.0 */
/* PostgreSQL: a pool of connections; each write is a transaction on one of them. */
#include "store/pool.h"
#include "store/postgresql_connection.h"
#include "store/postgresql_rows.h"

/* A work that meets a deadlock so often meets overload rather than chance. */
#define TRIES_MAX 10
/* Before try n + 1: up to 2^n ms, at most this. */
#define PAUSE_MAX_US 64000

typedef struct {
    Database base;
    DatabaseUrl *url;
    Pool *pool;
} PostgresqlDatabase;

static Connection *open_connection(Database *database, GError **error)
{
    return postgresql_connection_open(((PostgresqlDatabase *)database)->url, error);
}

static void close_database(Database *base)
{
    PostgresqlDatabase *database = (PostgresqlDatabase *)base;
    pool_free(database->pool);
    database_url_free(database->url);
    g_free(database);
}

static Database *open_database(DatabaseUrl *url, const DatabaseSettings *settings, GError **error)
{
    PostgresqlDatabase *database = g_new0(PostgresqlDatabase, 1);
    database->base.driver = &postgresql_driver;
    database->url = url;
    database->pool = pool_new(&database->base, settings->max_connections, open_connection,
                              postgresql_connection_close);
    Connection *first = pool_take(database->pool, error);
    if (!first) {
        close_database(&database->base);
        return NULL;
    }
    g_autofree char *version = postgresql_connection_version(first);
    database->base.description = g_strdup_printf("PostgreSQL %s, %s", version, url->shown);
    pool_give_back(database->pool, first);
    return &database->base;
}

static bool try_read(Connection *connection, DatabaseWork work, gpointer data, bool *again,
                     GError **error)
{
    if (driver_run_work(connection, work, data, error))
        return true;
    *again = postgresql_connection_trouble(connection) != POSTGRESQL_TROUBLE_NONE;
    return false;
}

static bool try_write(Connection *connection, DatabaseWork work, gpointer data, bool *again,
                      GError **error)
{
    if (!postgresql_connection_begin(connection, error) ||
        !driver_run_work(connection, work, data, error)) {
        *again = postgresql_connection_trouble(connection) != POSTGRESQL_TROUBLE_NONE;
        postgresql_connection_rollback(connection);
        return false;
    }
    if (postgresql_connection_commit(connection, error))
        return true;
    /* Lost during the commit: it may have been kept, and repeating it could do it twice. */
    PostgresqlTrouble trouble = postgresql_connection_trouble(connection);
    *again = trouble == POSTGRESQL_TROUBLE_CONFLICT;
    if (trouble == POSTGRESQL_TROUBLE_LOST)
        g_prefix_error(error, "it is unknown whether the transaction was kept: ");
    return false;
}

typedef bool (*Try)(Connection *connection, DatabaseWork work, gpointer data, bool *again,
                    GError **error);

static void pause_before(unsigned tries)
{
    g_usleep((gulong)g_random_int_range(0, MIN(1000 << tries, PAUSE_MAX_US)));
}

static bool run_repeatedly(Database *base, Try try_work, DatabaseWork work, gpointer data,
                           GError **error)
{
    Pool *pool = ((PostgresqlDatabase *)base)->pool;
    Connection *connection = pool_take(pool, error);
    if (!connection)
        return false;
    GError *failure = NULL;
    bool ok = false;
    bool again = true;
    for (unsigned tries = 1; !ok && again; tries++) {
        again = false;
        g_clear_error(&failure);
        ok = postgresql_connection_ready(connection, &failure) &&
             try_work(connection, work, data, &again, &failure);
        again = again && tries < TRIES_MAX;
        if (again)
            pause_before(tries);
    }
    pool_give_back(pool, connection);
    if (!ok)
        g_propagate_error(error, failure);
    return ok;
}

static bool read_database(Database *base, DatabaseWork work, gpointer data, GError **error)
{
    return run_repeatedly(base, try_read, work, data, error);
}

static bool write_database(Database *base, DatabaseWork work, gpointer data, GError **error)
{
    return run_repeatedly(base, try_write, work, data, error);
}

const Driver postgresql_driver = {
    .open = open_database,
    .close = close_database,
    .read = read_database,
    .write = write_database,
    .execute = postgresql_execute,
    .run = postgresql_run,
    .query = postgresql_query,
    .rows_next = postgresql_rows_next,
    .rows_int = postgresql_rows_int,
    .rows_real = postgresql_rows_real,
    .rows_text = postgresql_rows_text,
    .rows_bytes = postgresql_rows_bytes,
    .rows_is_null = postgresql_rows_is_null,
    .rows_free = postgresql_rows_free,
    .count_tables = "SELECT COUNT(*) FROM pg_catalog.pg_class WHERE oid = to_regclass($1)",
    /* Longer than lock_timeout: the other process may be migrating a large table. */
    .lock_schema = "SET LOCAL lock_timeout = '600s'; SELECT pg_advisory_xact_lock(5494823901847)",
};
