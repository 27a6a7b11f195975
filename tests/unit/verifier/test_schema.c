/* SPDX-License-Identifier: Apache-2.0 */
/* A database of an earlier version is brought up to date with what is in it. */
#include "../store/fixture.h"
#include "verifier/verifier.h"

static Database *open_with(const Fixture *fixture, const Migration *migrations)
{
    const DatabaseSettings settings = {
        .url = fixture->url, .max_connections = 2, .migrate = true, .migrations = migrations};
    g_autoptr(GError) error = NULL;
    Database *database = database_open(&settings, &error);
    if (!database)
        fail_msg("%s", error->message);
    return database;
}

/* Agents as version 1 has them: well, failed, silent. */
static bool insert_agents(Connection *connection, gpointer data, GError **error)
{
    const struct {
        const char *id;
        gint64 accepts, failures;
    } agents[] = {{"well", 1, 0}, {"failed", 1, 2}, {"silent", 0, 0}};
    Bytes ak = bytes_of_text("name");
    for (size_t i = 0; i < G_N_ELEMENTS(agents); i++) {
        if (!sql_run(connection, error,
                     "INSERT INTO agents (agent_id, verifier_id, ak_name, created_at,"
                     " operational_state, accept_attestations, attestation_count,"
                     " consecutive_failures, next_index, last_received_quote,"
                     " last_successful_attestation, shown_pending, told_to_wait, pending_noticed,"
                     " unanswered_since, unanswered_count)"
                     " VALUES ($1, 'default', $2, 1, 3, $3, 1, $4, 1, 1, 1, 0, 0, 0, 0, 0)",
                     "tbii", agents[i].id, &ak, agents[i].accepts, agents[i].failures))
            return false;
    }
    return true;
}

static bool read_alarms(Connection *connection, gpointer data, GError **error)
{
    GString *alarms = data;
    g_string_truncate(alarms, 0);
    g_autoptr(Rows) rows =
        sql_query(connection, error,
                  "SELECT agent_id, alarmed, stale_from FROM agents ORDER BY agent_id", "");
    while (rows && rows_next(rows, error))
        g_string_append_printf(alarms, "%s %d %d; ", rows_text(rows, 0), (int)rows_int(rows, 1),
                               (int)rows_int(rows, 2));
    return rows != NULL;
}

/* Who has failed or fallen silent before the upgrade is told to have recovered after it. */
static void alarms_of_version_1_are_known(void **state)
{
    const Migration first[] = {verifier_migrations[0], {0, NULL}};
    Database *old = open_with(*state, first);
    assert_true(database_write(old, insert_agents, NULL, NULL));
    database_close(old);
    g_autoptr(Database) database = open_with(*state, verifier_migrations);
    g_autoptr(GString) alarms = g_string_new(NULL);
    assert_true(database_read(database, read_alarms, alarms, NULL));
    assert_string_equal(alarms->str, "failed 1 0; silent 1 0; well 0 0; ");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(alarms_of_version_1_are_known, fixture_setup,
                                        fixture_teardown),
    };
    engine_start(argc, argv);
    int failed = cmocka_run_group_tests_name("verifier schema", tests, NULL, NULL);
    engine_stop();
    return failed;
}
