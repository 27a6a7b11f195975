/* SPDX-License-Identifier: Apache-2.0 */
/* What ends by time, by the clock of the test: tokens, challenges, attestations of silent agents,
 * and stale agents (decisions D31, D35, D80, D81). */
#include "verifier/upkeep/housekeeping.h"

#include "machine.h"
#include "verifier/management/store.h"
#include "verifier/upkeep/stale_agents.h"

#define NOW (G_GINT64_CONSTANT(1800000000) * SECOND)
#define DAY (86400 * SECOND)
#define HOUR (3600 * SECOND)
#define OTHER "other"

static HousekeepingRound sweep_at(Machine *machine, Timestamp now)
{
    HousekeepingRound round;
    g_autoptr(GError) error = NULL;
    if (!housekeeping_sweep(machine->verifier.database, &machine->verifier.settings, now, &round,
                            &error))
        fail_msg("%s", error->message);
    return round;
}

static void set_agents(Machine *machine, const char *assignments, Timestamp at)
{
    g_autofree char *sql =
        g_strdup_printf("UPDATE agents SET %s = %" G_GINT64_FORMAT, assignments, at);
    machine_run(machine, sql);
}

static void insert(Machine *machine, const char *agent_id, gint64 from, gint64 to, Timestamp at)
{
    for (gint64 i = from; i < to; i++) {
        StoredEvidence evidence = {i, 1, false, at, 1, at};
        machine_store_evidence(machine, agent_id, &evidence);
    }
}

/* --- tokens and challenges ------------------------------------------------------------------- */

static void add_session(Machine *machine, unsigned number, Timestamp expires)
{
    g_autofree char *session = g_strdup_printf(
        "INSERT INTO sessions (agent_id, session_id, token_hash, ak_name, created_at, expires_at)"
        " SELECT 'agent-%u', 'session-%u', ak_name, ak_name, 0, %" G_GINT64_FORMAT " FROM agents",
        number, number, expires);
    g_autofree char *consumed =
        g_strdup_printf("INSERT INTO consumed_sessions (session_id, expires_at) VALUES "
                        "('session-%u', %" G_GINT64_FORMAT ")",
                        number, expires);
    machine_run(machine, session);
    machine_run(machine, consumed);
}

static void expired_tokens_and_ids_go(void **state)
{
    Machine *machine = *state;
    machine_enrol(machine, AGENT, "{}", NOW);
    add_session(machine, 1, NOW - 1);
    add_session(machine, 2, NOW);
    HousekeepingRound round = sweep_at(machine, NOW);
    assert_int_equal(round.tokens, 1);
    assert_int_equal(round.session_ids, 0); /* for replicas whose clocks differ */
    assert_int_equal(machine_number(machine, "SELECT COUNT(*) FROM sessions"), 1);
    round = sweep_at(machine, NOW + HOUR + 1);
    assert_int_equal(round.tokens, 1);
    assert_int_equal(round.session_ids, 2);
    round = sweep_at(machine, NOW + HOUR + 1);
    assert_int_equal(round.tokens + round.session_ids, 0);
}

static void many_go_in_one_round(void **state)
{
    Machine *machine = *state;
    machine_enrol(machine, AGENT, "{}", NOW);
    machine_run(machine, "INSERT INTO consumed_sessions (session_id, expires_at)"
                         " WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                         " WHERE i < 1234) SELECT CAST(i AS TEXT), 5 FROM n");
    assert_int_equal(sweep_at(machine, NOW).session_ids, 1234);
}

