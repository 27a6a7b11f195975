/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite_connection.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How long another process may hold the write lock (the value of upstream's driver, §9.2). */
#define BUSY_LIMIT_US (5 * G_TIME_SPAN_SECOND)
/* More texts than all schemas together use; beyond it nothing is kept prepared. */
#define PREPARED_MAX 512

typedef struct SqliteStatement {
    Rows rows; /* head: a running query is its statement */
    sqlite3_stmt *handle;
    const char *sql; /* owned by `handle` */
    unsigned parameters;
    unsigned *order; /* SQLite's index - 1 -> N - 1 of `$N` */
    bool in_use;
    bool kept;    /* in the connection's table */
    bool fetched; /* a row is at hand which rows_next() has not given yet */
    bool ended;
} SqliteStatement;

struct SqliteConnection {
    Connection base;
    sqlite3 *handle;
    SqliteRole role;
    GHashTable *statements; /* text -> SqliteStatement */
    GHashTable *places;     /* address of a text -> SqliteStatement in `statements` */
    sqlite3_stmt *steps[SQLITE_STEPS];
    unsigned open_rows;
    gint64 busy_since;
};

static StoreError classify(const SqliteConnection *connection, int code)
{
    switch (code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return STORE_ERROR_CONFLICT;
    }
    switch (code & 0xff) {
    case SQLITE_READONLY:
        /* A reader that tries to change something is our mistake; else the file system is. */
        return connection->role == SQLITE_ROLE_READER ? STORE_ERROR_SQL : STORE_ERROR_UNAVAILABLE;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
    case SQLITE_IOERR:
    case SQLITE_CORRUPT:
    case SQLITE_FULL:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL:
    case SQLITE_PERM:
    case SQLITE_NOTADB:
        return STORE_ERROR_UNAVAILABLE;
    }
    return STORE_ERROR_SQL;
}

static void set_error(const SqliteConnection *connection, const char *doing, GError **error)
{
    int code = sqlite3_extended_errcode(connection->handle);
    g_set_error(error, STORE_ERROR, (gint)classify(connection, code), "SQLite: %s (%d) in: %s",
                sqlite3_errmsg(connection->handle), code, doing);
}

/*
 * Another process writes: its commits take a millisecond or so, so look again soon. (SQLite's own
 * handler soon sleeps 100 ms at a time.)
 */
static int wait_while_busy(void *data, int tries)
{
    SqliteConnection *connection = data;
    gint64 now = g_get_monotonic_time();
    if (tries == 0)
        connection->busy_since = now;
    if (now - connection->busy_since > BUSY_LIMIT_US)
        return 0;
    g_usleep((gulong)CLAMP(tries, 1, 10) * 500);
    return 1;
}

/* SQLite would only say that it cannot open it. */
static bool may_use_file(const char *path, GError **error)
{
    if (faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) == 0)
        return true;
    g_set_error(
        error, STORE_ERROR, STORE_ERROR_UNAVAILABLE,
        "cannot open the database %s: %s: it must belong to the user that this program runs "
        "as (chown), with mode 0600",
        path, g_strerror(errno));
    return false;
}

/* Created by ourselves, so that the mode does not depend on the umask; the log files inherit it. */
static bool create_file(const char *path, GError **error)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        close(fd);
        return true;
    }
    if (errno == EEXIST)
        return may_use_file(path, error);
    g_set_error(error, STORE_ERROR, STORE_ERROR_UNAVAILABLE,
                "cannot create the database %s: %s (option database_url)", path, g_strerror(errno));
    return false;
}

/* The switch takes the file for itself and does not call the busy handler. */
static bool use_write_ahead_log(SqliteConnection *connection, GError **error)
{
    gint64 until = g_get_monotonic_time() + BUSY_LIMIT_US;
    for (;;) {
        g_autoptr(GError) failure = NULL;
        if (sqlite_execute(&connection->base, "PRAGMA journal_mode = WAL", &failure))
            return true;
        if ((sqlite3_errcode(connection->handle) & 0xff) != SQLITE_BUSY ||
            g_get_monotonic_time() > until) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        g_usleep(5000);
    }
}

