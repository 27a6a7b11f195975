/* SPDX-License-Identifier: Apache-2.0 */
/* Other schemas, full disks, held locks, servers that go away: refused by name, and recovered from.
 */
#include "fixture.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

static const char *const version_2[] = {"ALTER TABLE items ADD COLUMN note TEXT", NULL};
static const char *const broken_2[] = {"CREATE TABLE fine (x BIGINT)", "CREATE TABLE broken (",
                                       NULL};

static Database *open_with(const Fixture *fixture, const Migration *migrations, bool migrate,
                           GError **error)
{
    const DatabaseSettings settings = {
        .url = fixture->url, .max_connections = 2, .migrate = migrate, .migrations = migrations};
    return database_open(&settings, error);
}

static void assert_refused(const Fixture *fixture, const Migration *migrations, bool migrate,
                           int code, const char *reason)
{
    g_autoptr(GError) error = NULL;
    assert_null(open_with(fixture, migrations, migrate, &error));
    if (!g_error_matches(error, STORE_ERROR, code) || !strstr(error->message, reason))
        fail_msg("%d: %s", error->code, error->message);
}

static bool use_note(Connection *connection, gpointer data, GError **error)
{
    return sql_run(connection, error, "INSERT INTO items (name, number, note) VALUES ($1, 1, $1)",
                   "t", "n");
}

static void schemas_are_brought_up_to_date_or_refused(void **state)
{
    const Migration newer[] = {test_migrations[0], {2, version_2}, {0, NULL}};
    const Migration broken[] = {test_migrations[0], {2, broken_2}, {0, NULL}};
    assert_refused(*state, test_migrations, false, STORE_ERROR_SCHEMA, "auto_migrate_db");
    database_close(fixture_open(*state));
    g_autoptr(Database) same = open_with(*state, test_migrations, false, NULL);
    assert_non_null(same);
    g_clear_pointer(&same, database_close);

    assert_refused(*state, newer, false, STORE_ERROR_SCHEMA, "auto_migrate_db");
    /* A step that fails leaves nothing of its version; `fine` would be in the way the second time.
     */
    assert_refused(*state, broken, true, STORE_ERROR_SQL, "schema version 2");
    assert_refused(*state, broken, true, STORE_ERROR_SQL, "broken");
    g_autoptr(Database) database = open_with(*state, newer, true, NULL);
    assert_non_null(database);
    assert_true(database_write(database, use_note, NULL, NULL));
    assert_refused(*state, test_migrations, true, STORE_ERROR_SCHEMA, "newer");
    assert_refused(*state, test_migrations, false, STORE_ERROR_SCHEMA, "newer");
}

static bool insert_block(Connection *connection, gpointer data, GError **error)
{
    static const uint8_t block[100000];
    const Bytes bytes = BYTES_OF_ARRAY(block);
    return sql_run(connection, error, "INSERT INTO items (name, number, data) VALUES ($1, 1, $2)",
                   "tb", data, &bytes);
}

static bool set_limit(Connection *connection, gpointer sql, GError **error)
{
    g_autoptr(Rows) rows = sql_query(connection, error, sql, "");
    return rows != NULL;
}

typedef struct {
    Database *database;
    int number;
    int acknowledged;
    int wrong;
} Filler;

/* Small and large writes in common commits: those that are told to have failed have, the others are
 * there. */
static gpointer fill(gpointer data)
{
    Filler *filler = data;
    for (int i = 0; i < 30; i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *name = g_strdup_printf("%d/%d", filler->number, i);
        Item item = {.name = name};
        bool large = i % 3 == 0;
        bool ok = large ? database_write(filler->database, insert_block, name, &error)
                        : database_write(filler->database, item_insert, &item, &error);
        filler->acknowledged += ok;
        if (!ok && !g_error_matches(error, STORE_ERROR, STORE_ERROR_UNAVAILABLE))
            filler->wrong++;
        if (!database_read(filler->database, item_find, &item, NULL) || item.found != ok)
            filler->wrong++;
    }
    return NULL;
}