static void abandoned_challenges_go_after_an_hour(void **state)
{
    Machine *machine = *state;
    machine_enrol(machine, AGENT, "{}", NOW);
    insert(machine, AGENT, 0, 2, NOW);
    machine_run(machine, "UPDATE attestations SET stage = 'verification_complete'"
                         " WHERE attestation_index = 0");
    machine_run(machine, "UPDATE attestations SET stage = 'awaiting_evidence'"
                         " WHERE attestation_index = 1");
    machine_run(machine, "UPDATE agents SET next_index = 2, unanswered_count = 1");
    g_autofree char *expiry = g_strdup_printf(
        "UPDATE attestations SET challenges_expire_at = %" G_GINT64_FORMAT, NOW + 300 * SECOND);
    machine_run(machine, expiry);
    assert_int_equal(sweep_at(machine, NOW + 300 * SECOND + HOUR).challenges, 0);
    assert_int_equal(sweep_at(machine, NOW + 301 * SECOND + HOUR).challenges, 1);
    assert_int_equal(machine_count(machine, AGENT), 1);
    assert_int_equal(machine_number(machine, "SELECT next_index FROM agents"), 2);
}

/* --- attestations of silent agents ----------------------------------------------------------- */

static void old_attestations_of_silent_agents_go(void **state)
{
    Machine *machine = *state;
    machine_enrol(machine, AGENT, "{}", NOW);
    machine_enrol(machine, OTHER, "{}", NOW);
    insert(machine, AGENT, 0, 9, NOW);
    insert(machine, OTHER, 0, 3, NOW);
    machine_run(machine, "UPDATE attestations SET stage = 'verification_complete'");
    machine_run(machine, "UPDATE agents SET last_pass_index = 2, failure_run_index = 5");
    set_agents(machine, "last_received_quote", NOW);
    assert_int_equal(sweep_at(machine, NOW + 30 * DAY).attestations, 0);
    /* The other one attests, and looks after its own. */
    g_autofree char *sql = g_strdup_printf(
        "UPDATE agents SET last_received_quote = %" G_GINT64_FORMAT " WHERE agent_id = '" OTHER "'",
        NOW + 20 * DAY);
    machine_run(machine, sql);
    assert_int_equal(sweep_at(machine, NOW + 31 * DAY).attestations, 6);
    assert_int_equal(machine_count(machine, AGENT), 3);
    assert_int_equal(
        machine_number(machine, "SELECT CAST(SUM(attestation_index) AS BIGINT) FROM attestations"
                                " WHERE agent_id = '" AGENT "'"),
        2 + 5 + 8);
    assert_int_equal(machine_count(machine, OTHER), 3);
    assert_int_equal(sweep_at(machine, NOW + 31 * DAY).attestations, 0);
}

static void evidence_that_is_being_judged_stays(void **state)
{
    Machine *machine = *state;
    machine_enrol(machine, AGENT, "{}", NOW);
    insert(machine, AGENT, 0, 3, NOW);
    assert_int_equal(sweep_at(machine, NOW + 400 * DAY).attestations, 0);
}

/* --- stale agents ---------------------------------------------------------------------------- */

static void stale_round(Machine *machine, Timestamp now)
{
    g_autoptr(GError) error = NULL;
    if (!stale_agents_handle(&machine->verifier, now, &error))
        fail_msg("%s", error->message);
}

/* Rounds every day, as of a verifier that runs; from `day` up to and including `last`. */
static void rounds(Machine *machine, int day, int last)
{
    for (; day <= last; day++)
        stale_round(machine, NOW + day * DAY);
}

/* Two agents, heard from at NOW. */
static void enrol_for_stale(Machine *machine, StaleAction action)
{
    machine->verifier.settings.uuid = "default";
    machine->verifier.settings.stale_after = 30 * DAY;
    machine->verifier.settings.stale_action = action;
    machine_enrol(machine, AGENT, "{}", NOW - DAY);
    machine_enrol(machine, OTHER, "{}", NOW - DAY);
    set_agents(machine, "last_received_quote", NOW);
    machine_run(machine, "UPDATE agents SET attestation_count = 1");
    rounds(machine, -1, 30);
    assert_int_equal(machine_number(machine, "SELECT COUNT(*) FROM agents WHERE stale_from > 0"),
                     0);
    /* The other one speaks just then. */
    g_autofree char *sql = g_strdup_printf(
        "UPDATE agents SET last_received_quote = %" G_GINT64_FORMAT " WHERE agent_id = '" OTHER "'",
        NOW + 30 * DAY);
    machine_run(machine, sql);
}

