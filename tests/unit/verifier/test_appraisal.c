/* SPDX-License-Identifier: Apache-2.0 */
/* Appraisals: effects of a verdict, the pool, leases and limits (verifier-push-api §7.3; decisions
 * D35, D66, D68, D69, D82; contract C23, U13, U24). */
#include "machine.h"

#include "verifier/appraisal/scan.h"

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define ONES "1111111111111111111111111111111111111111111111111111111111111111"
#define GOOD "{\"15\": [\"" ZEROS "\"]}"
#define BAD "{\"15\": [\"" ONES "\"]}"
#define PCR15 (UINT32_C(1) << 15)

static AppraisalResult *run_job(Machine *machine, gint64 index)
{
    g_autoptr(AppraisalJob) job = machine_job(machine, AGENT, index);
    return appraisal_job_run(job, &machine->verifier.settings, machine->references, appraise);
}

static void apply(Machine *machine, AppraisalResult *result)
{
    g_autoptr(GPtrArray) results = g_ptr_array_new();
    g_autoptr(GError) error = NULL;
    g_ptr_array_add(results, result);
    if (!appraisal_effects(machine->verifier.database, &machine->verifier.settings, results,
                           &error))
        fail_msg("%s", error->message);
}

/* A cycle by hand: stored, judged, written. */
static void cycle(Machine *machine, gint64 index, bool spoil)
{
    StoredEvidence evidence = {index, PCR15, spoil, timestamp_now(), 1, timestamp_now() + SECOND};
    machine_store_evidence(machine, AGENT, &evidence);
    g_autoptr(AppraisalResult) result = run_job(machine, index);
    apply(machine, result);
    assert_true(result->applied);
}

static void pass_changes_the_agent(void **state)
{
    Machine *machine = *state;
    machine_enrol(machine, AGENT, GOOD, timestamp_now());
    machine_run(machine, "UPDATE agents SET shown_pending = 1, accept_attestations = 0");
    cycle(machine, 0, false);
    g_autoptr(AgentRecord) agent = machine_agent(machine, AGENT);
    assert_int_equal(agent->attestation_count, 1);
    assert_int_equal(agent->consecutive_failures, 0);
    assert_true(agent->accept_attestations);
    assert_false(agent->shown_pending);
    assert_true(agent->last_successful_attestation > 0);
    assert_true(agent->appraisal.known);
    assert_int_equal(agent->appraisal.clock.reset_count, 1);
    assert_string_equal(agent_record_status(agent), "PASS");
    g_autoptr(AttestationRecord) record = machine_attestation(machine, AGENT, 0);
    assert_int_equal(record->stage, STAGE_VERIFICATION_COMPLETE);
    assert_int_equal(record->evaluation, EVALUATION_PASS);
    assert_null(record->failures);
    assert_null(record->failure_reason);
    assert_true(record->verification_completed_at >= record->evidence_received_at);
}

static void violation_keeps_the_clock(void **state)
{
    Machine *machine = *state;
    machine_enrol(machine, AGENT, BAD, timestamp_now());
    cycle(machine, 0, false);
    g_autoptr(AgentRecord) agent = machine_agent(machine, AGENT);
    assert_int_equal(agent->consecutive_failures, 1);
    assert_int_equal(agent->attestation_count, 0);
    assert_true(agent->appraisal.known); /* the quote was authentic */
    assert_non_null(agent->last_event_id);
    assert_string_equal(agent_record_status(agent), "FAIL");
    g_autoptr(AttestationRecord) record = machine_attestation(machine, AGENT, 0);
    assert_int_equal(record->evaluation, EVALUATION_FAIL);
    assert_string_equal(record->failure_reason, "policy_violation");
    assert_non_null(strstr(record->failures, ONES));
    assert_non_null(strstr(record->failures, ZEROS));
}

static void broken_evidence_leaves_the_clock(void **state)
{
    Machine *machine = *state;
    machine_enrol(machine, AGENT, GOOD, timestamp_now());
    cycle(machine, 0, true);
    g_autoptr(AgentRecord) agent = machine_agent(machine, AGENT);
    assert_false(agent->appraisal.known);
    assert_string_equal(agent->last_event_id, "qoute_validation.quote_validation");
    g_autoptr(AttestationRecord) record = machine_attestation(machine, AGENT, 0);
    assert_string_equal(record->failure_reason, "broken_evidence_chain");
}

