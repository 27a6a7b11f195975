/* SPDX-License-Identifier: Apache-2.0 */
/* The typed face of statements and rows (database.h); each engine does the work (driver.h). */
#include <stdarg.h>
#include <string.h>

#include "store/driver.h"

static bool check_text(const Value *value, const char *sql, GError **error)
{
    /* PostgreSQL refuses other text; so that both engines hold the same, SQLite gets none either.
     */
    if (!value->text || g_utf8_validate(value->text, -1, NULL))
        return true;
    g_set_error(error, STORE_ERROR, STORE_ERROR_SQL, "a text that is not UTF-8 for: %s", sql);
    return false;
}

static bool check_bytes(const Value *value, const char *sql, GError **error)
{
    if (value->bytes.size <= STATEMENT_BYTES_MAX)
        return true;
    g_set_error(error, STORE_ERROR, STORE_ERROR_SQL, "a value of %zu bytes is too large for: %s",
                value->bytes.size, sql);
    return false;
}

static bool collect(Statement *statement, Value values[STATEMENT_VALUES_MAX], const char *sql,
                    const char *types, va_list arguments, GError **error)
{
    *statement = (Statement){.sql = sql, .values = values, .count = (unsigned)strlen(types)};
    g_assert(statement->count <= STATEMENT_VALUES_MAX);
    for (unsigned i = 0; i < statement->count; i++) {
        Value *value = &values[i];
        const gint64 *number;
        const Bytes *bytes;
        value->letter = types[i];
        switch (types[i]) {
        case 't':
            value->text = va_arg(arguments, const char *);
            value->type = value->text ? VALUE_TEXT : VALUE_NULL;
            if (!check_text(value, sql, error))
                return false;
            break;
        case 'i':
            value->type = VALUE_INT;
            value->integer = va_arg(arguments, gint64);
            break;
        case 'n':
            number = va_arg(arguments, const gint64 *);
            value->type = number ? VALUE_INT : VALUE_NULL;
            value->integer = number ? *number : 0;
            break;
        case 'b':
            bytes = va_arg(arguments, const Bytes *);
            value->type = bytes ? VALUE_BYTES : VALUE_NULL;
            value->bytes = bytes ? *bytes : BYTES_EMPTY;
            if (!check_bytes(value, sql, error))
                return false;
            break;
        case 'z':
            value->type = VALUE_REAL;
            value->real = va_arg(arguments, double);
            break;
        default:
            g_error("unknown parameter type %c for: %s", types[i], sql);
        }
    }
    return true;
}

/* A write ends with its first failed statement. */
static bool may_run(Connection *connection, GError **error)
{
    if (!connection->failure)
        return true;
    g_propagate_error(error, g_error_copy(connection->failure));
    return false;
}

static void remember_failure(Connection *connection, GError *failure, GError **error)
{
    if (connection->writes && !connection->failure)
        connection->failure = g_error_copy(failure);
    g_propagate_error(error, failure);
}

static bool run(Connection *connection, guint64 *changed, GError **error, const char *sql,
                const char *types, va_list arguments)
{
    Value values[STATEMENT_VALUES_MAX];
    Statement statement;
    GError *failure = NULL;
    if (!may_run(connection, error))
        return false;
    if (collect(&statement, values, sql, types, arguments, &failure) &&
        connection->driver->run(connection, &statement, changed, &failure))
        return true;
    remember_failure(connection, failure, error);
    return false;
}

bool sql_run(Connection *connection, GError **error, const char *sql, const char *types, ...)
{
    va_list arguments;
    va_start(arguments, types);
    guint64 changed;
    bool ok = run(connection, &changed, error, sql, types, arguments);
    va_end(arguments);
    return ok;
}

bool sql_change(Connection *connection, guint64 *changed, GError **error, const char *sql,
                const char *types, ...)
{
    va_list arguments;
    va_start(arguments, types);
    *changed = 0;
    bool ok = run(connection, changed, error, sql, types, arguments);
    va_end(arguments);
    return ok;
}

Rows *sql_query(Connection *connection, GError **error, const char *sql, const char *types, ...)
{
    Value values[STATEMENT_VALUES_MAX];
    Statement statement;
    GError *failure = NULL;
    if (!may_run(connection, error))
        return NULL;
    Rows *rows = NULL;
    va_list arguments;
    va_start(arguments, types);
    if (collect(&statement, values, sql, types, arguments, &failure))
        rows = connection->driver->query(connection, &statement, &failure);
    va_end(arguments);
    if (!rows)
        remember_failure(connection, failure, error);
    return rows;
}

bool driver_execute(Connection *connection, const char *sql, GError **error)
{
    GError *failure = NULL;
    if (!may_run(connection, error))
        return false;
    if (connection->driver->execute(connection, sql, &failure))
        return true;
    remember_failure(connection, failure, error);
    return false;
}

bool driver_run_work(Connection *connection, DatabaseWork work, gpointer data, GError **error)
{
    GError *failure = NULL;
    g_clear_error(&connection->failure);
    bool ok = work(connection, data, &failure);
    if (ok && connection->failure) {
        ok = false;
        g_clear_error(&failure);
        failure = g_steal_pointer(&connection->failure);
    } else if (!ok && !failure) {
        g_set_error_literal(&failure, STORE_ERROR, STORE_ERROR_SQL,
                            "the work on the database failed without a reason");
    }
    g_clear_error(&connection->failure);
    if (ok)
        return true;
    g_propagate_error(error, failure);
    return false;
}

bool rows_next(Rows *rows, GError **error)
{
    GError *failure = NULL;
    if (rows->driver->rows_next(rows, &failure))
        return true;
    if (failure)
        remember_failure(rows->connection, failure, error);
    return false;
}

gint64 rows_int(Rows *rows, unsigned column)
{
    return rows->driver->rows_int(rows, column);
}

double rows_real(Rows *rows, unsigned column)
{
    return rows->driver->rows_real(rows, column);
}

const char *rows_text(Rows *rows, unsigned column)
{
    return rows->driver->rows_text(rows, column);
}

Bytes rows_bytes(Rows *rows, unsigned column)
{
    return rows->driver->rows_bytes(rows, column);
}

bool rows_is_null(Rows *rows, unsigned column)
{
    return rows->driver->rows_is_null(rows, column);
}

void rows_free(Rows *rows)
{
    if (rows)
        rows->driver->rows_free(rows);
}
