/* SPDX-License-Identifier: Apache-2.0 */
/* Retention (decision D81). */
#include "verifier/upkeep/history.h"

#include "machine.h"

#define DAY (86400 * SECOND)
#define NOW (G_GINT64_CONSTANT(1800000000) * SECOND)

typedef struct {
    Machine *machine;
    const AgentRecord *agent;
    gint64 index;
    Timestamp at;
} Prune;

static bool prune_work(Connection *connection, gpointer data, GError **error)
{
    const Prune *call = data;
    guint64 deleted;
    return history_prune(connection, &call->machine->verifier.settings, call->agent, call->index,
                         call->at, &deleted, error);
}

/* Of an agent whose clean-up may be due, or is (`due`). */
static void prune(Machine *machine, gint64 index, Timestamp at, bool due)
{
    g_autoptr(AgentRecord) agent = machine_agent(machine, AGENT);
    agent->next_clean_up = due ? index : agent->next_clean_up;
    Prune call = {machine, agent, index, at};
    g_autoptr(GError) error = NULL;
    if (!database_write(machine->verifier.database, prune_work, &call, &error))
        fail_msg("%s", error->message);
}

static void prune_at(Machine *machine, gint64 index, Timestamp at)
{
    prune(machine, index, at, true);
}

static void insert(Machine *machine, gint64 from, gint64 to, Timestamp at)
{
    for (gint64 i = from; i < to; i++) {
        StoredEvidence evidence = {i, 1, false, at, 1, at};
        machine_store_evidence(machine, AGENT, &evidence);
    }
    machine_run(machine, "UPDATE attestations SET stage = 'verification_complete'");
}

static bool is_kept(Machine *machine, gint64 index)
{
    g_autoptr(AttestationRecord) record = machine_attestation(machine, AGENT, index);
    return record != NULL;
}

static void number_is_bounded(void **state)
{
    Machine *machine = *state;
    machine->verifier.settings.attestation_history_max = 5;
    machine_enrol(machine, AGENT, "{}", NOW);
    insert(machine, 0, 9, NOW);
    machine_run(machine, "UPDATE agents SET last_pass_index = 1, failure_run_index = 2");
    prune_at(machine, 8, NOW);
    assert_int_equal(machine_count(machine, AGENT), 7);
    assert_true(is_kept(machine, 1) && is_kept(machine, 2) && is_kept(machine, 4));
    assert_false(is_kept(machine, 0) || is_kept(machine, 3));
    prune_at(machine, 8, NOW);
    assert_int_equal(machine_count(machine, AGENT), 7);
}

static void deletion_is_bounded(void **state)
{
    Machine *machine = *state;
    machine->verifier.settings.attestation_history_max = 2;
    machine_enrol(machine, AGENT, "{}", NOW);
    insert(machine, 0, 40, NOW);
    prune_at(machine, 39, NOW);
    assert_int_equal(machine_count(machine, AGENT), 40 - HISTORY_PRUNE_MAX);
    prune_at(machine, 39, NOW);
    prune_at(machine, 39, NOW);
    assert_int_equal(machine_count(machine, AGENT), 2);
}

/* Not with every verdict; also when an agent's indexes are never multiples of something. */
static void clean_ups_are_shared(void **state)
{
    Machine *machine = *state;
    machine->verifier.settings.attestation_history_max = 8;
    machine_enrol(machine, AGENT, "{}", NOW);
    guint64 counts[] = {1, 2, 3, 4, 5, 6, 7, 8, 8, 9, 8, 9, 8, 9};
    for (guint i = 0; i < G_N_ELEMENTS(counts); i++) {
        insert(machine, i, i + 1, NOW);
        prune(machine, i, NOW, false);
        assert_int_equal(machine_count(machine, AGENT), counts[i]);
    }
}

static void age_is_bounded(void **state)
{
    Machine *machine = *state;
    machine_enrol(machine, AGENT, "{}", NOW);
    insert(machine, 0, 6, NOW - 31 * DAY);
    insert(machine, 6, 17, NOW - 29 * DAY);
    machine_run(machine, "UPDATE agents SET last_pass_index = 3");
    prune_at(machine, 16, NOW);
    assert_int_equal(machine_count(machine, AGENT), 12);
    assert_true(is_kept(machine, 3) && is_kept(machine, 6));
    prune_at(machine, 16, NOW + 400 * DAY);
    assert_int_equal(machine_count(machine, AGENT), 2);
    assert_true(is_kept(machine, 3) && is_kept(machine, 16)); /* the last completed one */
}

static void others_keep_theirs(void **state)
{
    Machine *machine = *state;
    machine->verifier.settings.attestation_history_max = 1;
    machine_enrol(machine, AGENT, "{}", NOW);
    machine_enrol(machine, "other", "{}", NOW);
    insert(machine, 0, 3, NOW);
    StoredEvidence evidence = {0, 1, false, NOW, 1, NOW};
    machine_store_evidence(machine, "other", &evidence);
    prune_at(machine, 2, NOW + 400 * DAY);
    assert_int_equal(machine_count(machine, AGENT), 1);
    assert_int_equal(machine_count(machine, "other"), 1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(number_is_bounded, machine_setup, machine_teardown),
        cmocka_unit_test_setup_teardown(deletion_is_bounded, machine_setup, machine_teardown),
        cmocka_unit_test_setup_teardown(clean_ups_are_shared, machine_setup, machine_teardown),
        cmocka_unit_test_setup_teardown(age_is_bounded, machine_setup, machine_teardown),
        cmocka_unit_test_setup_teardown(others_keep_theirs, machine_setup, machine_teardown),
    };
    engine_start(argc, argv);
    int failed = cmocka_run_group_tests_name("verifier history", tests, NULL, NULL);
    engine_stop();
    return failed;
}
