/* SPDX-License-Identifier: Apache-2.0 */
/* Reads, writes, types and errors: the same on both engines. */
#include "fixture.h"

#include <glib/gstdio.h>
#include <string.h>

static void assert_counts(Database *database, gint64 expected)
{
    gint64 count = -1;
    g_autoptr(GError) error = NULL;
    assert_true(database_read(database, item_count, &count, &error));
    assert_int_equal(count, expected);
}

static void assert_write_fails(Database *database, DatabaseWork work, gpointer data, int code)
{
    g_autoptr(GError) error = NULL;
    assert_false(database_write(database, work, data, &error));
    assert_non_null(error);
    if (!g_error_matches(error, STORE_ERROR, code))
        fail_msg("expected code %d, got %d: %s", code, error->code, error->message);
}

static void a_read_sees_the_acknowledged_write(void **state)
{
    g_autoptr(Database) database = fixture_open(*state);
    for (int i = 0; i < 50; i++) {
        g_autofree char *name = g_strdup_printf("item %d", i);
        Item item = {.name = name, .number = i};
        Item found = {.name = name};
        assert_true(database_write(database, item_insert, &item, NULL));
        assert_true(database_read(database, item_find, &found, NULL));
        assert_true(found.found);
        assert_int_equal(found.number, i);
    }
}

static void rows_survive_closing(void **state)
{
    Item item = {.name = "kept", .number = 42};
    g_autoptr(Database) first = fixture_open(*state);
    assert_true(database_write(first, item_insert, &item, NULL));
    g_clear_pointer(&first, database_close);
    g_autoptr(Database) second = fixture_open(*state);
    Item found = {.name = "kept"};
    assert_true(database_read(second, item_find, &found, NULL));
    assert_int_equal(found.number, 42);
}

static const uint8_t binary[] = {0, 1, 0xff, 0, '\'', '\\', 0x80};

static bool insert_types(Connection *connection, gpointer data, GError **error)
{
    static const char sql[] =
        "INSERT INTO items (data, number, fraction, name) VALUES ($4, $2, $3, $1)";
    const Bytes bytes = BYTES_OF_ARRAY(binary);
    const Bytes empty = BYTES_EMPTY;
    const gint64 largest = G_MAXINT64;
    return sql_run(connection, error, sql, "tizb", "a", G_MININT64, 0.1, &bytes) &&
           sql_run(connection, error, sql, "tizb", "b \xc3\xa9 '\"", (gint64)-1, -1e300, &empty) &&
           sql_run(connection, error, "INSERT INTO items (name, number, data) VALUES ($1, $2, $3)",
                   "tnb", "c", &largest, (const Bytes *)NULL);
}

static bool check_types(Connection *connection, gpointer data, GError **error)
{
    g_autoptr(Rows) rows = sql_query(
        connection, error, "SELECT name, number, data, fraction FROM items ORDER BY name", "");
    assert_non_null(rows);
    assert_true(rows_next(rows, error));
    assert_string_equal(rows_text(rows, 0), "a");
    assert_true(rows_int(rows, 1) == G_MININT64);
    assert_true(bytes_equal(rows_bytes(rows, 2), BYTES_OF_ARRAY(binary)));
    assert_true(rows_real(rows, 3) == 0.1);
    assert_true(rows_next(rows, error));
    assert_string_equal(rows_text(rows, 0), "b \xc3\xa9 '\"");
    assert_int_equal(rows_int(rows, 1), -1);
    assert_int_equal(rows_bytes(rows, 2).size, 0);
    assert_false(rows_is_null(rows, 2));
    assert_true(rows_real(rows, 3) == -1e300);
    assert_true(rows_next(rows, error));
    assert_true(rows_int(rows, 1) == G_MAXINT64);
    assert_true(rows_is_null(rows, 2));
    assert_int_equal(rows_bytes(rows, 2).size, 0);
    assert_true(rows_is_null(rows, 3));
    assert_true(rows_real(rows, 3) == 0.0);
    assert_false(rows_next(rows, error));
    return true;
}

static void values_come_back_as_they_went(void **state)
{
    g_autoptr(Database) database = fixture_open(*state);
    assert_true(database_write(database, insert_types, NULL, NULL));
    assert_true(database_read(database, check_types, NULL, NULL));
}

static bool null_text(Connection *connection, gpointer data, GError **error)
{
    g_autoptr(Rows) rows =
        sql_query(connection, error,
                  "SELECT CAST($1 AS TEXT), CAST($2 AS BIGINT), $3 = 'x', COALESCE($1, $3)", "tnt",
                  (const char *)NULL, (const gint64 *)NULL, "x");
    assert_non_null(rows);
    assert_true(rows_next(rows, error));
    assert_null(rows_text(rows, 0));
    assert_int_equal(rows_int(rows, 1), 0);
    assert_true(rows_is_null(rows, 1));
    assert_int_equal(rows_int(rows, 2), 1);
    assert_string_equal(rows_text(rows, 3), "x");
    return true;
}