static void failure_sticks_unless_recovery_is_automatic(void **state)
{
    Machine *machine = *state;
    machine_enrol(machine, AGENT, GOOD, timestamp_now());
    cycle(machine, 0, true);
    cycle(machine, 1, true);
    cycle(machine, 2, false);
    g_autoptr(AgentRecord) failed = machine_agent(machine, AGENT);
    assert_int_equal(failed->consecutive_failures, 2);
    assert_int_equal(failed->attestation_count, 1);
    machine->verifier.settings.auto_recover_attestation_failures = true;
    cycle(machine, 3, false);
    g_autoptr(AgentRecord) recovered = machine_agent(machine, AGENT);
    assert_int_equal(recovered->consecutive_failures, 0);
    assert_string_equal(agent_record_status(recovered), "PASS");
}

static void only_one_verdict_counts(void **state)
{
    Machine *machine = *state;
    machine_enrol(machine, AGENT, GOOD, timestamp_now());
    StoredEvidence evidence = {0, PCR15, false, timestamp_now(), 1, timestamp_now()};
    machine_store_evidence(machine, AGENT, &evidence);
    g_autoptr(AppraisalResult) overtaken = run_job(machine, 0);
    machine_run(machine, "UPDATE attestations SET job_starts = 2");
    g_autoptr(AppraisalResult) second = run_job(machine, 0);
    apply(machine, overtaken);
    assert_false(overtaken->applied);
    assert_int_equal(machine_number(machine, "SELECT attestation_count FROM agents"), 0);
    apply(machine, second);
    assert_true(second->applied);
    apply(machine, second);
    assert_false(second->applied);
    assert_int_equal(machine_number(machine, "SELECT attestation_count FROM agents"), 1);
}

static void verdict_on_another_key_is_dropped(void **state)
{
    Machine *machine = *state;
    machine_enrol(machine, AGENT, GOOD, timestamp_now());
    StoredEvidence evidence = {0, PCR15, false, timestamp_now(), 1, timestamp_now()};
    machine_store_evidence(machine, AGENT, &evidence);
    g_autoptr(AppraisalResult) result = run_job(machine, 0);
    machine_run(machine, "UPDATE agents SET ak_name = (SELECT ak_tpm FROM enrolments)");
    apply(machine, result);
    assert_false(result->applied);
    assert_int_equal(machine_number(machine, "SELECT attestation_count FROM agents"), 0);
    assert_int_equal(machine_count(machine, AGENT), 0);
}

static void pass_prolongs_a_living_token(void **state)
{
    Machine *machine = *state;
    Timestamp now = timestamp_now();
    machine_enrol(machine, AGENT, GOOD, now);
    g_autofree char *insert = g_strdup_printf(
        "INSERT INTO sessions (agent_id, session_id, token_hash, ak_name, created_at, expires_at)"
        " SELECT agent_id, 'x', ak_name, ak_name, 0, %" G_GINT64_FORMAT " FROM agents",
        now + 5 * SECOND);
    machine_run(machine, insert);
    cycle(machine, 0, true);
    assert_int_equal(machine_number(machine, "SELECT expires_at FROM sessions"), now + 5 * SECOND);
    cycle(machine, 1, false);
    assert_true(machine_number(machine, "SELECT expires_at FROM sessions") >= now + 180 * SECOND);
    machine_run(machine, "UPDATE sessions SET expires_at = 5");
    cycle(machine, 2, false);
    assert_int_equal(machine_number(machine, "SELECT expires_at FROM sessions"), 5);
    machine->verifier.settings.extend_token_on_attestation = false;
    machine_run(machine, "UPDATE sessions SET expires_at = 4000000000000000");
    cycle(machine, 3, false);
    assert_true(machine_number(machine, "SELECT expires_at FROM sessions") == 4000000000000000);
}

