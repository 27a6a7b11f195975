/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of a PostgreSQL result in binary form. Private to src/store.
 */
#pragma once

#include <libpq-fe.h>

#include "store/driver.h"

/* Type numbers of the server's catalogue (pg_type.dat); they never change. */
enum {
    POSTGRESQL_BOOL = 16,
    POSTGRESQL_BYTEA = 17,
    POSTGRESQL_INT8 = 20,
    POSTGRESQL_INT2 = 21,
    POSTGRESQL_INT4 = 23,
    POSTGRESQL_TEXT = 25,
    POSTGRESQL_FLOAT8 = 701,
};

/*
 * Takes over `result`, also on failure: STORE_ERROR_SQL when a column has a type that SQLite has
 * not, e.g. the NUMERIC of an uncast SUM().
 */
Rows *postgresql_rows_new(Connection *connection, PGresult *result, const char *sql,
                          GError **error);
bool postgresql_rows_next(Rows *rows, GError **error);
gint64 postgresql_rows_int(Rows *rows, unsigned column);
double postgresql_rows_real(Rows *rows, unsigned column);
const char *postgresql_rows_text(Rows *rows, unsigned column);
Bytes postgresql_rows_bytes(Rows *rows, unsigned column);
bool postgresql_rows_is_null(Rows *rows, unsigned column);
void postgresql_rows_free(Rows *rows);