static bool configure(SqliteConnection *connection, GError **error)
{
    sqlite3 *handle = connection->handle;
    sqlite3_extended_result_codes(handle, 1);
    sqlite3_busy_handler(handle, wait_while_busy, connection);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    /* "x" is a name and never a text, as in PostgreSQL. */
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    if (connection->role == SQLITE_ROLE_READER)
        return sqlite_execute(&connection->base,
                              "PRAGMA query_only = ON; PRAGMA cache_size = -512;"
                              "PRAGMA temp_store = MEMORY",
                              error);
    /*
     * A commit writes whole pages to the log, and most of ours change a few hundred bytes in each:
     * pages of 1 KiB instead of 4 halve what is written (measured: 7.6 -> 2.5 KB for an update of a
     * random row among 32 writers), and a log of 8 MB lets a checkpoint write a page that changed
     * often only once. The page size is fixed when the file is new. Debian's SQLite overwrites
     * what is deleted; FAST does so in pages that are written anyway, and does not write others
     * only to free them.
     */
    return sqlite_execute(&connection->base,
                          "PRAGMA page_size = 1024; PRAGMA wal_autocheckpoint = 8000;"
                          "PRAGMA secure_delete = FAST",
                          error) &&
           use_write_ahead_log(connection, error) &&
           sqlite_execute(&connection->base,
                          "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                          "PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 67108864",
                          error);
}

/* What a person can do about a file that cannot be opened; "" when that is not known. */
static const char *open_remedy(const SqliteConnection *connection)
{
    int code = sqlite3_errcode(connection->handle) & 0xff;
    if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
        return ": it is damaged, or no database: put a backup in its place, or move it away to "
               "begin "
               "with an empty one";
    if (code == SQLITE_FULL || code == SQLITE_IOERR)
        return ": is the disk full?";
    return "";
}

Connection *sqlite_connection_open(const char *path, SqliteRole role, GError **error)
{
    if (role == SQLITE_ROLE_WRITER && !create_file(path, error))
        return NULL;
    SqliteConnection *connection = g_new0(SqliteConnection, 1);
    connection->base.driver = &sqlite_driver;
    connection->base.writes = role == SQLITE_ROLE_WRITER;
    connection->role = role;
    connection->statements = g_hash_table_new(g_str_hash, g_str_equal);
    connection->places = g_hash_table_new(NULL, NULL);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &connection->handle, flags, NULL) != SQLITE_OK)
        set_error(connection, "open", error);
    else if (configure(connection, error))
        return &connection->base;
    g_prefix_error(error, "cannot open the database %s%s: ", path, open_remedy(connection));
    sqlite_connection_close(&connection->base);
    return NULL;
}

static void free_statement(SqliteStatement *statement)
{
    sqlite3_finalize(statement->handle);
    g_free(statement->order);
    g_free(statement);
}

void sqlite_connection_close(Connection *base)
{
    SqliteConnection *connection = (SqliteConnection *)base;
    if (!connection)
        return;
    GHashTableIter iterator;
    gpointer statement;
    g_hash_table_iter_init(&iterator, connection->statements);
    while (g_hash_table_iter_next(&iterator, NULL, &statement)) {
        g_hash_table_iter_remove(&iterator);
        free_statement(statement);
    }
    g_hash_table_unref(connection->statements);
    g_hash_table_unref(connection->places);
    for (int i = 0; i < SQLITE_STEPS; i++)
        sqlite3_finalize(connection->steps[i]);
    sqlite3_close_v2(connection->handle);
    g_clear_error(&connection->base.failure);
    g_free(connection);
}

/* `$2` before `$1` in a text gets SQLite's index 1, so that each index is mapped by its name. */
static bool map_parameters(SqliteStatement *statement, GError **error)
{
    int count = sqlite3_bind_parameter_count(statement->handle);
    statement->order = g_new0(unsigned, count + 1);
    for (int i = 0; i < count; i++) {
        const char *name = sqlite3_bind_parameter_name(statement->handle, i + 1);
        char *end = NULL;
        unsigned long number = name && name[0] == '$' ? strtoul(name + 1, &end, 10) : 0;
        if (number < 1 || number > (unsigned long)count || *end) {
            g_set_error(error, STORE_ERROR, STORE_ERROR_SQL,
                        "parameters are $1, $2, ... without gaps, not %s in: %s", name ? name : "?",
                        statement->sql);
            return false;
        }
        statement->order[i] = (unsigned)number - 1;
    }
    statement->parameters = (unsigned)count;
    return true;
}

static SqliteStatement *prepare(SqliteConnection *connection, const char *sql, GError **error)
{
    SqliteStatement *statement = g_new0(SqliteStatement, 1);
    const char *tail = NULL;
    statement->rows.driver = &sqlite_driver;
    statement->rows.connection = &connection->base;
    int code = sqlite3_prepare_v3(connection->handle, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                  &statement->handle, &tail);
    if (code != SQLITE_OK) {
        set_error(connection, sql, error);
    } else if (!statement->handle || tail[strspn(tail, " \t\n;")] != '\0') {
        g_set_error(error, STORE_ERROR, STORE_ERROR_SQL, "not one statement: %s", sql);
    } else {
        statement->sql = sqlite3_sql(statement->handle);
        if (map_parameters(statement, error))
            return statement;
    }
    free_statement(statement);
    return NULL;
}

