/* SPDX-License-Identifier: Apache-2.0 */
#include "store/postgresql_rows.h"

#include <string.h>

typedef struct {
    Rows base;
    PGresult *result;
    int row; /* -1 before the first */
} PostgresqlRows;

static bool known_type(Oid type)
{
    switch (type) {
    case POSTGRESQL_BOOL:
    case POSTGRESQL_BYTEA:
    case POSTGRESQL_INT8:
    case POSTGRESQL_INT2:
    case POSTGRESQL_INT4:
    case POSTGRESQL_TEXT:
    case POSTGRESQL_FLOAT8:
        return true;
    }
    return false;
}

Rows *postgresql_rows_new(Connection *connection, PGresult *result, const char *sql, GError **error)
{
    for (int column = 0; column < PQnfields(result); column++) {
        if (known_type(PQftype(result, column)))
            continue;
        g_set_error(error, STORE_ERROR, STORE_ERROR_SQL,
                    "column %d has type number %u; CAST it to BIGINT, DOUBLE PRECISION, TEXT or "
                    "BYTEA in: %s",
                    column, PQftype(result, column), sql);
        PQclear(result);
        return NULL;
    }
    PostgresqlRows *rows = g_new0(PostgresqlRows, 1);
    rows->base.driver = &postgresql_driver;
    rows->base.connection = connection;
    rows->result = result;
    rows->row = -1;
    return &rows->base;
}

void postgresql_rows_free(Rows *base)
{
    PQclear(((PostgresqlRows *)base)->result);
    g_free(base);
}

bool postgresql_rows_next(Rows *base, GError **error)
{
    PostgresqlRows *rows = (PostgresqlRows *)base;
    if (rows->row < PQntuples(rows->result))
        rows->row++;
    return rows->row < PQntuples(rows->result);
}

bool postgresql_rows_is_null(Rows *base, unsigned column)
{
    PostgresqlRows *rows = (PostgresqlRows *)base;
    return PQgetisnull(rows->result, rows->row, (int)column);
}

/* Network byte order, of the width that the type has. */
static gint64 integer_of(Bytes value)
{
    guint64 number = value.size > 0 && value.data[0] & 0x80 ? G_MAXUINT64 : 0;
    for (size_t i = 0; i < value.size; i++)
        number = number << 8 | value.data[i];
    return (gint64)number;
}

Bytes postgresql_rows_bytes(Rows *base, unsigned column)
{
    PostgresqlRows *rows = (PostgresqlRows *)base;
    if (PQgetisnull(rows->result, rows->row, (int)column))
        return BYTES_EMPTY;
    return bytes_of(PQgetvalue(rows->result, rows->row, (int)column),
                    (size_t)PQgetlength(rows->result, rows->row, (int)column));
}

static Oid type_of(Rows *base, unsigned column)
{
    return PQftype(((PostgresqlRows *)base)->result, (int)column);
}

double postgresql_rows_real(Rows *base, unsigned column)
{
    if (type_of(base, column) != POSTGRESQL_FLOAT8)
        return (double)postgresql_rows_int(base, column);
    guint64 bits = (guint64)integer_of(postgresql_rows_bytes(base, column));
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

gint64 postgresql_rows_int(Rows *base, unsigned column)
{
    switch (type_of(base, column)) {
    case POSTGRESQL_BOOL: {
        Bytes value = postgresql_rows_bytes(base, column);
        return value.size > 0 && value.data[0] != 0;
    }
    case POSTGRESQL_INT8:
    case POSTGRESQL_INT4:
    case POSTGRESQL_INT2:
        return integer_of(postgresql_rows_bytes(base, column));
    }
    g_critical("column %u is not stored as an integer", column);
    return 0;
}

const char *postgresql_rows_text(Rows *base, unsigned column)
{
    PostgresqlRows *rows = (PostgresqlRows *)base;
    if (PQgetisnull(rows->result, rows->row, (int)column))
        return NULL;
    if (type_of(base, column) == POSTGRESQL_TEXT)
        return PQgetvalue(rows->result, rows->row, (int)column); /* libpq ends it with a NUL */
    g_critical("column %u is not stored as a text", column);
    return NULL;
}