static void null_parameters_and_repeated_parameters(void **state)
{
    g_autoptr(Database) database = fixture_open(*state);
    assert_true(database_read(database, null_text, NULL, NULL));
}

static bool insert_then_give_up(Connection *connection, gpointer data, GError **error)
{
    Item item = {.name = "gone", .number = 1};
    if (!item_insert(connection, &item, error))
        return false;
    g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "changed my mind");
    return false;
}

static void a_failed_write_leaves_nothing(void **state)
{
    g_autoptr(Database) database = fixture_open(*state);
    g_autoptr(GError) error = NULL;
    assert_false(database_write(database, insert_then_give_up, NULL, &error));
    assert_string_equal(error->message, "changed my mind");
    assert_counts(database, 0);
}

static bool ignore_a_failed_statement(Connection *connection, gpointer data, GError **error)
{
    Item item = {.name = "twice", .number = 1};
    if (!item_insert(connection, &item, error))
        return false;
    assert_false(item_insert(connection, &item, NULL));
    Item other = {.name = "other", .number = 1};
    assert_false(item_insert(connection, &other, NULL));
    return true;
}

static void a_failed_statement_ends_its_write(void **state)
{
    g_autoptr(Database) database = fixture_open(*state);
    assert_write_fails(database, ignore_a_failed_statement, NULL, STORE_ERROR_CONFLICT);
    assert_counts(database, 0);
}

static bool part_without_item(Connection *connection, gpointer data, GError **error)
{
    return sql_run(connection, error, "INSERT INTO parts (part, item) VALUES ($1, $2)", "tt", "p",
                   "nothing");
}

static bool item_without_number(Connection *connection, gpointer data, GError **error)
{
    return sql_run(connection, error, "INSERT INTO items (name, number) VALUES ($1, $2)", "tn", "n",
                   (const gint64 *)NULL);
}

static bool wrong_sql(Connection *connection, gpointer data, GError **error)
{
    return sql_run(connection, error, "INSERT INTO nowhere VALUES ($1)", "t", "x");
}

static bool quoted_text(Connection *connection, gpointer data, GError **error)
{
    return sql_run(connection, error, "DELETE FROM items WHERE name = \"text\"", "");
}

static bool too_few_values(Connection *connection, gpointer data, GError **error)
{
    return sql_run(connection, error, "INSERT INTO items (name, number) VALUES ($1, $2)", "t", "x");
}

static bool two_statements(Connection *connection, gpointer data, GError **error)
{
    return sql_run(connection, error, "DELETE FROM parts; DELETE FROM items", "");
}

static bool not_utf8(Connection *connection, gpointer data, GError **error)
{
    return sql_run(connection, error, "INSERT INTO items (name, number) VALUES ($1, 1)", "t",
                   "\xff\xfe");
}

static bool fail_silently(Connection *connection, gpointer data, GError **error)
{
    return false;
}

static void errors_have_their_codes(void **state)
{
    g_autoptr(Database) database = fixture_open(*state);
    Item item = {.name = "twice", .number = 1};
    assert_true(database_write(database, item_insert, &item, NULL));
    assert_write_fails(database, item_insert, &item, STORE_ERROR_CONFLICT);
    assert_write_fails(database, part_without_item, NULL, STORE_ERROR_CONFLICT);
    assert_write_fails(database, item_without_number, NULL, STORE_ERROR_SQL);
    assert_write_fails(database, wrong_sql, NULL, STORE_ERROR_SQL);
    assert_write_fails(database, quoted_text, NULL, STORE_ERROR_SQL);
    assert_write_fails(database, too_few_values, NULL, STORE_ERROR_SQL);
    assert_write_fails(database, two_statements, NULL, STORE_ERROR_SQL);
    assert_write_fails(database, not_utf8, NULL, STORE_ERROR_SQL);
    assert_write_fails(database, fail_silently, NULL, STORE_ERROR_SQL);
    assert_counts(database, 1);
}

static void a_read_cannot_change_anything(void **state)
{
    g_autoptr(Database) database = fixture_open(*state);
    g_autoptr(GError) error = NULL;
    Item item = {.name = "x", .number = 1};
    assert_false(database_read(database, item_insert, &item, &error));
    assert_true(g_error_matches(error, STORE_ERROR, STORE_ERROR_SQL));
    assert_counts(database, 0);
}

static bool read_inside(Connection *connection, gpointer database, GError **error)
{
    gint64 count;
    return database_read(database, item_count, &count, error);
}