/* Texts are constants of some hundred characters: to compare one costs far less than to hash it. */
static SqliteStatement *find_statement(SqliteConnection *connection, const char *sql)
{
    SqliteStatement *statement = g_hash_table_lookup(connection->places, sql);
    if (statement && strcmp(statement->sql, sql) == 0)
        return statement;
    statement = g_hash_table_lookup(connection->statements, sql);
    if (statement && g_hash_table_size(connection->places) < PREPARED_MAX)
        g_hash_table_insert(connection->places, (gpointer)sql, statement);
    return statement;
}

static SqliteStatement *take_statement(SqliteConnection *connection, const char *sql,
                                       GError **error)
{
    SqliteStatement *statement = find_statement(connection, sql);
    bool occupied = statement && statement->in_use; /* its rows are open: use a second one */
    if (!statement || occupied) {
        statement = prepare(connection, sql, error);
        if (!statement)
            return NULL;
        if (!occupied && g_hash_table_size(connection->statements) < PREPARED_MAX) {
            statement->kept = true;
            g_hash_table_insert(connection->statements, (gpointer)statement->sql, statement);
        }
    }
    statement->in_use = true;
    return statement;
}

static void give_back_statement(SqliteStatement *statement)
{
    sqlite3_reset(statement->handle);
    if (!statement->kept) {
        free_statement(statement);
        return;
    }
    sqlite3_clear_bindings(statement->handle);
    statement->in_use = false;
}

/* `lifetime`: SQLITE_STATIC when the statement ends before the caller's values do. */
static int bind_value(sqlite3_stmt *handle, int index, const Value *value,
                      sqlite3_destructor_type lifetime)
{
    switch (value->type) {
    case VALUE_NULL:
        return sqlite3_bind_null(handle, index);
    case VALUE_TEXT:
        return sqlite3_bind_text64(handle, index, value->text, strlen(value->text), lifetime,
                                   SQLITE_UTF8);
    case VALUE_INT:
        return sqlite3_bind_int64(handle, index, value->integer);
    case VALUE_REAL:
        return sqlite3_bind_double(handle, index, value->real);
    case VALUE_BYTES:
        /* A NULL pointer would bind NULL, and no bytes are not NULL. */
        return value->bytes.size == 0 ? sqlite3_bind_zeroblob(handle, index, 0)
                                      : sqlite3_bind_blob64(handle, index, value->bytes.data,
                                                            value->bytes.size, lifetime);
    }
    return SQLITE_MISUSE;
}

static bool bind_values(SqliteConnection *connection, SqliteStatement *prepared,
                        const Statement *statement, sqlite3_destructor_type lifetime,
                        GError **error)
{
    if (prepared->parameters != statement->count) {
        g_set_error(error, STORE_ERROR, STORE_ERROR_SQL, "%u values for %u parameters in: %s",
                    statement->count, prepared->parameters, statement->sql);
        return false;
    }
    for (unsigned i = 0; i < prepared->parameters; i++) {
        const Value *value = &statement->values[prepared->order[i]];
        if (bind_value(prepared->handle, (int)i + 1, value, lifetime) != SQLITE_OK) {
            set_error(connection, statement->sql, error);
            return false;
        }
    }
    return true;
}

bool sqlite_run(Connection *base, const Statement *statement, guint64 *changed, GError **error)
{
    SqliteConnection *connection = (SqliteConnection *)base;
    SqliteStatement *prepared = take_statement(connection, statement->sql, error);
    if (!prepared)
        return false;
    bool ok = bind_values(connection, prepared, statement, SQLITE_STATIC, error);
    if (ok) {
        int code;
        do
            code = sqlite3_step(prepared->handle);
        while (code == SQLITE_ROW);
        ok = code == SQLITE_DONE;
        if (ok)
            *changed = (guint64)sqlite3_changes64(connection->handle);
        else
            set_error(connection, statement->sql, error);
    }
    give_back_statement(prepared);
    return ok;
}

/* Fetches ahead by one row, so that a failure to start is known when the query returns. */
static bool fetch(SqliteStatement *statement, GError **error)
{
    int code = sqlite3_step(statement->handle);
    statement->fetched = code == SQLITE_ROW;
    statement->ended = code != SQLITE_ROW;
    if (code == SQLITE_ROW)
        return true;
    if (code != SQLITE_DONE)
        set_error((SqliteConnection *)statement->rows.connection, statement->sql, error);
    return code == SQLITE_DONE;
}

