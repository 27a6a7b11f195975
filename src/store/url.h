/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The option `database_url` (configuration-and-operations §9.1): which engine, and where.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum { DATABASE_ENGINE_SQLITE, DATABASE_ENGINE_POSTGRESQL } DatabaseEngine;

typedef struct {
    DatabaseEngine engine;
    char *path;            /* SQLite */
    bool create_directory; /* SQLite: the keyword form owns its directory */
    /* PostgreSQL: connection parameters of libpq, pairwise; NULL for SQLite */
    GPtrArray *keywords;
    GPtrArray *values;
    char *shown; /* for messages and logs; without password and options */
} DatabaseUrl;

/*
 * `directory` and `file_name` are for the keyword "sqlite". NULL and STORE_ERROR_URL for everything
 * else than the SQLite and PostgreSQL forms, in-memory databases included: they vanish at a
 * restart, and with them every enrolment.
 */
DatabaseUrl *database_url_parse(const char *url, const char *directory, const char *file_name,
                                GError **error);
void database_url_free(DatabaseUrl *url);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DatabaseUrl, database_url_free)
/* Value of a PostgreSQL parameter, the last if it is repeated; NULL when absent. Borrowed. */
const char *database_url_parameter(const DatabaseUrl *url, const char *keyword);
