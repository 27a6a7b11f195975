/* SPDX-License-Identifier: Apache-2.0 */
#include "store/database.h"

#include "store/driver.h"
#include "store/migrations.h"

G_DEFINE_QUARK(keylime - store - error, store_error)

/*
 * Set while this thread works on a database. Work inside a work would wait for a connection, or for
 * the writer, that it holds itself.
 */
static _Thread_local bool working;

Database *database_open(const DatabaseSettings *settings, GError **error)
{
    g_autoptr(DatabaseUrl) url =
        database_url_parse(settings->url, settings->directory, settings->file_name, error);
    if (!url)
        return NULL;
    const Driver *driver =
        url->engine == DATABASE_ENGINE_SQLITE ? &sqlite_driver : &postgresql_driver;
    g_autoptr(Database) database = driver->open(g_steal_pointer(&url), settings, error);
    if (!database || !migrations_apply(database, settings->migrations, settings->migrate, error))
        return NULL;
    return g_steal_pointer(&database);
}

void database_close(Database *database)
{
    if (!database)
        return;
    char *description = database->description;
    database->driver->close(database);
    g_free(description);
}

const char *database_description(const Database *database)
{
    return database->description;
}

static bool refuse_nesting(GError **error)
{
    if (working)
        g_set_error_literal(error, STORE_ERROR, STORE_ERROR_SQL,
                            "work on the database inside other work on a database");
    return working;
}

bool database_read(Database *database, DatabaseWork work, gpointer data, GError **error)
{
    if (refuse_nesting(error))
        return false;
    working = true;
    bool ok = database->driver->read(database, work, data, error);
    working = false;
    return ok;
}

bool database_write(Database *database, DatabaseWork work, gpointer data, GError **error)
{
    if (refuse_nesting(error))
        return false;
    working = true;
    bool ok = database->driver->write(database, work, data, error);
    working = false;
    return ok;
}
