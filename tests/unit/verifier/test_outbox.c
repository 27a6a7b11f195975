/* SPDX-License-Identifier: Apache-2.0 */
/* Notifications on their way, by the clock of the test: who is told what, one process at a time,
 * waits that outlive a restart, and bounds (decision D108; contract U22). */
#include "verifier/notification/outbox.h"

#include "machine.h"
#include "verifier/management/store.h"
#include "verifier/upkeep/liveness.h"

#include <string.h>

#define T0 (G_GINT64_CONSTANT(1800000000) * SECOND)
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define GOOD "{\"15\": [\"" ZEROS "\"]}"
#define PCR15 (UINT32_C(1) << 15)
#define ALL_EVENTS ((1u << NOTIFICATION_TYPES) - 1)

static const char *const urls[] = {"https://a.example/x", "https://b.example/x", NULL};
static const OutboxDestination first = {urls[0], "process one", 60 * SECOND};
static const OutboxDestination second = {urls[1], "process one", 60 * SECOND};
static const OutboxDestination first_of_other = {urls[0], "process two", 60 * SECOND};

static NotificationSettings *settings_of(Machine *machine)
{
    return &machine->verifier.settings.notifications;
}

static int setup(void **state)
{
    machine_setup(state);
    Machine *machine = *state;
    machine->verifier.settings.uuid = "default";
    *settings_of(machine) = (NotificationSettings){
        .events = ALL_EVENTS,
        .webhooks = urls,
        .outbox_max = 100,
        .max_age = 86400 * SECOND,
    };
    machine_enrol(machine, AGENT, GOOD, T0);
    return 0;
}

typedef struct {
    Machine *machine;
    const OutboxEvent *events;
    guint count;
    Timestamp now;
} Add;

static bool add_work(Connection *connection, gpointer data, GError **error)
{
    const Add *add = data;
    return outbox_add(connection, settings_of(add->machine), add->events, add->count, add->now,
                      error);
}

static void add(Machine *machine, NotificationType type, guint count, Timestamp now)
{
    g_autofree OutboxEvent *events = g_new0(OutboxEvent, count);
    for (guint i = 0; i < count; i++)
        events[i] = (OutboxEvent){.type = type, .agent_id = AGENT};
    Add call = {machine, events, count, now};
    g_autoptr(GError) error = NULL;
    if (!database_write(machine->verifier.database, add_work, &call, &error))
        fail_msg("%s", error->message);
}

static OutboxItem *take(Machine *machine, const OutboxDestination *destination, Timestamp now)
{
    OutboxItem *item = NULL;
    g_autoptr(GError) error = NULL;
    if (!outbox_take(machine->verifier.database, destination, now, &item, &error))
        fail_msg("%s", error->message);
    return item;
}

/* The number of what is to be delivered, 0 = nothing now. */
static gint64 taken(Machine *machine, const OutboxDestination *destination, Timestamp now)
{
    g_autoptr(OutboxItem) item = take(machine, destination, now);
    return item ? item->sequence : 0;
}

static void deliver(Machine *machine, const OutboxDestination *destination, Timestamp now,
                    gint64 sequence)
{
    g_autoptr(OutboxItem) item = take(machine, destination, now);
    assert_non_null(item);
    assert_int_equal(item->sequence, sequence);
    assert_true(outbox_delivered(machine->verifier.database, destination, item, NULL));
}

static void fail_once(Machine *machine, const OutboxDestination *destination, Timestamp now,
                      OutboxFailure *failure)
{
    g_autoptr(OutboxItem) item = take(machine, destination, now);
    assert_non_null(item);
    assert_true(outbox_failed(machine->verifier.database, destination, item, failure, NULL));
}

static gint64 notifications(Machine *machine)
{
    return machine_number(machine, "SELECT COUNT(*) FROM notifications");
}

/* --- who is told what ---------------------------------------------------------------------- */

static void each_destination_has_its_own_progress(void **state)
{
    Machine *machine = *state;
    add(machine, NOTIFICATION_ENROLLED, 1, T0);
    add(machine, NOTIFICATION_DELETED, 1, T0);
    deliver(machine, &first, T0, 1);
    deliver(machine, &first, T0, 2);
    assert_int_equal(taken(machine, &first, T0), 0);
    assert_int_equal(notifications(machine), 2);
    deliver(machine, &second, T0, 1);
    deliver(machine, &second, T0, 2);
    assert_int_equal(notifications(machine), 0);
}

