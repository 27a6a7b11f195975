/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One interface to what must survive; SQLite and PostgreSQL behind it (design §3 "State").
 *
 * Work is a function that gets a connection. Reads run at once on a connection that no other thread
 * uses meanwhile; each statement of a read sees what was committed when it started, so what must
 * fit together is asked for in one statement (or in a write). A read after an acknowledged write
 * sees it.
 *
 * Writes run in a transaction and return after it is durable. With SQLite the writes that wait are
 * grouped into one commit (store/writer.h), each undone alone if it fails; a write may then run on
 * the thread of another caller, so it must not look at thread-local state. With PostgreSQL each
 * runs on its own connection, at READ COMMITTED, and is repeated after a serialisation failure, a
 * deadlock or a lost connection. So work of either kind must be repeatable: it changes nothing but
 * the database and outputs that it sets anew.
 *
 * A statement that fails ends its write: later statements fail too, and nothing is kept whatever
 * the work returns (PostgreSQL's rule, for both engines). So "insert unless it is there" is ON
 * CONFLICT, not a try. Work inside the work of the same thread is refused with STORE_ERROR_SQL.
 *
 * After STORE_ERROR_UNAVAILABLE nothing was kept, except when a PostgreSQL server went away during
 * the commit itself: then the transaction may have been kept, and the message says so.
 *
 * One SQL text for both engines: `$1` parameters (and CAST($1 AS BIGINT), not `::`), ON CONFLICT,
 * RETURNING, BIGINT, DOUBLE PRECISION, TEXT, BYTEA; times are BIGINT microseconds, booleans BIGINT
 * 0/1, sums CAST(SUM(x) AS BIGINT). Row locks are taken by an UPDATE of the row. Statements come
 * from constants: each distinct text stays prepared.
 */
#pragma once

#include "base/bytes.h"
#include "store/migration.h"

typedef struct Database Database;
typedef struct Connection Connection;
typedef struct Rows Rows;

#define STORE_ERROR (store_error_quark())
typedef enum {
    STORE_ERROR_URL,         /* configuration */
    STORE_ERROR_UNAVAILABLE, /* cannot connect, disk full, locked too long: worth a 503 */
    STORE_ERROR_CONFLICT,    /* unique or foreign key */
    STORE_ERROR_SQL,         /* anything else: a mistake of ours */
    STORE_ERROR_SCHEMA,      /* version table says something newer or unknown */
} StoreError;
GQuark store_error_quark(void);

typedef struct {
    const char *url; /* configuration-and-operations §9.1; "sqlite" = <directory>/<file_name> */
    const char *directory;    /* for "sqlite" */
    const char *file_name;    /* for "sqlite": "verifier.sqlite" */
    unsigned max_connections; /* PostgreSQL: ceiling over all threads */
    bool migrate;             /* bring the schema up to date (under a lock); else only check it */
    const Migration *migrations;
} DatabaseSettings;

/* Opens, checks the URL, migrates. Thread-safe afterwards. */
Database *database_open(const DatabaseSettings *settings, GError **error);
/* Waits for running work. */
void database_close(Database *database);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Database, database_close)
/* "SQLite 3.40.1, /var/lib/keylime/verifier.sqlite" for a log line (no password). Borrowed. */
const char *database_description(const Database *database);

typedef bool (*DatabaseWork)(Connection *connection, gpointer data, GError **error);
bool database_read(Database *database, DatabaseWork work, gpointer data, GError **error);
bool database_write(Database *database, DatabaseWork work, gpointer data, GError **error);

/*
 * Statements, prepared once per connection (keyed by the address-independent text). `types` has one
 * letter per parameter: t const char* (NULL = SQL NULL; must be UTF-8), i gint64, n const gint64*
 * (NULL = SQL NULL), b const Bytes* (NULL = SQL NULL), z double. The letters of one text are always
 * the same. The values are borrowed for the call only.
 *
 * The variadic arguments are not converted by the compiler: a literal for `i` is written
 * (gint64)1, a NULL for `t` is written (const char *)NULL.
 */
bool sql_run(Connection *connection, GError **error, const char *sql, const char *types, ...);
/* As sql_run(); *changed = rows inserted, updated or deleted. */
bool sql_change(Connection *connection, guint64 *changed, GError **error, const char *sql,
                const char *types, ...);
/*
 * The statement has run (and a write has its effect) when this returns, even if no row is ever
 * taken. Read each column as the type it was stored as.
 */
Rows *sql_query(Connection *connection, GError **error, const char *sql, const char *types, ...);

/* Steps to the next row; false at the end, or on an error, which *error then tells. */
bool rows_next(Rows *rows, GError **error);
gint64 rows_int(Rows *rows, unsigned column); /* 0 for NULL */
double rows_real(Rows *rows, unsigned column);
const char *rows_text(Rows *rows, unsigned column); /* NULL for NULL; until the next step */
Bytes rows_bytes(Rows *rows, unsigned column);      /* empty for NULL; until the next step */
bool rows_is_null(Rows *rows, unsigned column);
void rows_free(Rows *rows);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Rows, rows_free)
