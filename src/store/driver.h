/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a database engine provides to this floor. Private to src/store: programs see database.h.
 */
#pragma once

#include "store/database.h"
#include "store/url.h"

typedef struct Driver Driver;

/* Head of each engine's own structures. */
struct Database {
    const Driver *driver;
    char *description;
};

struct Connection {
    const Driver *driver;
    bool writes;     /* inside database_write() */
    GError *failure; /* first failed statement of this write; ends it */
};

struct Rows {
    const Driver *driver;
    Connection *connection;
};

typedef enum { VALUE_NULL, VALUE_TEXT, VALUE_INT, VALUE_BYTES, VALUE_REAL } ValueType;

/* A parameter; text and bytes are borrowed. */
typedef struct {
    ValueType type;
    char letter; /* as declared: PostgreSQL needs the type of a NULL too */
    union {
        const char *text;
        gint64 integer;
        Bytes bytes;
        double real;
    };
} Value;

/* The widest row of the schemas has about 40 columns. */
#define STATEMENT_VALUES_MAX 64
/* Less than PostgreSQL's 1 GiB for a value and SQLite's 10^9 bytes for a row. */
#define STATEMENT_BYTES_MAX (512u << 20)

typedef struct {
    const char *sql;
    const Value *values;
    unsigned count;
} Statement;

struct Driver {
    /* Opens one connection at least, so that a wrong URL or an unreachable server is told at start.
     */
    /* Takes over `url`, also on failure. */
    Database *(*open)(DatabaseUrl *url, const DatabaseSettings *settings, GError **error);
    void (*close)(Database *database); /* frees all but `description` */
    bool (*read)(Database *database, DatabaseWork work, gpointer data, GError **error);
    bool (*write)(Database *database, DatabaseWork work, gpointer data, GError **error);

    /* Text without parameters, not kept prepared. */
    bool (*execute)(Connection *connection, const char *sql, GError **error);
    bool (*run)(Connection *connection, const Statement *statement, guint64 *changed,
                GError **error);
    Rows *(*query)(Connection *connection, const Statement *statement, GError **error);

    bool (*rows_next)(Rows *rows, GError **error);
    gint64 (*rows_int)(Rows *rows, unsigned column);
    double (*rows_real)(Rows *rows, unsigned column);
    const char *(*rows_text)(Rows *rows, unsigned column);
    Bytes (*rows_bytes)(Rows *rows, unsigned column);
    bool (*rows_is_null)(Rows *rows, unsigned column);
    void (*rows_free)(Rows *rows);

    /* One row: how many tables have the name $1. */
    const char *count_tables;
    /* Run first in the transaction that migrates; NULL where a write excludes all others anyway. */
    const char *lock_schema;
};

extern const Driver sqlite_driver;
extern const Driver postgresql_driver;

/* Runs `work` and gives its result after the rules of database.h: a failed statement fails it. */
bool driver_run_work(Connection *connection, DatabaseWork work, gpointer data, GError **error);
/* As sql_run() with text that holds no parameters and is run once (a schema's statement). */
bool driver_execute(Connection *connection, const char *sql, GError **error);