Rows *sqlite_query(Connection *base, const Statement *statement, GError **error)
{
    SqliteConnection *connection = (SqliteConnection *)base;
    SqliteStatement *prepared = take_statement(connection, statement->sql, error);
    if (!prepared)
        return NULL;
    if (!bind_values(connection, prepared, statement, SQLITE_TRANSIENT, error) ||
        !fetch(prepared, error)) {
        give_back_statement(prepared);
        return NULL;
    }
    connection->open_rows++;
    return &prepared->rows;
}

bool sqlite_rows_next(Rows *rows, GError **error)
{
    SqliteStatement *statement = (SqliteStatement *)rows;
    if (!statement->fetched && !statement->ended && !fetch(statement, error))
        return false;
    statement->fetched = false;
    return !statement->ended;
}

gint64 sqlite_rows_int(Rows *rows, unsigned column)
{
    return sqlite3_column_int64(((SqliteStatement *)rows)->handle, (int)column);
}

double sqlite_rows_real(Rows *rows, unsigned column)
{
    return sqlite3_column_double(((SqliteStatement *)rows)->handle, (int)column);
}

const char *sqlite_rows_text(Rows *rows, unsigned column)
{
    return (const char *)sqlite3_column_text(((SqliteStatement *)rows)->handle, (int)column);
}

Bytes sqlite_rows_bytes(Rows *rows, unsigned column)
{
    sqlite3_stmt *handle = ((SqliteStatement *)rows)->handle;
    const void *data = sqlite3_column_blob(handle, (int)column);
    return bytes_of(data, (size_t)sqlite3_column_bytes(handle, (int)column));
}

bool sqlite_rows_is_null(Rows *rows, unsigned column)
{
    return sqlite3_column_type(((SqliteStatement *)rows)->handle, (int)column) == SQLITE_NULL;
}

void sqlite_rows_free(Rows *rows)
{
    SqliteConnection *connection = (SqliteConnection *)rows->connection;
    connection->open_rows--;
    give_back_statement((SqliteStatement *)rows);
}

void sqlite_connection_end_rows(Connection *base)
{
    SqliteConnection *connection = (SqliteConnection *)base;
    if (connection->open_rows == 0)
        return;
    g_critical("rows were not freed at the end of a work on the database");
    for (sqlite3_stmt *handle = sqlite3_next_stmt(connection->handle, NULL); handle;
         handle = sqlite3_next_stmt(connection->handle, handle))
        sqlite3_reset(handle);
}

bool sqlite_execute(Connection *base, const char *sql, GError **error)
{
    SqliteConnection *connection = (SqliteConnection *)base;
    if (sqlite3_exec(connection->handle, sql, NULL, NULL, NULL) == SQLITE_OK)
        return true;
    set_error(connection, sql, error);
    return false;
}

bool sqlite_connection_step(Connection *base, SqliteStep step, GError **error)
{
    static const char *const texts[SQLITE_STEPS] = {
        [SQLITE_STEP_BEGIN] = "BEGIN IMMEDIATE",
        [SQLITE_STEP_COMMIT] = "COMMIT",
        [SQLITE_STEP_ROLLBACK] = "ROLLBACK",
        [SQLITE_STEP_SAVEPOINT] = "SAVEPOINT one_write",
        [SQLITE_STEP_RELEASE] = "RELEASE one_write",
        [SQLITE_STEP_ROLLBACK_TO] = "ROLLBACK TO one_write",
    };
    SqliteConnection *connection = (SqliteConnection *)base;
    sqlite3_stmt **handle = &connection->steps[step];
    if (!*handle && sqlite3_prepare_v3(connection->handle, texts[step], -1,
                                       SQLITE_PREPARE_PERSISTENT, handle, NULL) != SQLITE_OK) {
        set_error(connection, texts[step], error);
        return false;
    }
    bool ok = sqlite3_step(*handle) == SQLITE_DONE;
    if (!ok)
        set_error(connection, texts[step], error);
    sqlite3_reset(*handle);
    if (ok && step == SQLITE_STEP_ROLLBACK_TO)
        return sqlite_connection_step(base, SQLITE_STEP_RELEASE, error);
    return ok;
}

bool sqlite_connection_in_transaction(const Connection *base)
{
    return !sqlite3_get_autocommit(((const SqliteConnection *)base)->handle);
}