static void item_tells_what_is_known_of_the_agent(void **state)
{
    Machine *machine = *state;
    machine_run(machine, "UPDATE enrolments SET revocation_key = 'the key'");
    add(machine, NOTIFICATION_RECOVERED, 1, T0);
    g_autoptr(OutboxItem) item = take(machine, &first, T0);
    assert_string_equal(item->type, "recovered");
    assert_string_equal(item->agent_id, AGENT);
    assert_string_equal(item->signing_key, "the key");
    assert_non_null(strstr(item->message, ZEROS));
    assert_non_null(strstr(item->message, "\"event_sequence\": 1}"));
    assert_int_equal(item->created_at, T0);
}

static void only_named_events_leave(void **state)
{
    Machine *machine = *state;
    settings_of(machine)->events = 1u << NOTIFICATION_REVOCATION;
    add(machine, NOTIFICATION_ENROLLED, 3, T0);
    assert_int_equal(notifications(machine), 0);
    add(machine, NOTIFICATION_REVOCATION, 1, T0);
    assert_int_equal(notifications(machine), 1);
}

static void nothing_is_written_when_nothing_leaves(void **state)
{
    Machine *machine = *state;
    settings_of(machine)->webhooks = NULL;
    add(machine, NOTIFICATION_REVOCATION, 1, T0);
    assert_int_equal(notifications(machine), 0);
    settings_of(machine)->zeromq = true;
    add(machine, NOTIFICATION_REVOCATION, 1, T0);
    const OutboxDestination zeromq = {NOTIFICATION_ZEROMQ, "process one", SECOND};
    assert_int_equal(taken(machine, &zeromq, T0), 1);
}

/* --- one process at a time ----------------------------------------------------------------- */

static void one_process_delivers_at_a_time(void **state)
{
    Machine *machine = *state;
    add(machine, NOTIFICATION_REVOCATION, 1, T0);
    assert_int_equal(taken(machine, &first, T0), 1);
    assert_int_equal(taken(machine, &first_of_other, T0 + 59 * SECOND), 0);
    assert_int_equal(taken(machine, &second, T0), 1); /* another destination */
    /* The first process died: its lease has ended. */
    assert_int_equal(taken(machine, &first_of_other, T0 + 60 * SECOND), 1);
    assert_int_equal(taken(machine, &first, T0 + 61 * SECOND), 0);
}

static void lease_is_given_back(void **state)
{
    Machine *machine = *state;
    add(machine, NOTIFICATION_REVOCATION, 2, T0);
    assert_int_equal(taken(machine, &first, T0), 1);
    assert_true(outbox_release(machine->verifier.database, &first, NULL));
    deliver(machine, &first_of_other, T0, 1);
    deliver(machine, &first, T0, 2);
}

/* A delivery that ended after its lease: the notification is gone, the lease is the other's. */
static void late_end_takes_no_lease_away(void **state)
{
    Machine *machine = *state;
    add(machine, NOTIFICATION_REVOCATION, 2, T0);
    g_autoptr(OutboxItem) item = take(machine, &first, T0);
    assert_int_equal(taken(machine, &first_of_other, T0 + 60 * SECOND), 1);
    assert_true(outbox_delivered(machine->verifier.database, &first, item, NULL));
    assert_int_equal(taken(machine, &first, T0 + 61 * SECOND), 0);
    assert_int_equal(taken(machine, &first_of_other, T0 + 61 * SECOND), 2);
}

static void lease_and_wait_of_the_future_hold_up_nothing(void **state)
{
    Machine *machine = *state;
    add(machine, NOTIFICATION_REVOCATION, 1, T0);
    assert_int_equal(taken(machine, &first, T0), 1);
    assert_int_equal(taken(machine, &first_of_other, T0 - 2 * 86400 * SECOND), 1);
    OutboxFailure failure = {.due = T0 + 3600 * SECOND};
    fail_once(machine, &first_of_other, T0 - 2 * 86400 * SECOND, &failure);
    assert_int_equal(taken(machine, &first, T0 - 2 * 86400 * SECOND), 1);
}

/* --- failed tries -------------------------------------------------------------------------- */

static void wait_and_count_outlive_the_process(void **state)
{
    Machine *machine = *state;
    add(machine, NOTIFICATION_REVOCATION, 1, T0);
    OutboxFailure failure = {.due = T0 + 8 * SECOND};
    fail_once(machine, &first, T0, &failure);
    assert_int_equal(taken(machine, &first_of_other, T0 + 7 * SECOND), 0);
    g_autoptr(OutboxItem) item = take(machine, &first_of_other, T0 + 8 * SECOND);
    assert_int_equal(item->sequence, 1);
    assert_int_equal(item->failures, 1);
    assert_int_equal(taken(machine, &second, T0), 1); /* waits for nothing */
}

