/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite: a pool of reading connections, and one that writes (store/writer.h). */
#include <errno.h>
#include <glib/gstdio.h>
#include <sqlite3.h>

#include "store/pool.h"
#include "store/sqlite_connection.h"
#include "store/writer.h"

/* Reads are short and in memory: more at once than this gain nothing, and each costs a page cache.
 */
#define READERS_MAX 16

typedef struct {
    Database base;
    char *path;
    Pool *readers;
    Writer *writer;
} SqliteDatabase;

/* SQLite's own account of its memory takes one lock for all threads at each allocation. Too late in
 * a process that uses SQLite already, which does no harm. */
static void configure_library(void)
{
    static gsize done;
    if (g_once_init_enter(&done)) {
        sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
        g_once_init_leave(&done, 1);
    }
}

static Connection *open_reader(Database *database, GError **error)
{
    return sqlite_connection_open(((SqliteDatabase *)database)->path, SQLITE_ROLE_READER, error);
}

static Database *open_database(DatabaseUrl *taken, const DatabaseSettings *settings, GError **error)
{
    g_autoptr(DatabaseUrl) url = taken;
    g_autofree char *directory = g_path_get_dirname(url->path);
    if (url->create_directory && g_mkdir_with_parents(directory, 0700) != 0) {
        g_set_error(error, STORE_ERROR, STORE_ERROR_UNAVAILABLE,
                    "cannot create the database's directory %s: %s", directory, g_strerror(errno));
        return NULL;
    }
    configure_library();
    Connection *writing = sqlite_connection_open(url->path, SQLITE_ROLE_WRITER, error);
    if (!writing)
        return NULL;
    SqliteDatabase *database = g_new0(SqliteDatabase, 1);
    database->base.driver = &sqlite_driver;
    database->base.description = g_strdup_printf("SQLite %s, %s", sqlite3_libversion(), url->path);
    database->path = g_strdup(url->path);
    database->writer = writer_new(writing);
    database->readers =
        pool_new(&database->base, READERS_MAX, open_reader, sqlite_connection_close);
    return &database->base;
}

static void close_database(Database *base)
{
    SqliteDatabase *database = (SqliteDatabase *)base;
    pool_free(database->readers);
    writer_free(database->writer);
    g_free(database->path);
    g_free(database);
}

static bool read_database(Database *base, DatabaseWork work, gpointer data, GError **error)
{
    Pool *readers = ((SqliteDatabase *)base)->readers;
    Connection *connection = pool_take(readers, error);
    if (!connection)
        return false;
    bool ok = driver_run_work(connection, work, data, error);
    sqlite_connection_end_rows(connection);
    pool_give_back(readers, connection);
    return ok;
}

static bool write_database(Database *base, DatabaseWork work, gpointer data, GError **error)
{
    return writer_write(((SqliteDatabase *)base)->writer, work, data, error);
}

const Driver sqlite_driver = {
    .open = open_database,
    .close = close_database,
    .read = read_database,
    .write = write_database,
    .execute = sqlite_execute,
    .run = sqlite_run,
    .query = sqlite_query,
    .rows_next = sqlite_rows_next,
    .rows_int = sqlite_rows_int,
    .rows_real = sqlite_rows_real,
    .rows_text = sqlite_rows_text,
    .rows_bytes = sqlite_rows_bytes,
    .rows_is_null = sqlite_rows_is_null,
    .rows_free = sqlite_rows_free,
    .count_tables = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = $1",
};
