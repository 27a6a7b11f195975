/* SPDX-License-Identifier: Apache-2.0 */
/* Silence, by the clock of the test (verifier-push-api §8.2; decisions D64, D66; contract C19,
 * C112, U24). */
#include "verifier/upkeep/liveness.h"

#include "machine.h"
#include "verifier/attestation/gate.h"
#include "verifier/attestation/routes.h"

#define T0 (G_GINT64_CONSTANT(1800000000) * SECOND)

static LivenessSweep sweep_at(Machine *machine, Timestamp now)
{
    LivenessSweep out;
    g_autoptr(GError) error = NULL;
    if (!liveness_sweep(machine->verifier.database, &machine->verifier.settings, now, &out, &error))
        fail_msg("%s", error->message);
    return out;
}

/* An agent that last sent evidence at T0, with a sweeper that runs. */
static void enrol_attesting(Machine *machine)
{
    machine_enrol(machine, AGENT, "{}", T0 - 100 * SECOND);
    g_autofree char *sql =
        g_strdup_printf("UPDATE agents SET last_received_quote = %" G_GINT64_FORMAT
                        ", deadline = %" G_GINT64_FORMAT ", attestation_count = 1",
                        T0, T0 + 10 * SECOND);
    machine_run(machine, sql);
    for (Timestamp at = T0; at < T0 + 10 * SECOND; at += SECOND)
        assert_int_equal(sweep_at(machine, at).timed_out, 0);
}

static const char *status_of(Machine *machine)
{
    g_autoptr(AgentRecord) agent = machine_agent(machine, AGENT);
    return agent_record_status(agent);
}

static void silence_times_out_once(void **state)
{
    Machine *machine = *state;
    enrol_attesting(machine);
    assert_string_equal(status_of(machine), "PASS");
    assert_int_equal(sweep_at(machine, T0 + 10 * SECOND).timed_out, 1);
    assert_string_equal(status_of(machine), "TIMEOUT");
    assert_int_equal(machine_number(machine, "SELECT COUNT(*) FROM agents WHERE deadline IS NULL"),
                     1);
    assert_int_equal(sweep_at(machine, T0 + 11 * SECOND).timed_out, 0);
    assert_int_equal(sweep_at(machine, T0 + 1000 * SECOND).timed_out, 0);
}

static void evidence_in_the_same_moment_counts(void **state)
{
    Machine *machine = *state;
    enrol_attesting(machine);
    /* The deadline column lags behind what was accepted. */
    g_autofree char *sql = g_strdup_printf(
        "UPDATE agents SET last_received_quote = %" G_GINT64_FORMAT, T0 + 5 * SECOND);
    machine_run(machine, sql);
    assert_int_equal(sweep_at(machine, T0 + 10 * SECOND).timed_out, 0);
    assert_int_equal(machine_number(machine, "SELECT deadline FROM agents"), T0 + 15 * SECOND);
    assert_int_equal(sweep_at(machine, T0 + 12 * SECOND).timed_out, 0);
    assert_int_equal(sweep_at(machine, T0 + 14 * SECOND).timed_out, 0);
    assert_int_equal(sweep_at(machine, T0 + 15 * SECOND).timed_out, 1);
}

static void evidence_that_is_being_verified_is_not_silence(void **state)
{
    Machine *machine = *state;
    enrol_attesting(machine);
    StoredEvidence evidence = {0, 1, false, T0, 1, T0 + 120 * SECOND};
    machine_store_evidence(machine, AGENT, &evidence);
    assert_int_equal(sweep_at(machine, T0 + 11 * SECOND).timed_out, 0);
    machine_run(machine, "UPDATE attestations SET stage = 'verification_complete'");
    assert_int_equal(sweep_at(machine, T0 + 12 * SECOND).timed_out, 1);
}

static void outage_of_the_verifier_is_not_the_agents(void **state)
{
    Machine *machine = *state;
    enrol_attesting(machine);
    LivenessSweep sweep = sweep_at(machine, T0 + 60 * SECOND);
    assert_int_equal(sweep.timed_out, 0);
    assert_int_equal(sweep.rearmed, 1);
    assert_int_equal(machine_number(machine, "SELECT deadline FROM agents"), T0 + 70 * SECOND);
    for (Timestamp at = T0 + 61 * SECOND; at < T0 + 70 * SECOND; at += SECOND)
        assert_int_equal(sweep_at(machine, at).timed_out, 0);
    assert_int_equal(sweep_at(machine, T0 + 70 * SECOND).timed_out, 1);
}

/* U24: neither are agents timed out, nor does silence go unnoticed until the clock has caught up.
 */
static void clock_that_is_set_back_starts_deadlines_anew(void **state)
{
    Machine *machine = *state;
    enrol_attesting(machine);
    Timestamp back = T0 - 3600 * SECOND;
    LivenessSweep sweep = sweep_at(machine, back);
    assert_int_equal(sweep.timed_out, 0);
    assert_int_equal(sweep.rearmed, 1);
    assert_int_equal(machine_number(machine, "SELECT deadline FROM agents"), back + 10 * SECOND);
    for (Timestamp at = back + SECOND; at < back + 10 * SECOND; at += SECOND) {
        sweep = sweep_at(machine, at);
        assert_int_equal(sweep.timed_out + sweep.rearmed, 0);
    }
    assert_int_equal(sweep_at(machine, back + 10 * SECOND).timed_out, 1);
}

