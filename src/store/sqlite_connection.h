/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to an SQLite file, its prepared statements and rows. Private to src/store. Used by
 * one thread at a time (the pool and the writer see to that).
 */
#pragma once

#include "store/driver.h"

typedef struct SqliteConnection SqliteConnection;

typedef enum {
    SQLITE_ROLE_READER, /* refuses changes */
    SQLITE_ROLE_WRITER,
} SqliteRole;

/* The writer creates the file (0600) and turns the write-ahead log on. */
Connection *sqlite_connection_open(const char *path, SqliteRole role, GError **error);
void sqlite_connection_close(Connection *connection);

/* The steps of a transaction that the writer is made of; each is prepared once. */
typedef enum {
    SQLITE_STEP_BEGIN, /* takes the file's write lock; waits up to 5 s for another process */
    SQLITE_STEP_COMMIT,
    SQLITE_STEP_ROLLBACK,
    SQLITE_STEP_SAVEPOINT,
    SQLITE_STEP_RELEASE,
    SQLITE_STEP_ROLLBACK_TO, /* undoes what follows the savepoint, and drops the savepoint */
    SQLITE_STEPS,
} SqliteStep;
bool sqlite_connection_step(Connection *connection, SqliteStep step, GError **error);
/* False after SQLite has undone everything by itself, as it may on a full disk. */
bool sqlite_connection_in_transaction(const Connection *connection);
/* Call after each work: rows left open would hold the snapshot, so they are closed (and reported).
 */
void sqlite_connection_end_rows(Connection *connection);

bool sqlite_execute(Connection *connection, const char *sql, GError **error);
bool sqlite_run(Connection *connection, const Statement *statement, guint64 *changed,
                GError **error);
Rows *sqlite_query(Connection *connection, const Statement *statement, GError **error);
bool sqlite_rows_next(Rows *rows, GError **error);
gint64 sqlite_rows_int(Rows *rows, unsigned column);
double sqlite_rows_real(Rows *rows, unsigned column);
const char *sqlite_rows_text(Rows *rows, unsigned column);
Bytes sqlite_rows_bytes(Rows *rows, unsigned column);
bool sqlite_rows_is_null(Rows *rows, unsigned column);
void sqlite_rows_free(Rows *rows);
