/* SPDX-License-Identifier: Apache-2.0 */
/* Stored policies, the choice of an enrolment, and how bad failures are (tenant-and-management-api
 * §4.3, §6, §7; ima §11; decisions D50, D61, D74, D83). */
#include "machine.h"

#include "base/encoding.h"
#include "verifier/appraisal/failure_severity.h"
#include "verifier/policies/policy_choice.h"
#include "verifier/policies/policy_store.h"
#include "verifier/policies/posted_policy.h"

#include <string.h>

#define EMPTY                                                                                      \
    "{\"meta\": {\"version\": 1, \"generator\": 1}, \"release\": 0, \"digests\": {},"              \
    " \"excludes\": [%s], \"keyrings\": {}, \"ima\": {\"ignored_keyrings\": [], \"log_hash_alg\":" \
    " \"sha1\", \"dm_policy\": null}, \"ima-buf\": {}, \"verification-keys\": \"\"}"

/* --- posted policies ------------------------------------------------------------------------- */

static Json *runtime_members(const char *policy)
{
    Json *members = json_object_new_object();
    json_add_base64(members, "runtime_policy", bytes_of_text(policy));
    return members;
}

static void a_posted_policy_says_whether_it_wants_a_log(void **state)
{
    g_autoptr(PolicyRules) rules = policy_rules_new(BOOT_RULES_ACCEPT_ALL, false);
    static const char *const excludes[] = {"", "\"/tmp/.*\""};
    for (unsigned i = 0; i < G_N_ELEMENTS(excludes); i++) {
        g_autofree char *text = g_strdup_printf(EMPTY, excludes[i]);
        g_autoptr(Json) members = runtime_members(text);
        g_autoptr(PolicyRecord) record = NULL;
        assert_true(posted_policy_runtime(rules, members, "n", &record, NULL));
        assert_string_equal(record->text, text);
        assert_int_equal(record->wants_log, i == 1);
        assert_int_equal(record->generator, 1);
        assert_int_equal(strlen(record->checksum), 64);
    }
}

static void nothing_posted_is_no_policy(void **state)
{
    g_autoptr(PolicyRules) rules = policy_rules_new(BOOT_RULES_ACCEPT_ALL, true);
    static const char *const texts[] = {"{}", "{\"runtime_policy\": \"\", \"mb_policy\": \"\"}",
                                        "{\"runtime_policy\": null, \"mb_policy\": null}",
                                        "{\"mb_policy\": \" null \"}"};
    for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(Json) members = json_parse(bytes_of_text(texts[i]), NULL);
        g_autoptr(PolicyRecord) record = NULL;
        assert_true(posted_policy_runtime(rules, members, "n", &record, NULL));
        assert_null(record);
        assert_true(posted_policy_boot(rules, members, "n", &record, NULL));
        assert_null(record);
    }
}

static void a_policy_must_be_signed_where_signatures_are_required(void **state)
{
    g_autoptr(PolicyRules) rules = policy_rules_new(BOOT_RULES_ACCEPT_ALL, true);
    g_autofree char *text = g_strdup_printf(EMPTY, "");
    g_autoptr(Json) members = runtime_members(text);
    g_autoptr(PolicyRecord) record = NULL;
    g_autoptr(GError) error = NULL;
    assert_false(posted_policy_runtime(rules, members, "n", &record, &error));
    assert_int_equal(error->code, 401);
}

/* --- choices --------------------------------------------------------------------------------- */

typedef struct {
    const char *name; /* NULL = none */
    const char *text; /* NULL = none posted */
    AgentRecord *record;
    GError *refused;
} Choice;

static bool choose_work(Connection *connection, gpointer data, GError **error)
{
    Choice *choice = data;
    const char *stored = choice->name ? choice->name : choice->record->agent_id;
    g_auto(PolicyChoices) choices = {
        .boot = {.given = true, .name = g_strdup(choice->name)},
    };
    if (choice->text)
        choices.boot.posted =
            policy_record_new(POLICY_MEASURED_BOOT, stored, g_strdup(choice->text));
    bool found;
    return policy_choices_apply(connection, &choices, choice->record, &choice->refused, error) &&
           (choice->refused || agent_record_replace(connection, choice->record, &found, error)) &&
           policy_choices_drop_own(connection, choice->record->agent_id, error);
}

/* 0, or the status of the refusal. */
static int choose(Machine *machine, const char *agent_id, const char *name, const char *text)
{
    g_autoptr(AgentRecord) record = machine_agent(machine, agent_id);
    Choice choice = {.name = name, .text = text, .record = record};
    g_autoptr(GError) error = NULL;
    if (!database_write(machine->verifier.database, choose_work, &choice, &error))
        fail_msg("%s", error->message);
    int code = choice.refused ? choice.refused->code : 0;
    g_clear_error(&choice.refused);
    return code;
}

static char *policy_name(Machine *machine, const char *agent_id)
{
    g_autoptr(AgentRecord) record = machine_agent(machine, agent_id);
    return g_strdup(record->boot.name);
}