static void long_appraisal_starts_the_deadline_anew(void **state)
{
    Machine *machine = *state;
    Timestamp now = timestamp_now();
    machine_enrol(machine, AGENT, GOOD, now);
    StoredEvidence evidence = {0, PCR15, false, now - 30 * SECOND, 1, now};
    machine_store_evidence(machine, AGENT, &evidence);
    g_autoptr(AppraisalResult) result = run_job(machine, 0);
    apply(machine, result);
    assert_true(machine_number(machine, "SELECT deadline FROM agents") >= now + 10 * SECOND);
}

/* The second verdict breaks a rule of the database: the first is stored all the same. */
static void a_verdict_that_is_refused_harms_no_other(void **state)
{
    Machine *machine = *state;
    Timestamp now = timestamp_now();
    StoredEvidence evidence = {0, PCR15, false, now, 1, now + 120 * SECOND};
    g_autoptr(GPtrArray) results =
        g_ptr_array_new_with_free_func((GDestroyNotify)appraisal_result_free);
    for (unsigned i = 0; i < 2; i++) {
        const char *agent_id = i == 0 ? AGENT : "other";
        machine_enrol(machine, agent_id, GOOD, now);
        machine_store_evidence(machine, agent_id, &evidence);
        g_autoptr(AppraisalJob) job = machine_job(machine, agent_id, 0);
        g_ptr_array_add(results, appraisal_job_run(job, &machine->verifier.settings,
                                                   machine->references, appraise));
    }
    machine_run(machine, "CREATE UNIQUE INDEX one ON agents (attestation_count)"
                         " WHERE attestation_count = 1");
    g_autoptr(GError) error = NULL;
    assert_true(appraisal_effects(machine->verifier.database, &machine->verifier.settings, results,
                                  &error));
    assert_int_equal(results->len, 0);
    g_autoptr(AgentRecord) agent = machine_agent(machine, AGENT);
    assert_string_equal(agent_record_status(agent), "PASS");
    g_autoptr(AttestationRecord) refused = machine_attestation(machine, "other", 0);
    assert_int_equal(refused->stage, STAGE_EVALUATING_EVIDENCE);
    assert_true(refused->job_lease > now); /* and is looked at again then */
}

/* --- the pool ------------------------------------------------------------------------------ */

static void wait_for_verdict(Machine *machine, gint64 index)
{
    for (unsigned i = 0; i < 1000; i++) {
        g_autoptr(AttestationRecord) record = machine_attestation(machine, AGENT, index);
        if (record->stage == STAGE_VERIFICATION_COMPLETE)
            return;
        g_usleep(10000);
    }
    fail_msg("no verdict");
}

static AppraisalPool *open_pool(Machine *machine, AppraisalFunction function)
{
    g_autoptr(GError) error = NULL;
    AppraisalPool *pool = appraisal_pool_new_with(&machine->verifier, function, &error);
    assert_non_null(pool);
    return pool;
}

static void pool_takes_up_what_was_left(void **state)
{
    Machine *machine = *state;
    Timestamp now = timestamp_now();
    machine_enrol(machine, AGENT, GOOD, now);
    StoredEvidence evidence = {0, PCR15, false, now, 0, 0};
    machine_store_evidence(machine, AGENT, &evidence);
    g_autoptr(AppraisalPool) pool = open_pool(machine, appraise);
    wait_for_verdict(machine, 0);
    g_autoptr(AttestationRecord) record = machine_attestation(machine, AGENT, 0);
    assert_int_equal(record->evaluation, EVALUATION_PASS);
    assert_int_equal(record->job_starts, 1);
}

/* With SQLite nobody else can work on it; with PostgreSQL another verifier may. */
static void pool_respects_leases_of_others(void **state)
{
    Machine *machine = *state;
    Timestamp now = timestamp_now();
    machine_enrol(machine, AGENT, GOOD, now);
    StoredEvidence evidence = {0, PCR15, false, now, 1, now + 120 * SECOND};
    machine_store_evidence(machine, AGENT, &evidence);
    g_autoptr(AppraisalPool) pool = open_pool(machine, appraise);
    if (!engine_is_postgresql()) {
        wait_for_verdict(machine, 0);
        return;
    }
    g_usleep(300000);
    g_autoptr(AttestationRecord) record = machine_attestation(machine, AGENT, 0);
    assert_int_equal(record->stage, STAGE_EVALUATING_EVIDENCE);
    assert_int_equal(record->job_starts, 1);
}

