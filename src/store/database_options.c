/* SPDX-License-Identifier: Apache-2.0 */
#include "store/database_options.h"

#define LOG_NAME "keylime.database"
#include "base/log.h"
#include "store/url.h"

/* What database_pool_sz_ovfl may hold: larger ones are typing errors. */
#define CONNECTIONS_MAX 10000

/* "5,10": connections that are kept, and how many more there may be; 0 when it is none. */
static unsigned connections_of(const char *value)
{
    g_auto(GStrv) parts = g_strsplit(value, ",", -1);
    guint64 kept = 0, more = 0;
    if (g_strv_length(parts) != 2 ||
        !g_ascii_string_to_unsigned(g_strstrip(parts[0]), 10, 1, CONNECTIONS_MAX, &kept, NULL) ||
        !g_ascii_string_to_unsigned(g_strstrip(parts[1]), 10, 0, CONNECTIONS_MAX, &more, NULL))
        return 0;
    return (unsigned)(kept + more);
}

const char *database_check_url(const char *value)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(DatabaseUrl) url =
        *value ? database_url_parse(value, config_work_dir(), "unused", &error) : NULL;
    if (!*value)
        return "must not be empty";
    return url ? NULL : g_intern_string(error->message);
}

const char *database_check_pool(const char *value)
{
    return connections_of(value) > 0 ? NULL
                                     : "must be two whole numbers, size and overflow, such as 5,10";
}

Database *database_open_configured(const Config *config, const char *file_name,
                                   const Migration *migrations, GError **error)
{
    DatabaseSettings settings = {
        .url = config_text(config, NULL, "database_url"),
        .directory = config_work_dir(),
        .file_name = file_name,
        .max_connections = connections_of(config_text(config, NULL, "database_pool_sz_ovfl")),
        .migrate = config_bool(config, NULL, "auto_migrate_db"),
        .migrations = migrations,
    };
    Database *database = database_open(&settings, error);
    if (database)
        log_info("Database: %s", database_description(database));
    return database;
}