static const char *status_of(Machine *machine)
{
    g_autoptr(AgentRecord) agent = machine_agent(machine, AGENT);
    return agent ? agent_record_status(agent) : NULL;
}

static gint64 warned_at(Machine *machine)
{
    return machine_number(machine, "SELECT MAX(stale_from) FROM agents");
}

static void warning_changes_nothing_and_is_repeated(void **state)
{
    Machine *machine = *state;
    enrol_for_stale(machine, STALE_WARN);
    rounds(machine, 31, 31);
    assert_int_equal(warned_at(machine), NOW + 31 * DAY);
    assert_int_equal(machine_number(machine, "SELECT COUNT(*) FROM agents WHERE stale_from > 0"),
                     1);
    assert_string_equal(status_of(machine), "PASS");
    rounds(machine, 32, 60);
    assert_int_equal(warned_at(machine), NOW + 31 * DAY);
    rounds(machine, 61, 62);
    assert_int_equal(warned_at(machine), NOW + 62 * DAY);
}

static void archive_stops_and_empties(void **state)
{
    Machine *machine = *state;
    enrol_for_stale(machine, STALE_ARCHIVE);
    insert(machine, AGENT, 0, 9, NOW);
    machine_run(machine, "UPDATE attestations SET stage = 'verification_complete'");
    machine_run(machine, "UPDATE agents SET last_pass_index = 2");
    machine_run(machine, "INSERT INTO sessions (agent_id, session_id, token_hash, ak_name,"
                         " created_at, expires_at) SELECT agent_id, agent_id, ak_name, ak_name, 0,"
                         " 9000000000000000 FROM agents");
    rounds(machine, 31, 33);
    g_autoptr(AgentRecord) agent = machine_agent(machine, AGENT);
    assert_int_equal(agent->operational_state, AGENT_STATE_STOPPED);
    assert_string_equal(agent_record_status(agent), "PASS"); /* never a FAIL */
    assert_int_equal(machine_count(machine, AGENT), 2);
    assert_int_equal(machine_number(machine, "SELECT COUNT(*) FROM sessions"), 1);
    assert_int_equal(machine_number(machine, "SELECT COUNT(*) FROM agents WHERE stale_from > 0"),
                     1);
    /* An operator brings it back, and it has as long again. */
    ManagementResult result;
    assert_true(management_reactivate(&machine->verifier, AGENT, &result, NULL));
    set_agents(machine, "stale_from", NOW + 33 * DAY);
    rounds(machine, 34, 63);
    g_autoptr(AgentRecord) back = machine_agent(machine, AGENT);
    assert_int_equal(back->operational_state, AGENT_STATE_ACTIVE);
}

static void reactivation_starts_the_time_anew(void **state)
{
    Machine *machine = *state;
    ManagementResult result;
    machine->verifier.settings.uuid = "default";
    machine_enrol(machine, AGENT, "{}", NOW);
    Timestamp before = timestamp_now();
    assert_true(management_reactivate(&machine->verifier, AGENT, &result, NULL));
    assert_true(warned_at(machine) >= before);
}

static void deletion_ends_the_enrolment(void **state)
{
    Machine *machine = *state;
    enrol_for_stale(machine, STALE_DELETE);
    rounds(machine, 31, 31);
    assert_null(status_of(machine));
    assert_int_equal(machine_number(machine, "SELECT COUNT(*) FROM agents"), 1);
    assert_int_equal(machine_number(machine, "SELECT COUNT(*) FROM enrolments"), 1);
}

static void others_and_stopped_ones_are_left_alone(void **state)
{
    Machine *machine = *state;
    enrol_for_stale(machine, STALE_DELETE);
    machine_run(machine, "UPDATE agents SET verifier_id = 'another' WHERE agent_id = '" AGENT "'");
    machine_run(machine, "UPDATE agents SET operational_state = 10 WHERE agent_id = '" OTHER "'");
    rounds(machine, 31, 90);
    assert_int_equal(machine_number(machine, "SELECT COUNT(*) FROM agents"), 2);
}

