/* SPDX-License-Identifier: Apache-2.0 */
#include "store/postgresql_connection.h"

#include <string.h>

#include "store/postgresql_rows.h"

#define PREPARED_MAX 512

typedef struct {
    Connection base;
    const DatabaseUrl *url;
    PGconn *handle;
    GHashTable *statements; /* text -> name on the server; both owned */
    PostgresqlTrouble trouble;
} PostgresqlConnection;

static StoreError classify(const PostgresqlConnection *connection, const char *state)
{
    static const char *const conflicts[] = {"23505", "23503", NULL}; /* unique, foreign key */
    static const char *const unavailable[] = {
        "40001", "40P01", /* serialisation failure, deadlock: again and again */
        "55P03", "57014", /* locked for too long, cancelled by the operator's time limit */
        NULL,
    };
    /* Number of values and of parameters differ. */
    if (strcmp(state, "08P01") == 0)
        return STORE_ERROR_SQL;
    /* Classes: connection, resources (disk full), operator intervention, system, internal error. */
    static const char *const classes[] = {"08", "53", "57", "58", "XX", NULL};
    if (g_strv_contains(conflicts, state))
        return STORE_ERROR_CONFLICT;
    if (g_strv_contains(unavailable, state))
        return STORE_ERROR_UNAVAILABLE;
    /* Read-only: our mistake in a read, a standby server in a write. */
    if (strcmp(state, "25006") == 0)
        return connection->base.writes ? STORE_ERROR_UNAVAILABLE : STORE_ERROR_SQL;
    for (int i = 0; classes[i]; i++)
        if (g_str_has_prefix(state, classes[i]))
            return STORE_ERROR_UNAVAILABLE;
    return STORE_ERROR_SQL;
}

/* 57P01...57P03: the server is told to stop; the connection ends with this answer. */
static bool ends_connection(const PostgresqlConnection *connection, const char *state)
{
    return PQstatus(connection->handle) == CONNECTION_BAD || g_str_has_prefix(state, "57P0");
}

/*
 * Tells what `result` says, without the server's DETAIL, which quotes values. Without a state the
 * connection broke, or libpq itself refused.
 */
static void set_error(PostgresqlConnection *connection, const PGresult *result, const char *doing,
                      GError **error)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    bool lost = ends_connection(connection, state ? state : "");
    if (lost)
        connection->trouble = POSTGRESQL_TROUBLE_LOST;
    else if (g_strcmp0(state, "40001") == 0 || g_strcmp0(state, "40P01") == 0)
        connection->trouble = POSTGRESQL_TROUBLE_CONFLICT;

    g_autofree char *other = message ? NULL : g_strdup(PQerrorMessage(connection->handle));
    StoreError code = lost    ? STORE_ERROR_UNAVAILABLE
                      : state ? classify(connection, state)
                              : STORE_ERROR_SQL;
    g_set_error(error, STORE_ERROR, (gint)code, "PostgreSQL: %s (%s) in: %s",
                message ? message : g_strstrip(other), state ? state : "no state", doing);
}

/* A result that is fine, or NULL with the error; frees what it does not return. */
static PGresult *check(PostgresqlConnection *connection, PGresult *result, const char *doing,
                       GError **error)
{
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
        return result;
    set_error(connection, result, doing, error);
    PQclear(result);
    return NULL;
}

bool postgresql_execute(Connection *base, const char *sql, GError **error)
{
    PostgresqlConnection *connection = (PostgresqlConnection *)base;
    PGresult *result = check(connection, PQexec(connection->handle, sql), sql, error);
    PQclear(result);
    return result != NULL;
}

/* Notices would go to stderr, past the log. */
static void ignore_notice(void *data, const char *message)
{
}