/* Claims what is free; true when the job of attestation 0 is. */
static bool claims_the_job(Machine *machine)
{
    g_autoptr(GPtrArray) failed =
        g_ptr_array_new_with_free_func((GDestroyNotify)appraisal_result_free);
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) jobs =
        appraisal_scan_claim(machine->verifier.database, &machine->verifier.settings,
                             machine->references, 10, failed, &error);
    assert_null(error);
    assert_int_equal(failed->len, 0);
    return jobs->len == 1;
}

/* A lease that is longer than any was made before the clock was set back: were it waited for, the
 * agent's attestation would stay pending until the clock has caught up. */
static void lease_of_the_future_holds_up_nothing(void **state)
{
    Machine *machine = *state;
    Timestamp now = timestamp_now();
    machine_enrol(machine, AGENT, GOOD, now);
    StoredEvidence evidence = {0, PCR15, false, now, 1, now + 3600 * SECOND};
    machine_store_evidence(machine, AGENT, &evidence);
    assert_true(claims_the_job(machine));
    assert_false(claims_the_job(machine)); /* it has a lease of now */
    g_autoptr(AttestationRecord) record = machine_attestation(machine, AGENT, 0);
    assert_int_equal(record->job_starts, 2);
    assert_true(record->job_lease < now + 600 * SECOND);
}

static void pool_gives_up_after_three_starts(void **state)
{
    Machine *machine = *state;
    Timestamp now = timestamp_now();
    machine_enrol(machine, AGENT, GOOD, now);
    StoredEvidence evidence = {0, PCR15, false, now, 3, now - SECOND};
    machine_store_evidence(machine, AGENT, &evidence);
    g_autoptr(AppraisalPool) pool = open_pool(machine, appraise);
    wait_for_verdict(machine, 0);
    g_autoptr(AttestationRecord) record = machine_attestation(machine, AGENT, 0);
    assert_int_equal(record->evaluation, EVALUATION_FAIL);
    assert_string_equal(record->failure_reason, "policy_violation");
    assert_non_null(strstr(record->failures, EVENT_FAILED));
    g_autoptr(AgentRecord) agent = machine_agent(machine, AGENT);
    assert_int_equal(agent->consecutive_failures, 1);
}

static gint may_end, begun;

static Verdict *appraise_slowly(const AppraisalInput *input, AppraisalState *state,
                                VerifiedQuote **quote)
{
    g_atomic_int_inc(&begun);
    while (!g_atomic_int_get(&may_end))
        g_usleep(5000);
    return appraise(input, state, quote);
}

/* C23: the limit ends it in the database although the run goes on, and the late pass is dropped. */
static void pool_ends_an_appraisal_at_its_limit(void **state)
{
    Machine *machine = *state;
    machine->verifier.settings.verification_timeout = SECOND / 5;
    g_atomic_int_set(&may_end, 0);
    machine_enrol(machine, AGENT, GOOD, timestamp_now());
    StoredEvidence evidence = {0, PCR15, false, timestamp_now(), 0, 0};
    machine_store_evidence(machine, AGENT, &evidence);
    AppraisalPool *pool = open_pool(machine, appraise_slowly);
    wait_for_verdict(machine, 0);
    g_atomic_int_set(&may_end, 1);
    appraisal_pool_free(pool);
    g_autoptr(AttestationRecord) record = machine_attestation(machine, AGENT, 0);
    assert_int_equal(record->evaluation, EVALUATION_FAIL);
    assert_non_null(strstr(record->failures, EVENT_TIMEOUT));
    g_autoptr(AgentRecord) agent = machine_agent(machine, AGENT);
    assert_int_equal(agent->attestation_count, 0);
    assert_int_equal(agent->consecutive_failures, 1);
}

/* Holds SQLite's one lock for writing, or stops PostgreSQL, for longer than a write waits. */
typedef struct {
    Machine *machine;
    gint away;
} Outage;

static bool hold_lock(Connection *connection, gpointer data, GError **error)
{
    Outage *outage = data;
    bool held = sql_run(connection, error, "UPDATE heartbeats SET beaten_at = 0", "");
    g_atomic_int_set(&outage->away, 1);
    g_usleep(6000000);
    return held;
}