static void success_ends_the_count(void **state)
{
    Machine *machine = *state;
    add(machine, NOTIFICATION_REVOCATION, 2, T0);
    OutboxFailure failure = {.due = T0};
    fail_once(machine, &first, T0, &failure);
    fail_once(machine, &first, T0, &failure);
    deliver(machine, &first, T0, 1);
    g_autoptr(OutboxItem) item = take(machine, &first, T0);
    assert_int_equal(item->failures, 0);
}

static void order_is_kept_while_the_receiver_is_away(void **state)
{
    Machine *machine = *state;
    add(machine, NOTIFICATION_REVOCATION, 3, T0);
    OutboxFailure failure = {.due = T0};
    fail_once(machine, &first, T0, &failure);
    fail_once(machine, &first, T0, &failure);
    for (gint64 sequence = 1; sequence <= 3; sequence++)
        deliver(machine, &first, T0, sequence);
}

/* One that the receiver cannot digest does not keep the others from it. */
static void refused_one_lets_others_pass(void **state)
{
    Machine *machine = *state;
    add(machine, NOTIFICATION_REVOCATION, 3, T0);
    OutboxFailure failure = {.answered = true, .due = T0};
    fail_once(machine, &first, T0, &failure);
    assert_false(failure.given_up);
    deliver(machine, &first, T0, 2);
    deliver(machine, &first, T0, 3);
    deliver(machine, &first, T0, 1);
}

static void refused_one_is_given_up_after_max_attempts(void **state)
{
    Machine *machine = *state;
    add(machine, NOTIFICATION_REVOCATION, 1, T0);
    OutboxFailure failure = {.answered = true, .max_attempts = 2, .due = T0};
    fail_once(machine, &first, T0, &failure);
    assert_false(failure.given_up);
    fail_once(machine, &first, T0, &failure);
    assert_true(failure.given_up);
    assert_int_equal(taken(machine, &first, T0), 0);
    assert_int_equal(taken(machine, &second, T0), 1);
}

/* --- bounds -------------------------------------------------------------------------------- */

static GPtrArray *expire(Machine *machine, Timestamp now)
{
    GPtrArray *lost = NULL;
    g_autoptr(GError) error = NULL;
    if (!outbox_expire(machine->verifier.database, settings_of(machine), now, &lost, &error))
        fail_msg("%s", error->message);
    return lost;
}

static void age_ends_a_notification_with_a_line(void **state)
{
    Machine *machine = *state;
    add(machine, NOTIFICATION_REVOCATION, 1, T0);
    add(machine, NOTIFICATION_REVOCATION, 1, T0 + 10 * SECOND);
    deliver(machine, &second, T0, 1);
    g_autoptr(GPtrArray) none = expire(machine, T0 + 86400 * SECOND);
    assert_int_equal(none->len, 0);
    g_autoptr(GPtrArray) lost = expire(machine, T0 + 86401 * SECOND);
    assert_int_equal(lost->len, 1);
    assert_non_null(
        strstr(g_ptr_array_index(lost, 0), "Notification 1 (revocation, agent '" AGENT));
    assert_non_null(strstr(g_ptr_array_index(lost, 0), "a.example"));
    assert_int_equal(taken(machine, &first, T0 + 86401 * SECOND), 2);
}

static void outbox_is_bounded_and_says_what_is_lost(void **state)
{
    Machine *machine = *state;
    settings_of(machine)->outbox_max = 5;
    add(machine, NOTIFICATION_REVOCATION, 4, T0);
    add(machine, NOTIFICATION_REVOCATION, 3, T0);
    assert_int_equal(notifications(machine), 5);
    assert_int_equal(taken(machine, &first, T0), 3);
    /* More at once than there is room for: they are numbered all the same. */
    add(machine, NOTIFICATION_REVOCATION, 12, T0);
    assert_int_equal(notifications(machine), 5);
    assert_int_equal(taken(machine, &second, T0), 15);
    g_autoptr(GPtrArray) lost = expire(machine, T0);
    assert_int_equal(lost->len, 1);
    assert_true(g_str_has_prefix(g_ptr_array_index(lost, 0), "14 notifications are lost"));
    g_autoptr(GPtrArray) none = expire(machine, T0);
    assert_int_equal(none->len, 0);
}

/* --- in the transaction that makes it true ------------------------------------------------- */

static void assert_next(Machine *machine, const char *type)
{
    g_autoptr(OutboxItem) item = take(machine, &first, T0);
    if (!type) {
        assert_null(item);
        return;
    }
    assert_non_null(item);
    assert_string_equal(item->type, type);
    assert_true(outbox_delivered(machine->verifier.database, &first, item, NULL));
}