/* Ours first, so that the URL may say otherwise. */
static PGconn *connect_to_server(const DatabaseUrl *url)
{
    static const struct {
        const char *keyword;
        const char *value;
    } defaults[] = {
        {"application_name", "keylime"},
        /* A server that vanished without a word is noticed within seconds, not hours. */
        {"connect_timeout", "5"},
        {"tcp_user_timeout", "10000"},
        {"keepalives_idle", "30"},
        {"keepalives_interval", "5"},
        {"keepalives_count", "3"},
    };
    static const guint count = G_N_ELEMENTS(defaults);
    guint more = url->keywords->len;
    g_autofree const char **keywords = g_new0(const char *, count + more + 2);
    g_autofree const char **values = g_new0(const char *, count + more + 2);
    for (guint i = 0; i < count; i++) {
        keywords[i] = defaults[i].keyword;
        values[i] = defaults[i].value;
    }
    for (guint i = 0; i < more; i++) {
        keywords[count + i] = g_ptr_array_index(url->keywords, i);
        values[count + i] = g_ptr_array_index(url->values, i);
    }
    keywords[count + more] = "client_encoding";
    values[count + more] = "UTF8";
    return PQconnectdbParams(keywords, values, 0);
}

static bool connect_again(PostgresqlConnection *connection, GError **error)
{
    PQfinish(connection->handle);
    g_hash_table_remove_all(connection->statements);
    connection->handle = connect_to_server(connection->url);
    if (PQstatus(connection->handle) != CONNECTION_OK) {
        g_autofree char *message = g_strdup(PQerrorMessage(connection->handle));
        g_strdelimit(g_strstrip(message), "\n\t", ' ');
        g_set_error(error, STORE_ERROR, STORE_ERROR_UNAVAILABLE,
                    "cannot connect to PostgreSQL (option database_url): %s", message);
        return false;
    }
    connection->trouble = POSTGRESQL_TROUBLE_NONE;
    PQsetNoticeProcessor(connection->handle, ignore_notice, NULL);
    return postgresql_execute(&connection->base,
                              "SET default_transaction_read_only = on; SET lock_timeout = '5s'",
                              error);
}

Connection *postgresql_connection_open(const DatabaseUrl *url, GError **error)
{
    PostgresqlConnection *connection = g_new0(PostgresqlConnection, 1);
    connection->base.driver = &postgresql_driver;
    connection->url = url;
    connection->statements = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    if (connect_again(connection, error))
        return &connection->base;
    postgresql_connection_close(&connection->base);
    return NULL;
}

void postgresql_connection_close(Connection *base)
{
    PostgresqlConnection *connection = (PostgresqlConnection *)base;
    PQfinish(connection->handle);
    g_hash_table_unref(connection->statements);
    g_clear_error(&base->failure);
    g_free(connection);
}

char *postgresql_connection_version(const Connection *base)
{
    const PGconn *handle = ((const PostgresqlConnection *)base)->handle;
    const char *version = PQparameterStatus(handle, "server_version");
    return g_strndup(version, strcspn(version, " "));
}

PostgresqlTrouble postgresql_connection_trouble(const Connection *connection)
{
    return ((const PostgresqlConnection *)connection)->trouble;
}

bool postgresql_connection_ready(Connection *base, GError **error)
{
    PostgresqlConnection *connection = (PostgresqlConnection *)base;
    bool usable = connection->trouble != POSTGRESQL_TROUBLE_LOST &&
                  PQstatus(connection->handle) == CONNECTION_OK &&
                  PQtransactionStatus(connection->handle) == PQTRANS_IDLE;
    connection->trouble = POSTGRESQL_TROUBLE_NONE;
    return usable || connect_again(connection, error);
}