static void a_full_disk_is_told_and_recovered_from(void **state)
{
    if (engine_is_postgresql())
        skip();
    char small[] = "PRAGMA max_page_count = 300", large[] = "PRAGMA max_page_count = 100000";
    char name[] = "room again";
    g_autoptr(Database) database = fixture_open(*state);
    assert_true(database_write(database, set_limit, small, NULL));
    pthread_t threads[4];
    Filler fillers[4];
    for (int i = 0; i < 4; i++) {
        fillers[i] = (Filler){.database = database, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, fill, &fillers[i]), 0);
    }
    int acknowledged = 0;
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(fillers[i].wrong, 0);
        acknowledged += fillers[i].acknowledged;
    }
    assert_in_range(acknowledged, 1, 4 * 30 - 1);
    gint64 count = 0;
    assert_true(database_read(database, item_count, &count, NULL));
    assert_int_equal(count, acknowledged);
    assert_true(database_write(database, set_limit, large, NULL));
    assert_true(database_write(database, insert_block, name, NULL));
}

static bool hold_lock(Connection *connection, gpointer data, GError **error)
{
    pthread_barrier_t *barrier = data;
    bool ok = sql_run(connection, error, "UPDATE items SET number = 1", "");
    pthread_barrier_wait(barrier); /* locked */
    pthread_barrier_wait(barrier); /* the other has given up */
    return ok;
}

typedef struct {
    Database *database;
    pthread_barrier_t barrier;
} Holder;

static gpointer hold(gpointer data)
{
    Holder *holder = data;
    database_write(holder->database, hold_lock, &holder->barrier, NULL);
    return NULL;
}

static bool update_items(Connection *connection, gpointer data, GError **error)
{
    return sql_run(connection, error, "UPDATE items SET number = 2", "");
}

static void a_lock_held_too_long_is_unavailable(void **state)
{
    Holder holder = {.database = fixture_open(*state)};
    g_autoptr(Database) other = fixture_open(*state);
    Item item = {.name = "locked"};
    assert_true(database_write(other, item_insert, &item, NULL));
    pthread_barrier_init(&holder.barrier, NULL, 2);
    pthread_t thread;
    pthread_create(&thread, NULL, hold, &holder);
    pthread_barrier_wait(&holder.barrier);
    g_autoptr(GError) error = NULL;
    bool written = database_write(other, update_items, NULL, &error);
    Item found = {.name = "locked", .number = 9};
    bool read = database_read(other, item_find, &found, NULL); /* readers never wait */
    pthread_barrier_wait(&holder.barrier);
    pthread_join(thread, NULL);
    assert_false(written);
    assert_true(g_error_matches(error, STORE_ERROR, STORE_ERROR_UNAVAILABLE));
    assert_true(read);
    assert_int_equal(found.number, 0);
    assert_true(database_write(other, update_items, NULL, NULL));
    database_close(holder.database);
    pthread_barrier_destroy(&holder.barrier);
}

