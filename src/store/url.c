/* SPDX-License-Identifier: Apache-2.0 */
#include "store/url.h"

#include <string.h>

#include "base/secret.h"
#include "store/database.h"

static void free_secret(gpointer text)
{
    secret_free_text(text);
}

void database_url_free(DatabaseUrl *url)
{
    if (!url)
        return;
    g_free(url->path);
    g_clear_pointer(&url->keywords, g_ptr_array_unref);
    g_clear_pointer(&url->values, g_ptr_array_unref);
    g_free(url->shown);
    g_free(url);
}

const char *database_url_parameter(const DatabaseUrl *url, const char *keyword)
{
    for (guint i = url->keywords ? url->keywords->len : 0; i > 0; i--)
        if (strcmp(g_ptr_array_index(url->keywords, i - 1), keyword) == 0)
            return g_ptr_array_index(url->values, i - 1);
    return NULL;
}

static DatabaseUrl *sqlite_url(char *path, bool create_directory)
{
    DatabaseUrl *url = g_new0(DatabaseUrl, 1);
    url->engine = DATABASE_ENGINE_SQLITE;
    url->path = path;
    url->create_directory = create_directory;
    url->shown = g_strdup(path);
    return url;
}

/* `rest` follows "sqlite://". */
static DatabaseUrl *parse_sqlite(const char *rest, GError **error)
{
    const char *path = rest[0] == '/' ? rest + 1 : rest;
    if (path[0] == '\0' || g_str_has_prefix(path, ":memory:")) {
        g_set_error_literal(error, STORE_ERROR, STORE_ERROR_URL,
                            "database_url: an in-memory SQLite database would forget every "
                            "enrolment; name a file, e.g. sqlite:////var/lib/keylime/name.sqlite");
        return NULL;
    }
    if (rest[0] != '/') {
        g_set_error(error, STORE_ERROR, STORE_ERROR_URL,
                    "database_url: SQLite has no host; write sqlite:///%s for a file below the "
                    "current directory, or four slashes and an absolute path",
                    path);
        return NULL;
    }
    if (strchr(path, '?')) {
        g_set_error_literal(error, STORE_ERROR, STORE_ERROR_URL,
                            "database_url: options after ? are not known for SQLite; remove them");
        return NULL;
    }
    return sqlite_url(g_strdup(path), false);
}

static void add_parameter(DatabaseUrl *url, const char *keyword, char *value)
{
    g_ptr_array_add(url->keywords, g_strdup(keyword));
    g_ptr_array_add(url->values, value);
}

/* Percent-decodes; NULL with an error that does not show the text, which may be a password. */
static char *decode(const char *text, gssize size, const char *what, GError **error)
{
    g_autofree char *encoded = size < 0 ? g_strdup(text) : g_strndup(text, size);
    char *decoded = g_uri_unescape_string(encoded, NULL);
    if (!decoded)
        g_set_error(error, STORE_ERROR, STORE_ERROR_URL,
                    "database_url: the %s is not percent-encoded text", what);
    secret_wipe(encoded, strlen(encoded));
    return decoded;
}

static bool parse_user(DatabaseUrl *url, const char *text, size_t size, GError **error)
{
    const char *colon = memchr(text, ':', size);
    size_t user_size = colon ? (size_t)(colon - text) : size;
    char *user = decode(text, (gssize)user_size, "user name", error);
    if (!user)
        return false;
    add_parameter(url, "user", user);
    if (!colon)
        return true;
    char *password = decode(colon + 1, (gssize)(size - user_size - 1), "password", error);
    if (!password)
        return false;
    add_parameter(url, "password", password);
    return true;
}

static bool parse_host(DatabaseUrl *url, const char *text, size_t size, GError **error)
{
    g_autofree char *host = g_strndup(text, size);
    const char *name = host;
    char *port = NULL;
    if (host[0] == '[') {
        char *end = strchr(host, ']');
        if (!end || (end[1] != '\0' && end[1] != ':')) {
            g_set_error_literal(error, STORE_ERROR, STORE_ERROR_URL,
                                "database_url: an IPv6 address is written [address]");
            return false;
        }
        port = end[1] == ':' ? end + 2 : NULL;
        *end = '\0';
        name = host + 1;
    } else {
        char *colon = strrchr(host, ':');
        if (colon) {
            *colon = '\0';
            port = colon + 1;
        }
    }
    guint64 number;
    if (port && port[0] && !g_ascii_string_to_unsigned(port, 10, 1, 65535, &number, NULL)) {
        /* Not shown: it may be a password with a character that ends it. */
        g_set_error_literal(error, STORE_ERROR, STORE_ERROR_URL,
                            "database_url: what follows the host and a colon is no port number; in "
                            "user and password, write %40 for @, %2F for /, %3A for :");
        return false;
    }
    if (name[0])
        add_parameter(url, "host", g_strdup(name));
    if (port && port[0])
        add_parameter(url, "port", g_strdup(port));
    return true;
}

