/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of a program that has a database (configuration-and-operations §9), and the database
 * that they say.
 */
#pragma once

#include "config/config.h"
#include "config/option_rows.h"
#include "store/database.h"

/* For DATABASE_ROWS. */
const char *database_check_url(const char *value);
const char *database_check_pool(const char *value);

/* In a table of options. */
#define DATABASE_ROWS                                                                              \
    TEXT("database_url", "sqlite",                                                                 \
         "sqlite (a file in the working directory), sqlite:////path/to/file or"                    \
         " postgresql://user:password@host/name.",                                                 \
         .check = database_check_url, .secret = true),                                             \
        TEXT("database_pool_sz_ovfl", "5,10",                                                      \
             "Connections to PostgreSQL: kept ones and further ones under load.",                  \
             .check = database_check_pool),                                                        \
        BOOL("auto_migrate_db", "True", "Bring the database's tables up to date at start.")

/* Opens it and logs what it is. `file_name`: of database_url = sqlite. */
Database *database_open_configured(const Config *config, const char *file_name,
                                   const Migration *migrations, GError **error);