bool postgresql_connection_begin(Connection *base, GError **error)
{
    GError *failure = NULL;
    base->writes = true;
    if (postgresql_execute(base, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", &failure))
        return true;
    /* Whatever it is (a standby, a server that stops), no write is possible now. */
    if (failure)
        failure->code = STORE_ERROR_UNAVAILABLE;
    g_propagate_error(error, failure);
    base->writes = false;
    return false;
}

bool postgresql_connection_commit(Connection *base, GError **error)
{
    PostgresqlConnection *connection = (PostgresqlConnection *)base;
    PGresult *result = check(connection, PQexec(connection->handle, "COMMIT"), "COMMIT", error);
    base->writes = false;
    if (!result)
        return false;
    /* The server answers a COMMIT of a failed transaction with success, and "ROLLBACK". */
    bool committed = strcmp(PQcmdStatus(result), "COMMIT") == 0;
    PQclear(result);
    if (!committed)
        g_set_error_literal(error, STORE_ERROR, STORE_ERROR_SQL,
                            "PostgreSQL undid the transaction at its commit");
    return committed;
}

void postgresql_connection_rollback(Connection *base)
{
    PostgresqlConnection *connection = (PostgresqlConnection *)base;
    PostgresqlTrouble trouble = connection->trouble;
    base->writes = false;
    if (trouble != POSTGRESQL_TROUBLE_LOST && postgresql_execute(base, "ROLLBACK", NULL))
        connection->trouble = trouble;
}

static Oid type_of_letter(char letter)
{
    switch (letter) {
    case 'i':
    case 'n':
        return POSTGRESQL_INT8;
    case 'b':
        return POSTGRESQL_BYTEA;
    case 'z':
        return POSTGRESQL_FLOAT8;
    }
    return POSTGRESQL_TEXT;
}

/* The statement's name on the server, which is "" for one that is not kept. Borrowed. */
static const char *prepare(PostgresqlConnection *connection, const Statement *statement,
                           GError **error)
{
    const char *known = g_hash_table_lookup(connection->statements, statement->sql);
    if (known)
        return known;
    guint kept = g_hash_table_size(connection->statements);
    g_autofree char *name =
        kept < PREPARED_MAX ? g_strdup_printf("statement_%u", kept) : g_strdup("");
    g_autofree Oid *types = g_new(Oid, statement->count + 1);
    for (unsigned i = 0; i < statement->count; i++)
        types[i] = type_of_letter(statement->values[i].letter);
    PGresult *result =
        PQprepare(connection->handle, name, statement->sql, (int)statement->count, types);
    result = check(connection, result, statement->sql, error);
    if (!result)
        return NULL;
    PQclear(result);
    if (kept >= PREPARED_MAX)
        return "";
    known = g_steal_pointer(&name);
    g_hash_table_insert(connection->statements, g_strdup(statement->sql), (gpointer)known);
    return known;
}

/* Parameters as libpq wants them: numbers and bytes in binary form, texts as they are. */
typedef struct {
    const char *pointers[STATEMENT_VALUES_MAX];
    int lengths[STATEMENT_VALUES_MAX];
    int formats[STATEMENT_VALUES_MAX];
    guint64 numbers[STATEMENT_VALUES_MAX]; /* in network byte order */
} Parameters;

static void encode(Parameters *out, unsigned i, const Value *value)
{
    guint64 bits = (guint64)value->integer;
    out->pointers[i] = NULL;
    out->lengths[i] = 0;
    out->formats[i] = value->type != VALUE_TEXT;
    switch (value->type) {
    case VALUE_NULL:
        break;
    case VALUE_TEXT:
        out->pointers[i] = value->text;
        break;
    case VALUE_REAL:
        memcpy(&bits, &value->real, sizeof bits);
        /* fall through */
    case VALUE_INT:
        out->numbers[i] = GUINT64_TO_BE(bits);
        out->pointers[i] = (const char *)&out->numbers[i];
        out->lengths[i] = sizeof bits;
        break;
    case VALUE_BYTES:
        /* A NULL pointer would be NULL, and no bytes are not NULL. */
        out->pointers[i] = value->bytes.size > 0 ? (const char *)value->bytes.data : "";
        out->lengths[i] = (int)value->bytes.size;
        break;
    }
}

static PGresult *execute_statement(PostgresqlConnection *connection, const Statement *statement,
                                   GError **error)
{
    Parameters parameters;
    const char *name = prepare(connection, statement, error);
    if (!name)
        return NULL;
    for (unsigned i = 0; i < statement->count; i++)
        encode(&parameters, i, &statement->values[i]);
    PGresult *result =
        PQexecPrepared(connection->handle, name, (int)statement->count, parameters.pointers,
                       parameters.lengths, parameters.formats, 1);
    return check(connection, result, statement->sql, error);
}

bool postgresql_run(Connection *base, const Statement *statement, guint64 *changed, GError **error)
{
    PGresult *result = execute_statement((PostgresqlConnection *)base, statement, error);
    if (!result)
        return false;
    *changed = g_ascii_strtoull(PQcmdTuples(result), NULL, 10);
    PQclear(result);
    return true;
}

Rows *postgresql_query(Connection *base, const Statement *statement, GError **error)
{
    PGresult *result = execute_statement((PostgresqlConnection *)base, statement, error);
    return result ? postgresql_rows_new(base, result, statement->sql, error) : NULL;
}