static void work_inside_work_is_refused(void **state)
{
    g_autoptr(Database) database = fixture_open(*state);
    assert_write_fails(database, read_inside, database, STORE_ERROR_SQL);
    g_autoptr(GError) error = NULL;
    assert_false(database_read(database, read_inside, database, &error));
    assert_true(g_error_matches(error, STORE_ERROR, STORE_ERROR_SQL));
    assert_counts(database, 0);
}

static bool upsert_and_change(Connection *connection, gpointer data, GError **error)
{
    static const char upsert[] = "INSERT INTO items (name, number) VALUES ($1, $2)"
                                 " ON CONFLICT (name) DO UPDATE SET number = excluded.number"
                                 " RETURNING number";
    g_autoptr(Rows) rows = sql_query(connection, error, upsert, "ti", "u", (gint64)5);
    assert_non_null(rows);
    assert_true(rows_next(rows, error));
    assert_int_equal(rows_int(rows, 0), 5);
    g_clear_pointer(&rows, rows_free);

    guint64 changed = 99;
    assert_true(sql_change(connection, &changed, error,
                           "INSERT INTO items (name, number) VALUES ($1, $2)"
                           " ON CONFLICT (name) DO NOTHING",
                           "ti", "u", (gint64)6));
    assert_int_equal(changed, 0);
    assert_true(sql_change(connection, &changed, error, "UPDATE items SET number = number + $1",
                           "i", (gint64)1));
    assert_int_equal(changed, 1);
    /* Rows never taken: the effect is there all the same. */
    rows = sql_query(connection, error, upsert, "ti", "v", (gint64)7);
    assert_non_null(rows);
    return true;
}

static void upsert_returning_and_counts(void **state)
{
    g_autoptr(Database) database = fixture_open(*state);
    assert_true(database_write(database, upsert_and_change, NULL, NULL));
    Item found = {.name = "u"};
    assert_true(database_read(database, item_find, &found, NULL));
    assert_int_equal(found.number, 6);
    assert_counts(database, 2);
}

static bool nested_rows(Connection *connection, gpointer data, GError **error)
{
    static const char sql[] = "SELECT name FROM items ORDER BY name";
    g_autoptr(Rows) outer = sql_query(connection, error, sql, "");
    int seen = 0;
    while (rows_next(outer, error)) {
        g_autoptr(Rows) inner = sql_query(connection, error, sql, "");
        while (rows_next(inner, error))
            seen++;
    }
    assert_int_equal(seen, 4);
    return true;
}

static void the_same_text_twice_at_once(void **state)
{
    g_autoptr(Database) database = fixture_open(*state);
    Item a = {.name = "a"}, b = {.name = "b"};
    assert_true(database_write(database, item_insert, &a, NULL));
    assert_true(database_write(database, item_insert, &b, NULL));
    assert_true(database_read(database, nested_rows, NULL, NULL));
}

static bool insert_large(Connection *connection, gpointer data, GError **error)
{
    const Bytes *large = data;
    return sql_run(connection, error, "INSERT INTO items (name, number, data) VALUES ($1, 1, $2)",
                   "tb", "large", large);
}

static bool check_large(Connection *connection, gpointer data, GError **error)
{
    const Bytes *large = data;
    g_autoptr(Rows) rows = sql_query(connection, error, "SELECT data FROM items", "");
    assert_non_null(rows);
    assert_true(rows_next(rows, error));
    assert_true(bytes_equal(rows_bytes(rows, 0), *large));
    return true;
}

static void large_evidence_is_kept(void **state)
{
    g_autoptr(Database) database = fixture_open(*state);
    g_autofree uint8_t *data = g_malloc(8 << 20);
    for (size_t i = 0; i < 8 << 20; i++)
        data[i] = (uint8_t)(i * 2654435761u >> 24);
    Bytes large = bytes_of(data, 8 << 20);
    assert_true(database_write(database, insert_large, &large, NULL));
    assert_true(database_read(database, check_large, &large, NULL));
}

int main(int argc, char **argv)
{
#define DATABASE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        DATABASE_TEST(a_read_sees_the_acknowledged_write),
        DATABASE_TEST(rows_survive_closing),
        DATABASE_TEST(values_come_back_as_they_went),
        DATABASE_TEST(null_parameters_and_repeated_parameters),
        DATABASE_TEST(a_failed_write_leaves_nothing),
        DATABASE_TEST(a_failed_statement_ends_its_write),
        DATABASE_TEST(errors_have_their_codes),
        DATABASE_TEST(a_read_cannot_change_anything),
        DATABASE_TEST(work_inside_work_is_refused),
        DATABASE_TEST(upsert_returning_and_counts),
        DATABASE_TEST(the_same_text_twice_at_once),
        DATABASE_TEST(large_evidence_is_kept),
    };
    engine_start(argc, argv);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    engine_stop();
    return failed;
}