/* ?sslmode=verify-full&connect_timeout=3: names of libpq, which refuses those it does not know. */
static bool parse_options(DatabaseUrl *url, const char *text, GError **error)
{
    g_auto(GStrv) pairs = g_strsplit(text, "&", -1);
    for (char **pair = pairs; *pair; pair++) {
        if (!**pair)
            continue;
        char *equals = strchr(*pair, '=');
        if (!equals || equals == *pair) {
            g_set_error_literal(error, STORE_ERROR, STORE_ERROR_URL,
                                "database_url: options after ? are written name=value");
            return false;
        }
        g_autofree char *keyword = decode(*pair, equals - *pair, "option name", error);
        char *value = keyword ? decode(equals + 1, -1, "option value", error) : NULL;
        if (!value)
            return false;
        add_parameter(url, keyword, value);
    }
    return true;
}

/* `rest` follows "postgresql://". */
static DatabaseUrl *parse_postgresql(const char *rest, GError **error)
{
    g_autoptr(DatabaseUrl) url = g_new0(DatabaseUrl, 1);
    url->engine = DATABASE_ENGINE_POSTGRESQL;
    url->keywords = g_ptr_array_new_with_free_func(g_free);
    url->values = g_ptr_array_new_with_free_func(free_secret);

    size_t authority = strcspn(rest, "/?");
    const char *at = g_strrstr_len(rest, (gssize)authority, "@");
    if (at && !parse_user(url, rest, (size_t)(at - rest), error))
        return NULL;
    const char *host = at ? at + 1 : rest;
    if (!parse_host(url, host, authority - (size_t)(host - rest), error))
        return NULL;

    const char *name = rest + authority;
    if (*name == '/')
        name++;
    size_t name_size = strcspn(name, "?");
    if (name_size > 0)
        add_parameter(url, "dbname", g_strndup(name, name_size));
    if (name[name_size] == '?' && !parse_options(url, name + name_size + 1, error))
        return NULL;

    const char *shown_host = database_url_parameter(url, "host");
    const char *port = database_url_parameter(url, "port");
    const char *shown_name = database_url_parameter(url, "dbname");
    url->shown = g_strdup_printf("%s%s%s/%s", shown_host ? shown_host : "local socket",
                                 port ? ":" : "", port ? port : "", shown_name ? shown_name : "");
    return g_steal_pointer(&url);
}

DatabaseUrl *database_url_parse(const char *url, const char *directory, const char *file_name,
                                GError **error)
{
    static const char *const sqlite_schemes[] = {"sqlite", "sqlite+pysqlite", NULL};
    static const char *const postgresql_schemes[] = {"postgresql", "postgresql+psycopg2", NULL};

    if (!url || !url[0]) {
        g_set_error_literal(error, STORE_ERROR, STORE_ERROR_URL,
                            "database_url is empty; write sqlite, or a URL that begins with "
                            "sqlite:/// or postgresql://");
        return NULL;
    }
    if (strcmp(url, "sqlite") == 0)
        return sqlite_url(g_build_filename(directory, file_name, NULL), true);

    const char *separator = strstr(url, "://");
    g_autofree char *scheme = g_strndup(url, separator ? (size_t)(separator - url) : 0);
    const char *rest = separator ? separator + strlen("://") : "";
    if (g_strv_contains(sqlite_schemes, scheme))
        return parse_sqlite(rest, error);
    if (g_strv_contains(postgresql_schemes, scheme))
        return parse_postgresql(rest, error);
    if (g_str_has_prefix(scheme, "mysql") || g_str_has_prefix(scheme, "mariadb"))
        g_set_error_literal(error, STORE_ERROR, STORE_ERROR_URL,
                            "database_url: MySQL and MariaDB are not supported; use SQLite, or "
                            "PostgreSQL when several servers share the database");
    else if (strcmp(scheme, "postgres") == 0)
        g_set_error_literal(error, STORE_ERROR, STORE_ERROR_URL,
                            "database_url: write postgresql:// instead of postgres://");
    else
        g_set_error(error, STORE_ERROR, STORE_ERROR_URL,
                    "database_url: unknown kind of database%s%s; write sqlite, or a URL that "
                    "begins with sqlite:/// or postgresql://",
                    scheme[0] ? " " : "", scheme);
    return NULL;
}