static void never_is_an_option(void **state)
{
    Machine *machine = *state;
    enrol_for_stale(machine, STALE_DELETE);
    machine->verifier.settings.stale_after = 0;
    rounds(machine, 31, 90);
    assert_int_equal(machine_number(machine, "SELECT COUNT(*) FROM agents"), 2);
}

/* Nobody could have heard them: the fleet is not thrown away after a long holiday of the verifier.
 */
static void outage_of_the_verifier_is_not_the_agents(void **state)
{
    Machine *machine = *state;
    enrol_for_stale(machine, STALE_DELETE);
    rounds(machine, 100, 130);
    assert_int_equal(machine_number(machine, "SELECT COUNT(*) FROM agents"), 2);
    rounds(machine, 131, 131);
    assert_int_equal(machine_number(machine, "SELECT COUNT(*) FROM agents"), 0);
}

static void short_outage_does_not_start_the_time_anew(void **state)
{
    Machine *machine = *state;
    enrol_for_stale(machine, STALE_DELETE);
    rounds(machine, 40, 40);
    assert_int_equal(machine_number(machine, "SELECT COUNT(*) FROM agents"), 1);
}

static void agents_get_stale_however_rare_rounds_are_asked_for(void **state)
{
    Machine *machine = *state;
    VerifierSettings *settings = &machine->verifier.settings;
    enrol_for_stale(machine, STALE_DELETE);
    settings->stale_after = DAY;
    settings->housekeeping_interval = DAY;
    Timestamp now = NOW + 31 * DAY;
    for (Timestamp end = now + 3 * DAY; now < end; now += housekeeping_span(settings))
        stale_round(machine, now);
    assert_int_equal(machine_number(machine, "SELECT COUNT(*) FROM agents"), 0);
    settings->stale_after = 30 * DAY;
    assert_int_equal(housekeeping_span(settings), DAY);
    settings->stale_after = 0;
    assert_int_equal(housekeeping_span(settings), DAY);
}

static void clock_that_was_set_back_starts_the_time_anew(void **state)
{
    Machine *machine = *state;
    enrol_for_stale(machine, STALE_DELETE);
    rounds(machine, -400, -399);
    rounds(machine, 31, 32);
    assert_int_equal(machine_number(machine, "SELECT COUNT(*) FROM agents"), 2);
}

static void many_are_handled_in_one_round(void **state)
{
    Machine *machine = *state;
    enrol_for_stale(machine, STALE_DELETE);
    for (unsigned i = 0; i < 2 * STALE_AGENTS_AT_ONCE + 5; i++) {
        g_autofree char *agent_id = g_strdup_printf("agent-%u", i);
        machine_enrol(machine, agent_id, "{}", NOW);
    }
    rounds(machine, 31, 31);
    assert_int_equal(machine_number(machine, "SELECT COUNT(*) FROM agents"), 1);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, machine_setup, machine_teardown)
    const struct CMUnitTest tests[] = {
        TEST(expired_tokens_and_ids_go),
        TEST(many_go_in_one_round),
        TEST(abandoned_challenges_go_after_an_hour),
        TEST(old_attestations_of_silent_agents_go),
        TEST(evidence_that_is_being_judged_stays),
        TEST(warning_changes_nothing_and_is_repeated),
        TEST(archive_stops_and_empties),
        TEST(reactivation_starts_the_time_anew),
        TEST(deletion_ends_the_enrolment),
        TEST(others_and_stopped_ones_are_left_alone),
        TEST(never_is_an_option),
        TEST(outage_of_the_verifier_is_not_the_agents),
        TEST(short_outage_does_not_start_the_time_anew),
        TEST(agents_get_stale_however_rare_rounds_are_asked_for),
        TEST(clock_that_was_set_back_starts_the_time_anew),
        TEST(many_are_handled_in_one_round),
    };
    engine_start(argc, argv);
    int failed = cmocka_run_group_tests_name("verifier housekeeping", tests, NULL, NULL);
    engine_stop();
    return failed;
}