static void cycle(Machine *machine, gint64 index, bool spoil)
{
    StoredEvidence evidence = {index, PCR15, spoil, timestamp_now(), 1, timestamp_now() + SECOND};
    machine_store_evidence(machine, AGENT, &evidence);
    g_autoptr(AppraisalJob) job = machine_job(machine, AGENT, index);
    g_autoptr(AppraisalResult) result =
        appraisal_job_run(job, &machine->verifier.settings, machine->references, appraise);
    g_autoptr(GPtrArray) results = g_ptr_array_new();
    g_ptr_array_add(results, result);
    assert_true(
        appraisal_effects(machine->verifier.database, &machine->verifier.settings, results, NULL));
}

static void verdicts_are_told_when_the_status_changes(void **state)
{
    Machine *machine = *state;
    cycle(machine, 0, false);
    assert_next(machine, NULL);
    cycle(machine, 1, true);
    g_autoptr(OutboxItem) item = take(machine, &first, T0);
    assert_non_null(strstr(item->message, "\"event_id\": \"qoute_validation.quote_validation\""));
    assert_non_null(strstr(item->message, "\"context\": \"{"));
    assert_next(machine, "revocation");
    cycle(machine, 2, true); /* still FAIL */
    assert_next(machine, NULL);
    cycle(machine, 3, false); /* sticks */
    assert_next(machine, NULL);
    ManagementResult result;
    assert_true(management_reactivate(&machine->verifier, AGENT, &result, NULL));
    assert_next(machine, NULL);
    cycle(machine, 4, false);
    assert_next(machine, "recovered");
    cycle(machine, 5, false);
    assert_next(machine, NULL);
    machine->verifier.settings.auto_recover_attestation_failures = true;
    cycle(machine, 6, true);
    cycle(machine, 7, false);
    assert_next(machine, "revocation");
    assert_next(machine, "recovered");
}

static void sweep(Machine *machine, Timestamp now)
{
    LivenessSweep out;
    assert_true(
        liveness_sweep(machine->verifier.database, &machine->verifier.settings, now, &out, NULL));
}

static void fall_silent(Machine *machine)
{
    g_autofree char *sql =
        g_strdup_printf("UPDATE agents SET last_received_quote = %" G_GINT64_FORMAT
                        ", deadline = %" G_GINT64_FORMAT ", accept_attestations = 1",
                        T0, T0 + 10 * SECOND);
    machine_run(machine, sql);
    machine_run(machine, "DELETE FROM heartbeats");
    sweep(machine, T0 + 9 * SECOND);
    sweep(machine, T0 + 10 * SECOND);
}

static void silence_is_told_unless_the_agent_has_failed(void **state)
{
    Machine *machine = *state;
    fall_silent(machine);
    assert_next(machine, "comm_error");
    cycle(machine, 0, false);
    assert_next(machine, "recovered");
    cycle(machine, 1, true);
    assert_next(machine, "revocation");
    fall_silent(machine);
    assert_int_equal(machine_number(machine, "SELECT accept_attestations FROM agents"), 0);
    assert_next(machine, NULL); /* it stays FAIL */
}

static void deletion_is_told_with_what_was_enrolled(void **state)
{
    Machine *machine = *state;
    ManagementResult result;
    assert_true(management_delete(&machine->verifier, AGENT, &result, NULL));
    assert_int_equal(result, MANAGEMENT_DONE);
    g_autoptr(OutboxItem) item = take(machine, &first, T0);
    assert_string_equal(item->type, "deleted");
    assert_non_null(strstr(item->message, ZEROS));
    assert_true(management_delete(&machine->verifier, AGENT, &result, NULL));
    assert_int_equal(result, MANAGEMENT_NOT_FOUND);
    assert_int_equal(notifications(machine), 1);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, machine_teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_destination_has_its_own_progress),
        TEST(item_tells_what_is_known_of_the_agent),
        TEST(only_named_events_leave),
        TEST(nothing_is_written_when_nothing_leaves),
        TEST(one_process_delivers_at_a_time),
        TEST(lease_is_given_back),
        TEST(late_end_takes_no_lease_away),
        TEST(lease_and_wait_of_the_future_hold_up_nothing),
        TEST(wait_and_count_outlive_the_process),
        TEST(success_ends_the_count),
        TEST(order_is_kept_while_the_receiver_is_away),
        TEST(refused_one_lets_others_pass),
        TEST(refused_one_is_given_up_after_max_attempts),
        TEST(age_ends_a_notification_with_a_line),
        TEST(outbox_is_bounded_and_says_what_is_lost),
        TEST(verdicts_are_told_when_the_status_changes),
        TEST(silence_is_told_unless_the_agent_has_failed),
        TEST(deletion_is_told_with_what_was_enrolled),
    };
    engine_start(argc, argv);
    int failed = cmocka_run_group_tests_name("verifier outbox", tests, NULL, NULL);
    engine_stop();
    return failed;
}