static gpointer hold_database(gpointer data)
{
    Outage *outage = data;
    const DatabaseSettings settings = {.url = outage->machine->fixture->url,
                                       .max_connections = 1,
                                       .migrations = verifier_migrations};
    g_autoptr(Database) database = database_open(&settings, NULL);
    if (!database || !database_write(database, hold_lock, outage, NULL))
        g_atomic_int_set(&outage->away, 2);
    return NULL;
}

static gpointer halt_server(gpointer data)
{
    Outage *outage = data;
    engine_halt();
    g_atomic_int_set(&outage->away, 1);
    g_usleep(2000000);
    engine_resume();
    return NULL;
}

/* U24: well before the lease of 120 s has ended. */
static void pool_keeps_verdicts_while_the_database_is_away(void **state)
{
    Machine *machine = *state;
    Timestamp now = timestamp_now();
    g_atomic_int_set(&may_end, 0);
    g_atomic_int_set(&begun, 0);
    machine_enrol(machine, AGENT, GOOD, now);
    AppraisalPool *pool = open_pool(machine, appraise_slowly);
    StoredEvidence evidence = {0, PCR15, false, now, 1, now + 120 * SECOND};
    machine_store_evidence(machine, AGENT, &evidence);
    assert_true(appraisal_pool_reserve(pool));
    appraisal_pool_submit(pool, machine_job(machine, AGENT, 0));
    while (g_atomic_int_get(&begun) == 0)
        g_usleep(5000);
    Outage outage = {.machine = machine};
    GThread *thread =
        g_thread_new("outage", engine_is_postgresql() ? halt_server : hold_database, &outage);
    while (g_atomic_int_get(&outage.away) == 0)
        g_usleep(5000);
    g_atomic_int_set(&may_end, 1);
    g_thread_join(thread);
    assert_int_equal(outage.away, 1);
    wait_for_verdict(machine, 0);
    appraisal_pool_free(pool);
    g_autoptr(AgentRecord) agent = machine_agent(machine, AGENT);
    assert_string_equal(agent_record_status(agent), "PASS");
    g_autoptr(AttestationRecord) record = machine_attestation(machine, AGENT, 0);
    assert_int_equal(record->job_starts, 1);
}

static gpointer close_pool(gpointer pool)
{
    appraisal_pool_free(pool);
    return NULL;
}

static void pool_gives_back_what_it_did_not_start(void **state)
{
    Machine *machine = *state;
    g_atomic_int_set(&may_end, 0);
    g_atomic_int_set(&begun, 0);
    machine_enrol(machine, AGENT, GOOD, timestamp_now());
    machine_enrol(machine, "other", GOOD, timestamp_now());
    AppraisalPool *pool = open_pool(machine, appraise_slowly);
    guint jobs = g_get_num_processors() + 1;
    for (guint i = 0; i < jobs; i++) {
        StoredEvidence evidence = {
            i, PCR15, false, timestamp_now(), 1, timestamp_now() + 120 * SECOND};
        machine_store_evidence(machine, AGENT, &evidence);
        assert_true(appraisal_pool_reserve(pool));
        appraisal_pool_submit(pool, machine_job(machine, AGENT, i));
    }
    while (g_atomic_int_get(&begun) < (gint)g_get_num_processors())
        g_usleep(5000);
    GThread *closing = g_thread_new("closing", close_pool, pool);
    while (appraisal_pool_reserve(pool)) { /* until it is stopping */
        appraisal_pool_release(pool);
        g_usleep(5000);
    }
    g_atomic_int_set(&may_end, 1);
    g_thread_join(closing);
    assert_int_equal(machine_number(machine, "SELECT COUNT(*) FROM attestations WHERE"
                                             " stage = 'evaluating_evidence' AND job_lease = 0"
                                             " AND job_starts = 0"),
                     1);
}

static void places_are_bounded(void **state)
{
    Machine *machine = *state;
    g_autoptr(AppraisalPool) pool = open_pool(machine, appraise);
    guint places = 0;
    while (appraisal_pool_reserve(pool))
        assert_true(++places < 100000);
    assert_true(places >= 64);
    for (guint i = 0; i < places; i++)
        appraisal_pool_release(pool);
    assert_true(appraisal_pool_reserve(pool));
    appraisal_pool_release(pool);
}