static void the_four_choices(void **state)
{
    Machine *machine = *state;
    machine_enrol(machine, AGENT, "{}", timestamp_now());
    machine_enrol(machine, "other", "{}", timestamp_now());
    assert_int_equal(choose(machine, AGENT, "fleet", NULL), 404);
    assert_int_equal(choose(machine, AGENT, "fleet", "{}"), 0);
    assert_int_equal(choose(machine, "other", "fleet", "{}"), 409);
    assert_int_equal(choose(machine, "other", "fleet", NULL), 0);
    g_autofree char *named = policy_name(machine, "other");
    assert_string_equal(named, "fleet");
    /* Its own policy, under its id; over what it had there. */
    assert_int_equal(choose(machine, "other", NULL, "{\"a\": 1}"), 0);
    assert_int_equal(choose(machine, "other", NULL, "{\"b\": 2}"), 0);
    g_autofree char *own = policy_name(machine, "other");
    assert_string_equal(own, "other");
    /* Not over one that others use. */
    assert_int_equal(choose(machine, AGENT, "other", NULL), 0);
    assert_int_equal(choose(machine, "other", NULL, "{\"c\": 3}"), 409);
    /* None at all; what nobody names any more goes with it. */
    assert_int_equal(choose(machine, AGENT, NULL, NULL), 0);
    assert_int_equal(choose(machine, "other", NULL, NULL), 0);
    assert_null(policy_name(machine, "other"));
    assert_int_equal(machine_number(machine, "SELECT COUNT(*) FROM policies"), 1);
    assert_int_equal(machine_number(machine, "SELECT COUNT(*) FROM policy_texts"), 1);
}

static void a_policy_in_use_stays_and_users_are_told(void **state)
{
    Machine *machine = *state;
    Database *database = machine->verifier.database;
    for (unsigned i = 0; i < POLICY_USERS_SHOWN + 1; i++) {
        g_autofree char *id = g_strdup_printf("agent-%02u", i);
        machine_enrol(machine, id, "{}", timestamp_now());
        assert_int_equal(choose(machine, id, "fleet", i == 0 ? "{}" : NULL), 0);
    }
    PolicyResult result;
    g_autofree char *users = NULL;
    assert_true(
        policy_store_delete(database, POLICY_MEASURED_BOOT, "fleet", &result, &users, NULL));
    assert_int_equal(result, POLICY_IN_USE);
    assert_true(g_str_has_prefix(users, "agents agent-00, agent-01"));
    assert_true(g_str_has_suffix(users, "agent-09 and others"));
    machine_run(machine, "DELETE FROM agents WHERE agent_id <> 'agent-05'");
    g_clear_pointer(&users, g_free);
    assert_true(
        policy_store_delete(database, POLICY_MEASURED_BOOT, "fleet", &result, &users, NULL));
    assert_string_equal(users, "agent agent-05");
    machine_run(machine, "DELETE FROM agents");
    g_clear_pointer(&users, g_free);
    assert_true(
        policy_store_delete(database, POLICY_MEASURED_BOOT, "fleet", &result, &users, NULL));
    assert_int_equal(result, POLICY_DONE);
    assert_true(
        policy_store_delete(database, POLICY_MEASURED_BOOT, "fleet", &result, &users, NULL));
    assert_int_equal(result, POLICY_NOT_FOUND);
}

/* --- severities ------------------------------------------------------------------------------ */

static void the_worst_failure_counts(void **state)
{
    static const char *const labels[] = {"info", "warning", "emergency", NULL};
    g_autoptr(Json) rules =
        json_parse(bytes_of_text("[{\"event_id\": \"ima\\\\..*\", \"severity_label\": \"info\"},"
                                 " {\"event_id\": \"pcr_.*\", \"severity_label\": \"warning\"},"
                                 " {\"event_id\": \".*\", \"severity_label\": \"info\"}]"),
                   NULL);
    g_autoptr(SeverityPolicy) policy = severity_policy_new(labels, rules, NULL);
    assert_non_null(policy);
    g_autoptr(Json) failures =
        json_parse(bytes_of_text("[{\"event_id\": \"ima.pcr_mismatch\"},"
                                 " {\"event_id\": \"pcr_validation.invalid_pcr_3\"},"
                                 " {\"event_id\": \"pcr_validation.missing_pcrs\"}]"),
                   NULL);
    Severity worst = failure_severity_judge(policy, failures);
    assert_int_equal(worst.level, 1);
    assert_string_equal(worst.event_id, "pcr_validation.invalid_pcr_3");
    Json *first = json_object_array_get_idx(failures, 0);
    assert_string_equal(json_member_text(first, "severity_label"), "info");

    g_autoptr(Json) quote =
        json_parse(bytes_of_text("[{\"event_id\": \"qoute_validation.quote_validation\"}]"), NULL);
    assert_int_equal(failure_severity_judge(policy, quote).level, 2);
    g_autoptr(Json) none = json_object_new_array();
    assert_int_equal(failure_severity_judge(policy, none).level, -1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_posted_policy_says_whether_it_wants_a_log),
        cmocka_unit_test(nothing_posted_is_no_policy),
        cmocka_unit_test(a_policy_must_be_signed_where_signatures_are_required),
        cmocka_unit_test_setup_teardown(the_four_choices, machine_setup, machine_teardown),
        cmocka_unit_test_setup_teardown(a_policy_in_use_stays_and_users_are_told, machine_setup,
                                        machine_teardown),
        cmocka_unit_test(the_worst_failure_counts),
    };
    engine_start(argc, argv);
    int failed = cmocka_run_group_tests_name("verifier policies", tests, NULL, NULL);
    engine_stop();
    return failed;
}
