/* SPDX-License-Identifier: Apache-2.0 */
/* Many threads, many processes, and a process that is killed: nothing acknowledged is lost. */
#include "fixture.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 8
#define WRITES 40

typedef struct {
    Database *database;
    int number;
    int failures;
} Worker;

/* Every write also adds to a common row, which lost updates would show. */
static bool insert_and_add(Connection *connection, gpointer data, GError **error)
{
    return item_insert(connection, data, error) &&
           sql_run(connection, error, "UPDATE items SET number = number + 1 WHERE name = $1", "t",
                   "sum");
}

static gpointer write_and_read(gpointer data)
{
    Worker *worker = data;
    for (int i = 0; i < WRITES; i++) {
        g_autofree char *name = g_strdup_printf("%d/%d", worker->number, i);
        Item item = {.name = name, .number = i};
        Item found = {.name = name};
        /* The second insert conflicts, and must not disturb those it is committed with. */
        g_autoptr(GError) conflict = NULL;
        if (!database_write(worker->database, insert_and_add, &item, NULL) ||
            !database_read(worker->database, item_find, &found, NULL) || !found.found ||
            database_write(worker->database, insert_and_add, &item, &conflict) ||
            !g_error_matches(conflict, STORE_ERROR, STORE_ERROR_CONFLICT))
            worker->failures++;
    }
    return NULL;
}

static int run_threads(Database *database, int first_number)
{
    pthread_t threads[THREADS];
    Worker workers[THREADS];
    int failures = 0;
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (Worker){.database = database, .number = first_number + i};
        assert_int_equal(pthread_create(&threads[i], NULL, write_and_read, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        failures += workers[i].failures;
    }
    return failures;
}

static void assert_sum(Database *database, gint64 expected)
{
    Item sum = {.name = "sum"};
    gint64 count = 0;
    assert_true(database_read(database, item_find, &sum, NULL));
    assert_int_equal(sum.number, expected);
    assert_true(database_read(database, item_count, &count, NULL));
    assert_int_equal(count, expected + 1);
}

static void threads_share_a_database(void **state)
{
    g_autoptr(Database) database = fixture_open(*state);
    Item sum = {.name = "sum"};
    assert_true(database_write(database, item_insert, &sum, NULL));
    assert_int_equal(run_threads(database, 0), 0);
    assert_sum(database, THREADS * WRITES);
}

/* Forked children open the database themselves; the parent has none open at the fork. */
static pid_t fork_writer(const Fixture *fixture, int first_number)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    Database *database = fixture_open(fixture);
    int failures = run_threads(database, first_number);
    database_close(database);
    _exit(failures ? 1 : 0);
}

static void assert_exits_well(pid_t child)
{
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void processes_share_a_database(void **state)
{
    Item sum = {.name = "sum"};
    Database *database = fixture_open(*state);
    assert_true(database_write(database, item_insert, &sum, NULL));
    database_close(database);
    pid_t one = fork_writer(*state, 0);
    pid_t two = fork_writer(*state, THREADS);
    assert_exits_well(one);
    assert_exits_well(two);
    database = fixture_open(*state);
    assert_sum(database, 2 * THREADS * WRITES);
    database_close(database);
}

static void processes_migrate_at_once(void **state)
{
    pid_t children[6];
    for (int i = 0; i < 6; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            database_close(fixture_open(*state));
            _exit(0);
        }
    }
    for (int i = 0; i < 6; i++)
        assert_exits_well(children[i]);
    gint64 count = -1;
    g_autoptr(Database) database = fixture_open(*state);
    assert_true(database_read(database, item_count, &count, NULL));
    assert_int_equal(count, 0);
}

typedef struct {
    Database *database;
    int number;
    int pipe;
} Reporter;

static gpointer write_and_report(gpointer data)
{
    Reporter *reporter = data;
    for (int i = 0;; i++) {
        char name[32];
        g_snprintf(name, sizeof name, "%d/%d", reporter->number, i);
        Item item = {.name = name, .number = i};
        if (!database_write(reporter->database, item_insert, &item, NULL) ||
            write(reporter->pipe, name, sizeof name) != sizeof name)
            _exit(1);
    }
    return NULL;
}

static void report_until_killed(const Fixture *fixture, int pipe)
{
    Database *database = fixture_open(fixture);
    static Reporter reporters[4];
    pthread_t thread;
    for (int i = 0; i < 4; i++) {
        reporters[i] = (Reporter){database, i, pipe};
        pthread_create(&thread, NULL, write_and_report, &reporters[i]);
    }
    pause();
}

static void what_was_acknowledged_survives_a_kill(void **state)
{
    for (int round = 0; round < 3; round++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            report_until_killed(*state, ends[1]);
            _exit(1);
        }
        close(ends[1]);
        char names[200][32];
        for (int i = 0; i < 200; i++)
            assert_int_equal(read(ends[0], names[i], sizeof names[i]), sizeof names[i]);
        kill(child, SIGKILL);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        close(ends[0]);

        Database *database = fixture_open(*state);
        for (int i = 0; i < 200; i++) {
            Item found = {.name = names[i]};
            assert_true(database_read(database, item_find, &found, NULL));
            assert_true(found.found);
        }
        if (engine_is_postgresql())
            usleep(100000); /* the server finishes what the killed clients had sent */
        assert_true(database_write(database, item_delete_all, NULL, NULL));
        database_close(database);
    }
}

int main(int argc, char **argv)
{
#define SHARING_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        SHARING_TEST(threads_share_a_database),
        SHARING_TEST(processes_share_a_database),
        SHARING_TEST(processes_migrate_at_once),
        SHARING_TEST(what_was_acknowledged_survives_a_kill),
    };
    engine_start(argc, argv);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    engine_stop();
    return failed;
}
