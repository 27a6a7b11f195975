/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <glib/gstdio.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SKIPPED 77

static bool postgresql;
static char *server_directory;
static char *server_url; /* without a database's name */
static unsigned databases;

static const char *const version_1[] = {
    "CREATE TABLE items (name TEXT PRIMARY KEY, number BIGINT NOT NULL, data BYTEA,"
    " fraction DOUBLE PRECISION)",
    "CREATE TABLE parts (part TEXT PRIMARY KEY,"
    " item TEXT NOT NULL REFERENCES items (name) ON DELETE CASCADE)",
    NULL,
};
const Migration test_migrations[] = {{1, version_1}, {0, NULL}};

/* `tests/postgresql-server start|stop DIRECTORY`; its output, or NULL when it failed. */
static char *run_server_script(const char *command)
{
    const char *script = g_getenv("POSTGRESQL_SERVER");
    const char *arguments[] = {script, command, server_directory, NULL};
    g_autofree char *output = NULL;
    int status = 0;
    if (!g_spawn_sync(NULL, (char **)arguments, NULL, G_SPAWN_DEFAULT, NULL, NULL, &output, NULL,
                      &status, NULL))
        return NULL;
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) {
        g_rmdir(server_directory);
        exit(SKIPPED);
    }
    return status == 0 ? g_strdup(g_strstrip(output)) : NULL;
}

void engine_start(int argc, char **argv)
{
    postgresql = argc > 1 && strcmp(argv[1], "postgresql") == 0;
    if (!postgresql)
        return;
    server_directory = g_dir_make_tmp("store-test-XXXXXX", NULL);
    server_url = run_server_script("start");
    if (!server_url) {
        fprintf(stderr, "PostgreSQL did not start\n");
        exit(1);
    }
    char *name = strrchr(server_url, '/');
    name[1] = '\0';
}

void engine_stop(void)
{
    if (!postgresql)
        return;
    g_free(run_server_script("stop"));
    g_rmdir(server_directory);
    g_clear_pointer(&server_directory, g_free);
    g_clear_pointer(&server_url, g_free);
}

void engine_halt(void)
{
    g_autofree char *output = run_server_script("halt");
    assert_non_null(output);
}

void engine_resume(void)
{
    g_autofree char *output = run_server_script("start");
    assert_non_null(output);
}

bool engine_is_postgresql(void)
{
    return postgresql;
}

static char *create_postgresql_database(void)
{
    g_autofree char *url = g_strdup_printf("%spostgres", server_url);
    g_autofree char *name = g_strdup_printf("test_%u", ++databases);
    g_autofree char *sql = g_strdup_printf("CREATE DATABASE %s", name);
    PGconn *connection = PQconnectdb(url);
    PGresult *result = PQexec(connection, sql);
    bool ok = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (!ok)
        fprintf(stderr, "%s", PQerrorMessage(connection));
    PQclear(result);
    PQfinish(connection);
    assert_true(ok);
    return g_strconcat(server_url, name, NULL);
}

int fixture_setup(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);
    fixture->directory = g_dir_make_tmp("store-test-XXXXXX", NULL);
    fixture->url = postgresql ? create_postgresql_database()
                              : g_strdup_printf("sqlite:///%s/test.sqlite", fixture->directory);
    *state = fixture;
    return 0;
}

int fixture_teardown(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GDir) directory = g_dir_open(fixture->directory, 0, NULL);
    const char *name;
    while (directory && (name = g_dir_read_name(directory))) {
        g_autofree char *path = g_build_filename(fixture->directory, name, NULL);
        g_remove(path);
    }
    g_rmdir(fixture->directory);
    g_free(fixture->directory);
    g_free(fixture->url);
    g_free(fixture);
    return 0;
}

Database *fixture_open(const Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    const DatabaseSettings settings = {
        .url = fixture->url,
        .max_connections = 8,
        .migrate = true,
        .migrations = test_migrations,
    };
    Database *database = database_open(&settings, &error);
    if (!database)
        fail_msg("cannot open %s: %s", fixture->url, error->message);
    return database;
}

bool item_insert(Connection *connection, gpointer data, GError **error)
{
    const Item *item = data;
    return sql_run(connection, error, "INSERT INTO items (name, number) VALUES ($1, $2)", "ti",
                   item->name, item->number);
}

bool item_find(Connection *connection, gpointer data, GError **error)
{
    Item *item = data;
    GError *failure = NULL;
    g_autoptr(Rows) rows =
        sql_query(connection, error, "SELECT number FROM items WHERE name = $1", "t", item->name);
    if (!rows)
        return false;
    item->found = rows_next(rows, &failure);
    if (item->found)
        item->number = rows_int(rows, 0);
    if (failure)
        g_propagate_error(error, failure);
    return failure == NULL;
}

bool item_count(Connection *connection, gpointer data, GError **error)
{
    g_autoptr(Rows) rows = sql_query(connection, error, "SELECT COUNT(*) FROM items", "");
    if (!rows || !rows_next(rows, error))
        return false;
    *(gint64 *)data = rows_int(rows, 0);
    return true;
}

bool item_delete_all(Connection *connection, gpointer data, GError **error)
{
    return sql_run(connection, error, "DELETE FROM items", "");
}