/* A replica whose clock is a little behind changes nothing. */
static void clocks_may_differ_a_little(void **state)
{
    Machine *machine = *state;
    enrol_attesting(machine);
    assert_int_equal(sweep_at(machine, T0 - 30 * SECOND).rearmed, 0);
    assert_int_equal(machine_number(machine, "SELECT deadline FROM agents"), T0 + 10 * SECOND);
    assert_int_equal(machine_number(machine, "SELECT beaten_at FROM heartbeats"), T0 + 9 * SECOND);
}

/* The deadline in the database had passed, the one that the evidence earned had not. */
static void outage_gives_no_time_to_who_has_some(void **state)
{
    Machine *machine = *state;
    enrol_attesting(machine);
    g_autofree char *sql = g_strdup_printf(
        "UPDATE agents SET last_received_quote = %" G_GINT64_FORMAT, T0 + 9 * SECOND);
    machine_run(machine, sql);
    LivenessSweep sweep = sweep_at(machine, T0 + 16 * SECOND);
    assert_int_equal(sweep.rearmed, 0);
    assert_int_equal(sweep.timed_out, 0);
    assert_int_equal(machine_number(machine, "SELECT deadline FROM agents"), T0 + 19 * SECOND);
}

static void disarmed_agent_is_left_alone(void **state)
{
    Machine *machine = *state;
    enrol_attesting(machine);
    machine_run(machine, "UPDATE agents SET deadline = NULL");
    assert_int_equal(sweep_at(machine, T0 + 10 * SECOND).timed_out, 0);
    assert_string_equal(status_of(machine), "PASS");
}

static void never_attested_is_told_twice_and_stays_pending(void **state)
{
    Machine *machine = *state;
    machine_enrol(machine, AGENT, "{}", T0);
    assert_int_equal(sweep_at(machine, T0 + 9 * SECOND).never_attested, 0);
    assert_int_equal(sweep_at(machine, T0 + 10 * SECOND).never_attested, 1);
    assert_int_equal(sweep_at(machine, T0 + 11 * SECOND).never_attested, 0);
    assert_int_equal(sweep_at(machine, T0 + 86399 * SECOND).never_attested, 0);
    assert_int_equal(sweep_at(machine, T0 + 86400 * SECOND).never_attested, 1);
    assert_int_equal(sweep_at(machine, T0 + 99999 * SECOND).never_attested, 0);
    assert_string_equal(status_of(machine), "PENDING");
}

static void idle_verifier_writes_nothing(void **state)
{
    Machine *machine = *state;
    machine_enrol(machine, AGENT, "{}", T0);
    sweep_at(machine, T0 + SECOND);
    assert_int_equal(machine_number(machine, "SELECT COUNT(*) FROM heartbeats"), 0);
}

/* D64: told to wait once for each evidence, however often it asks. */
static void being_told_to_wait_prolongs_once(void **state)
{
    Machine *machine = *state;
    Timestamp now = timestamp_now();
    machine_enrol(machine, AGENT, "{}", now - 100 * SECOND);
    g_autofree char *sql =
        g_strdup_printf("UPDATE agents SET last_received_quote = %" G_GINT64_FORMAT
                        ", deadline = %" G_GINT64_FORMAT,
                        now, now + 10 * SECOND);
    machine_run(machine, sql);
    const char *body = "{\"data\": {\"type\": \"attestation\"}}";
    gint64 deadlines[2];
    for (unsigned i = 0; i < 2; i++) {
        g_autoptr(HttpRequest) request =
            http_request_new(HTTP_POST, "/v3.0/agents/" AGENT "/attestations", bytes_of_text(body));
        g_autoptr(HttpResponse) response = http_response_new();
        http_request_set_parameter(request, "agent_id", AGENT);
        http_request_set_identity(request, IDENTITY_AGENT, AGENT);
        attestation_create(request, response, &machine->verifier);
        assert_int_equal(http_response_status_get(response), 429);
        assert_string_equal(http_response_header_get(response, "Retry-After"), "2");
        deadlines[i] = machine_number(machine, "SELECT deadline FROM agents");
        g_usleep(20000);
    }
    assert_true(deadlines[0] >= now + 12 * SECOND);
    assert_true(deadlines[0] < now + 13 * SECOND);
    assert_int_equal(deadlines[0], deadlines[1]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(silence_times_out_once, machine_setup, machine_teardown),
        cmocka_unit_test_setup_teardown(evidence_in_the_same_moment_counts, machine_setup,
                                        machine_teardown),
        cmocka_unit_test_setup_teardown(evidence_that_is_being_verified_is_not_silence,
                                        machine_setup, machine_teardown),
        cmocka_unit_test_setup_teardown(outage_of_the_verifier_is_not_the_agents, machine_setup,
                                        machine_teardown),
        cmocka_unit_test_setup_teardown(clock_that_is_set_back_starts_deadlines_anew, machine_setup,
                                        machine_teardown),
        cmocka_unit_test_setup_teardown(clocks_may_differ_a_little, machine_setup,
                                        machine_teardown),
        cmocka_unit_test_setup_teardown(outage_gives_no_time_to_who_has_some, machine_setup,
                                        machine_teardown),
        cmocka_unit_test_setup_teardown(disarmed_agent_is_left_alone, machine_setup,
                                        machine_teardown),
        cmocka_unit_test_setup_teardown(never_attested_is_told_twice_and_stays_pending,
                                        machine_setup, machine_teardown),
        cmocka_unit_test_setup_teardown(idle_verifier_writes_nothing, machine_setup,
                                        machine_teardown),
        cmocka_unit_test_setup_teardown(being_told_to_wait_prolongs_once, machine_setup,
                                        machine_teardown),
    };
    engine_start(argc, argv);
    int failed = cmocka_run_group_tests_name("verifier liveness", tests, NULL, NULL);
    engine_stop();
    return failed;
}
