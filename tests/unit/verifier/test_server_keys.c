/* SPDX-License-Identifier: Apache-2.0 */
/* Server keys in a database that several verifiers share (decision D31). */
#include "../store/fixture.h"

#include "verifier/server_keys.h"
#include "verifier/verifier.h"

#include <string.h>

#define DAY (86400 * TIMESTAMP_SECOND)

static Database *open_verifier_database(const Fixture *fixture)
{
    DatabaseSettings settings = {
        .url = fixture->url,
        .directory = fixture->directory,
        .file_name = "verifier.sqlite",
        .max_connections = 4,
        .migrate = true,
        .migrations = verifier_migrations,
    };
    g_autoptr(GError) error = NULL;
    Database *database = database_open(&settings, &error);
    if (!database)
        fail_msg("%s", error->message);
    return database;
}

static bool count_work(Connection *connection, gpointer data, GError **error)
{
    g_autoptr(Rows) rows = sql_query(connection, error, "SELECT COUNT(*) FROM server_keys", "");
    if (!rows || !rows_next(rows, error))
        return false;
    *(gint64 *)data = rows_int(rows, 0);
    return true;
}

static gint64 stored_keys(Database *database)
{
    gint64 count = -1;
    assert_true(database_read(database, count_work, &count, NULL));
    return count;
}

static bool same(const ServerKeySet *a, const ServerKeySet *b)
{
    return a->count == b->count && memcmp(a->secret, b->secret, a->count * SERVER_KEY_SIZE) == 0;
}

static void verifiers_of_one_database_share_the_key(void **state)
{
    g_autoptr(Database) database = open_verifier_database(*state);
    g_autoptr(ServerKeys) first = server_keys_open(database, NULL);
    g_autoptr(ServerKeys) second = server_keys_open(database, NULL);
    assert_non_null(first);
    assert_non_null(second);
    ServerKeySet a, b;
    server_keys_get(first, timestamp_now(), &a);
    server_keys_get(second, timestamp_now(), &b);
    assert_int_equal(a.count, 1);
    assert_true(same(&a, &b));
    assert_int_equal(stored_keys(database), 1);
    static const uint8_t zeros[SERVER_KEY_SIZE];
    assert_memory_not_equal(a.secret[0], zeros, SERVER_KEY_SIZE);
}

static void each_day_has_its_key_and_the_day_before_still_counts(void **state)
{
    g_autoptr(Database) database = open_verifier_database(*state);
    g_autoptr(ServerKeys) keys = server_keys_open(database, NULL);
    g_autoptr(ServerKeys) replica = server_keys_open(database, NULL);
    Timestamp now = timestamp_now();
    ServerKeySet today, tomorrow, later, other;
    server_keys_get(keys, now, &today);
    server_keys_get(keys, now + DAY, &tomorrow);
    assert_int_equal(tomorrow.count, 2);
    assert_memory_equal(tomorrow.secret[1], today.secret[0], SERVER_KEY_SIZE);
    assert_memory_not_equal(tomorrow.secret[0], today.secret[0], SERVER_KEY_SIZE);

    server_keys_get(replica, now, &other);
    assert_true(same(&other, &today));
    assert_true(server_keys_refresh(replica, now));
    server_keys_get(replica, now, &other);
    assert_true(same(&other, &tomorrow));

    server_keys_get(replica, now + 2 * DAY, &later);
    assert_int_equal(later.count, 2);
    assert_memory_equal(later.secret[1], tomorrow.secret[0], SERVER_KEY_SIZE);
    assert_int_equal(stored_keys(database), 2);
}

static void strangers_cause_one_query_a_second_at_most(void **state)
{
    g_autoptr(Database) database = open_verifier_database(*state);
    g_autoptr(ServerKeys) keys = server_keys_open(database, NULL);
    g_autoptr(ServerKeys) replica = server_keys_open(database, NULL);
    Timestamp now = timestamp_now();
    assert_false(server_keys_refresh(keys, now));
    ServerKeySet changed;
    server_keys_get(replica, now + DAY, &changed);
    assert_false(server_keys_refresh(keys, now + TIMESTAMP_SECOND / 2));
    assert_true(server_keys_refresh(keys, now + TIMESTAMP_SECOND));
    assert_false(server_keys_refresh(keys, now + 2 * TIMESTAMP_SECOND));
}

static bool drop_work(Connection *connection, gpointer data, GError **error)
{
    return sql_run(connection, error, "DROP TABLE server_keys", "");
}

static void without_the_database_the_present_key_goes_on(void **state)
{
    g_autoptr(Database) database = open_verifier_database(*state);
    g_autoptr(ServerKeys) keys = server_keys_open(database, NULL);
    Timestamp now = timestamp_now();
    ServerKeySet before, after;
    server_keys_get(keys, now, &before);
    assert_true(database_write(database, drop_work, NULL, NULL));
    server_keys_get(keys, now + DAY, &after);
    assert_true(same(&before, &after));
    assert_false(server_keys_refresh(keys, now));
    assert_null(server_keys_open(database, NULL));
}

int main(int argc, char **argv)
{
    engine_start(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(verifiers_of_one_database_share_the_key, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(each_day_has_its_key_and_the_day_before_still_counts,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(strangers_cause_one_query_a_second_at_most, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(without_the_database_the_present_key_goes_on, fixture_setup,
                                        fixture_teardown),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    engine_stop();
    return failed;
}