static void files_are_private(void **state)
{
    if (engine_is_postgresql())
        skip();
    const Fixture *fixture = *state;
    g_autofree char *directory = g_build_filename(fixture->directory, "new", NULL);
    const DatabaseSettings settings = {.url = "sqlite",
                                       .directory = directory,
                                       .file_name = "v.sqlite",
                                       .migrate = true,
                                       .migrations = test_migrations};
    g_autoptr(Database) database = database_open(&settings, NULL);
    assert_non_null(database);
    static const char *const names[] = {"v.sqlite", "v.sqlite-wal", "v.sqlite-shm"};
    struct stat status;
    assert_int_equal(stat(directory, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    for (int i = 0; i < 3; i++) {
        g_autofree char *path = g_build_filename(directory, names[i], NULL);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 0777, 0600);
    }
    g_autofree char *file = g_build_filename(directory, names[0], NULL);
    assert_non_null(strstr(database_description(database), file));
    g_clear_pointer(&database, database_close);
    g_remove(file);
    g_rmdir(directory);
}

static void an_unreachable_place_is_told_at_once(void **state)
{
    char server[] = "postgresql://u:secret@127.0.0.1:1/n", file[] = "sqlite:////no/such/place/file";
    const Fixture nowhere = {.url = engine_is_postgresql() ? server : file};
    g_autoptr(GError) error = NULL;
    assert_null(open_with(&nowhere, test_migrations, true, &error));
    assert_true(g_error_matches(error, STORE_ERROR, STORE_ERROR_UNAVAILABLE));
    assert_null(strstr(error->message, "secret"));
}

static void a_server_that_comes_back_is_used_again(void **state)
{
    if (!engine_is_postgresql())
        skip();
    g_autoptr(Database) database = fixture_open(*state);
    assert_null(strstr(database_description(database), "p@ss"));
    Item item = {.name = "before"};
    gint64 count = 0;
    assert_true(database_write(database, item_insert, &item, NULL));
    engine_halt();
    g_autoptr(GError) error = NULL;
    assert_false(database_read(database, item_count, &count, &error));
    assert_true(g_error_matches(error, STORE_ERROR, STORE_ERROR_UNAVAILABLE));
    g_clear_error(&error);
    assert_false(database_write(database, item_insert, &item, &error));
    assert_true(g_error_matches(error, STORE_ERROR, STORE_ERROR_UNAVAILABLE));
    engine_resume();
    item.name = "after";
    assert_true(database_write(database, item_insert, &item, NULL));
    engine_halt();
    engine_resume();
    /* The connection broke unnoticed: the work is repeated on a new one. */
    assert_true(database_read(database, item_count, &count, NULL));
    assert_int_equal(count, 2);
}

typedef struct {
    Database *database;
    const char *first, *second;
    int runs;
    pthread_barrier_t *barrier;
    bool ok;
} Crossing;

static bool lock_both(Connection *connection, gpointer data, GError **error)
{
    static const char sql[] = "UPDATE items SET number = number + 1 WHERE name = $1";
    Crossing *crossing = data;
    if (!sql_run(connection, error, sql, "t", crossing->first))
        return false;
    if (crossing->runs++ == 0)
        pthread_barrier_wait(crossing->barrier); /* both hold their first row */
    return sql_run(connection, error, sql, "t", crossing->second);
}

static gpointer cross(gpointer data)
{
    Crossing *crossing = data;
    crossing->ok = database_write(crossing->database, lock_both, crossing, NULL);
    return NULL;
}

static void a_deadlock_is_repeated(void **state)
{
    if (!engine_is_postgresql())
        skip();
    g_autoptr(Database) database = fixture_open(*state);
    Item a = {.name = "a"}, b = {.name = "b"};
    assert_true(database_write(database, item_insert, &a, NULL));
    assert_true(database_write(database, item_insert, &b, NULL));
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, 2);
    Crossing one = {database, "a", "b", 0, &barrier, false};
    Crossing two = {database, "b", "a", 0, &barrier, false};
    pthread_t thread;
    pthread_create(&thread, NULL, cross, &one);
    cross(&two);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&barrier);
    assert_true(one.ok && two.ok);
    assert_in_range(one.runs + two.runs, 3, 4); /* a busy server may choose a victim twice */
    assert_true(database_read(database, item_find, &a, NULL));
    assert_int_equal(a.number, 2);
}

int main(int argc, char **argv)
{
#define TROUBLE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TROUBLE_TEST(schemas_are_brought_up_to_date_or_refused),
        TROUBLE_TEST(a_full_disk_is_told_and_recovered_from),
        TROUBLE_TEST(a_lock_held_too_long_is_unavailable),
        TROUBLE_TEST(files_are_private),
        TROUBLE_TEST(an_unreachable_place_is_told_at_once),
        TROUBLE_TEST(a_deadlock_is_repeated),
        TROUBLE_TEST(a_server_that_comes_back_is_used_again),
    };
    engine_start(argc, argv);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    engine_stop();
    return failed;
}
