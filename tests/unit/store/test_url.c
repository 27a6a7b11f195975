/* SPDX-License-Identifier: Apache-2.0 */
/* The forms of `database_url` (configuration-and-operations §9.1, decision D115). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "store/database.h"
#include "store/url.h"

static DatabaseUrl *parse(const char *text)
{
    g_autoptr(GError) error = NULL;
    DatabaseUrl *url = database_url_parse(text, "/var/lib/keylime", "verifier.sqlite", &error);
    if (!url)
        fail_msg("%s: %s", text, error->message);
    return url;
}

static void assert_path(const char *text, const char *path, bool create_directory)
{
    g_autoptr(DatabaseUrl) url = parse(text);
    assert_int_equal(url->engine, DATABASE_ENGINE_SQLITE);
    assert_string_equal(url->path, path);
    assert_int_equal(url->create_directory, create_directory);
}

static void sqlite_forms(void **state)
{
    assert_path("sqlite", "/var/lib/keylime/verifier.sqlite", true);
    assert_path("sqlite:////abs/file.db", "/abs/file.db", false);
    assert_path("sqlite:///rel/file.db", "rel/file.db", false);
}

static void assert_parameter(const char *text, const char *keyword, const char *expected)
{
    g_autoptr(DatabaseUrl) url = parse(text);
    assert_int_equal(url->engine, DATABASE_ENGINE_POSTGRESQL);
    const char *value = database_url_parameter(url, keyword);
    if (!expected)
        assert_null(value);
    else
        assert_string_equal(value, expected);
    assert_null(strstr(url->shown, "secret"));
}

static void postgresql_forms(void **state)
{
    const char *full = "postgresql+psycopg2://us%40er:s%3Aec@ret%2F@db.example:5433/name"
                       "?sslmode=verify-full&options=-c%20x%3Dy";
    assert_parameter(full, "user", "us@er");
    assert_parameter(full, "password", "s:ec@ret/");
    assert_parameter(full, "host", "db.example");
    assert_parameter(full, "port", "5433");
    assert_parameter(full, "dbname", "name");
    assert_parameter(full, "sslmode", "verify-full");
    assert_parameter(full, "options", "-c x=y");
    assert_parameter("postgresql://u:secret@[::1]:5432/n", "host", "::1");
    assert_parameter("postgresql://u:secret@[::1]:5432/n", "port", "5432");
    assert_parameter("postgresql:///n?host=/run/postgresql", "host", "/run/postgresql");
    assert_parameter("postgresql:///n", "host", NULL);
    assert_parameter("postgresql://", "dbname", NULL);
    assert_parameter("postgresql://u@h", "password", NULL);
}

static void assert_refused(const char *text, const char *reason)
{
    g_autoptr(GError) error = NULL;
    assert_null(database_url_parse(text, "/d", "f", &error));
    assert_true(g_error_matches(error, STORE_ERROR, STORE_ERROR_URL));
    if (!strstr(error->message, reason))
        fail_msg("%s: %s", text ? text : "NULL", error->message);
    assert_null(strstr(error->message, "secret"));
}

static void others_are_refused_with_a_reason(void **state)
{
    assert_refused(NULL, "empty");
    assert_refused("", "empty");
    assert_refused("sqlite://", "in-memory");
    assert_refused("sqlite:///", "in-memory");
    assert_refused("sqlite:///:memory:", "in-memory");
    assert_refused("sqlite://host/file", "no host");
    assert_refused("sqlite:////file?timeout=3", "options");
    assert_refused("mysql+pymysql://u:secret@h:3306/verifier", "MySQL");
    assert_refused("mariadb://u:secret@h/verifier", "MySQL");
    assert_refused("postgres://u:secret@h/n", "postgresql://");
    assert_refused("oracle://u:secret@h/n", "oracle");
    assert_refused("u:secret@h/n", "unknown kind");
    assert_refused("postgresql://u:secret%zz@h/n", "password is not percent-encoded");
    assert_refused("postgresql://u:secret@h:0/n", "port");
    assert_refused("postgresql://u:secret@h:65536/n", "port");
    assert_refused("postgresql://u:secret@[::1/n", "IPv6");
    assert_refused("postgresql://u:secret@h/n?sslmode", "name=value");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sqlite_forms),
        cmocka_unit_test(postgresql_forms),
        cmocka_unit_test(others_are_refused_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