static void references_are_shared_and_bounded(void **state)
{
    Machine *machine = *state;
    g_autoptr(GBytes) tpm2b = tpm_public_to_tpm2b(software_tpm_ak(machine->tpm));
    g_autoptr(GError) error = NULL;
    g_autoptr(SharedKey) first = references_key(machine->references, tpm2b, &error);
    g_autoptr(SharedKey) second = references_key(machine->references, tpm2b, &error);
    assert_non_null(first);
    assert_ptr_equal(first, second);
    g_autoptr(TpmPolicy) kept = references_policy(machine->references, GOOD, &error);
    assert_non_null(kept);
    for (guint i = 0; i < REFERENCES_MAX_POLICIES; i++) {
        g_autofree char *text = g_strdup_printf("{\"mask\": \"0x%x\"}", i);
        g_autoptr(TpmPolicy) policy = references_policy(machine->references, text, &error);
        assert_non_null(policy);
    }
    g_autoptr(TpmPolicy) again = references_policy(machine->references, GOOD, &error);
    assert_ptr_not_equal(kept, again);
    assert_int_equal(tpm_policy_pcrs(kept), PCR15); /* still whole: somebody holds it */
    g_autoptr(SharedWords) words = references_words(machine->references, "[\"rsa\", \"ecc\"]");
    g_autoptr(SharedWords) same = references_words(machine->references, "[\"rsa\", \"ecc\"]");
    g_autoptr(SharedWords) none = references_words(machine->references, NULL);
    assert_ptr_equal(words, same);
    assert_string_equal(shared_words_texts(words)[1], "ecc");
    assert_null(shared_words_texts(none)[0]);
    assert_null(references_policy(machine->references, "no policy", &error));
    assert_non_null(error);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pass_changes_the_agent, machine_setup, machine_teardown),
        cmocka_unit_test_setup_teardown(violation_keeps_the_clock, machine_setup, machine_teardown),
        cmocka_unit_test_setup_teardown(broken_evidence_leaves_the_clock, machine_setup,
                                        machine_teardown),
        cmocka_unit_test_setup_teardown(failure_sticks_unless_recovery_is_automatic, machine_setup,
                                        machine_teardown),
        cmocka_unit_test_setup_teardown(only_one_verdict_counts, machine_setup, machine_teardown),
        cmocka_unit_test_setup_teardown(verdict_on_another_key_is_dropped, machine_setup,
                                        machine_teardown),
        cmocka_unit_test_setup_teardown(pass_prolongs_a_living_token, machine_setup,
                                        machine_teardown),
        cmocka_unit_test_setup_teardown(long_appraisal_starts_the_deadline_anew, machine_setup,
                                        machine_teardown),
        cmocka_unit_test_setup_teardown(a_verdict_that_is_refused_harms_no_other, machine_setup,
                                        machine_teardown),
        cmocka_unit_test_setup_teardown(pool_takes_up_what_was_left, machine_setup,
                                        machine_teardown),
        cmocka_unit_test_setup_teardown(pool_respects_leases_of_others, machine_setup,
                                        machine_teardown),
        cmocka_unit_test_setup_teardown(lease_of_the_future_holds_up_nothing, machine_setup,
                                        machine_teardown),
        cmocka_unit_test_setup_teardown(pool_gives_up_after_three_starts, machine_setup,
                                        machine_teardown),
        cmocka_unit_test_setup_teardown(pool_ends_an_appraisal_at_its_limit, machine_setup,
                                        machine_teardown),
        cmocka_unit_test_setup_teardown(pool_keeps_verdicts_while_the_database_is_away,
                                        machine_setup, machine_teardown),
        cmocka_unit_test_setup_teardown(pool_gives_back_what_it_did_not_start, machine_setup,
                                        machine_teardown),
        cmocka_unit_test_setup_teardown(places_are_bounded, machine_setup, machine_teardown),
        cmocka_unit_test_setup_teardown(references_are_shared_and_bounded, machine_setup,
                                        machine_teardown),
    };
    engine_start(argc, argv);
    int failed = cmocka_run_group_tests_name("verifier appraisal", tests, NULL, NULL);
    engine_stop();
    return failed;
}
