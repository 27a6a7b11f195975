/* SPDX-License-Identifier: Apache-2.0 */
/* Lists in push mode: offsets, counts, reboots, policies that change. */
#include "evidence/ima/push.h"

#include "made_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define BOOT 1735689600

typedef struct {
    MadeList *list;
    RuntimePolicy *policy;
    ImaPushState *state;
    ImaRound round;
} World;

/* A machine with two entries, of which nothing is known. */
static World new_world(void)
{
    World world = {.list = made_list_new(),
                   .state = ima_push_state_new(),
                   .round = {.boot_time = BOOT, .reset_count = 7, .policy_checksum = "one"}};
    g_autofree char *digests = g_strdup_printf("\"/bin/a\":[\"%s\"]", made_digest(1));
    world.policy = made_policy(digests, "", "", "");
    made_list_add_file(world.list, "boot_aggregate", 0xba);
    made_list_add_file(world.list, "/bin/a", 1);
    return world;
}

static void world_clear(World *world)
{
    made_list_free(world->list);
    runtime_policy_unref(world->policy);
    ima_push_state_free(world->state);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(World, world_clear)

/* Appraises the lines from the round's offset on, then stores and reads the state. */
static ImaRoundResult appraise(World *world, const char *events)
{
    ImaInput input = made_list_input(world->list, world->policy);
    for (guint64 i = 0; i < world->round.offset; i++) {
        size_t line = strcspn((const char *)input.list.data, "\n") + 1;
        input.list = bytes_of(input.list.data + line, input.list.size - line);
    }
    g_autoptr(Verdict) verdict = verdict_new();
    ImaRoundResult result = ima_push_appraise(&input, &world->round, world->state, verdict);
    g_autofree char *got = events_of(verdict);
    assert_string_equal(got, events);
    g_autofree char *text = ima_push_state_to_text(world->state);
    ima_push_state_free(world->state);
    world->state = ima_push_state_from_text(bytes_of_text(text), NULL);
    assert_non_null(world->state);
    return result;
}

static guint64 offset_for(const World *world, gint64 boot_time, const char *checksum)
{
    ImaNegotiation negotiation = {.boot_time = boot_time,
                                  .entry_count = 100,
                                  .bank = TPM_ALG_SHA256,
                                  .policy_checksum = checksum};
    guint64 offset = 99;
    assert_int_equal(ima_push_offset(world->state, &negotiation, &ima_push_rules_default, &offset),
                     IMA_OFFSET_CHOSEN);
    return offset;
}

static void test_offset_follows_the_certified_entries(void **state)
{
    g_auto(World) world = new_world();
    assert_int_equal(offset_for(&world, BOOT, "one"), 0);
    ImaRoundResult result = appraise(&world, "");
    assert_int_equal(result.certified, 2);
    assert_int_equal(result.received, 2);
    assert_int_equal(offset_for(&world, BOOT, "one"), 2);
    /* A clock that steps by up to two seconds is no reboot; more is, either way. */
    assert_int_equal(offset_for(&world, BOOT + 2, "one"), 2);
    assert_int_equal(offset_for(&world, BOOT - 2, "one"), 2);
    assert_int_equal(offset_for(&world, BOOT + 3, "one"), 0);
    assert_int_equal(offset_for(&world, BOOT - 3, "one"), 0);
    assert_int_equal(offset_for(&world, G_MININT64, "one"), 0);
    assert_int_equal(offset_for(&world, G_MAXINT64, "one"), 0);
    /* Another policy judges everything again. */
    assert_int_equal(offset_for(&world, BOOT, "two"), 0);
}

static void test_offset_of_another_bank(void **state)
{
    g_auto(World) world = new_world();
    appraise(&world, "");
    ImaNegotiation negotiation = {
        .boot_time = BOOT, .entry_count = 2, .bank = TPM_ALG_SHA384, .policy_checksum = "one"};
    guint64 offset;
    assert_int_equal(ima_push_offset(world.state, &negotiation, &ima_push_rules_default, &offset),
                     IMA_OFFSET_CHOSEN);
    assert_int_equal(offset, 0);
}

static void test_refused_counts(void **state)
{
    g_auto(World) world = new_world();
    appraise(&world, "");
    ImaNegotiation negotiation = {
        .boot_time = BOOT, .bank = TPM_ALG_SHA256, .policy_checksum = "one"};
    guint64 offset;
    assert_int_equal(ima_push_offset(world.state, &negotiation, &ima_push_rules_default, &offset),
                     IMA_OFFSET_NO_ENTRIES);
    negotiation.entry_count = 1;
    assert_int_equal(ima_push_offset(world.state, &negotiation, &ima_push_rules_default, &offset),
                     IMA_OFFSET_BEYOND_LIST);
    g_autofree char *text = ima_offset_result_text(IMA_OFFSET_BEYOND_LIST, offset);
    assert_string_equal(text,
                        "must be greater than or equal to the calculated starting offset of '2'");
    assert_int_equal(ima_push_offset(NULL, &negotiation, &ima_push_rules_default, &offset),
                     IMA_OFFSET_CHOSEN);
}

static void test_entries_are_counted(void **state)
{
    ImaEntriesCheck check = {.offset = 3, .entry_count = 5, .entries = bytes_of_text("a\nb\n")};
    assert_int_equal(ima_push_check_entries(&check), IMA_ENTRIES_FIT);
    check.entries = bytes_of_text("a\nb");
    assert_int_equal(ima_push_check_entries(&check), IMA_ENTRIES_TOO_FEW);
    g_autofree char *text = ima_entries_result_text(IMA_ENTRIES_TOO_FEW, &check);
    assert_string_equal(text, "must contain at least 2 entries based on the total reported log "
                              "length and chosen starting offset");
    check.entries = bytes_of_text("a\nb\nc\n");
    assert_int_equal(ima_push_check_entries(&check), IMA_ENTRIES_FIT);
    check.requested = 2;
    assert_int_equal(ima_push_check_entries(&check), IMA_ENTRIES_TOO_MANY);
    check.requested = 0;
    check.has_raw = true;
    assert_int_equal(ima_push_check_entries(&check), IMA_ENTRIES_RAW_DIFFER);
    check.raw = bytes_of_text("\xff\n\xfe\nc\n");
    assert_int_equal(ima_push_check_entries(&check), IMA_ENTRIES_FIT);
    check.offset = 9;
    check.has_raw = false;
    check.entries = BYTES_EMPTY;
    assert_int_equal(ima_push_check_entries(&check), IMA_ENTRIES_FIT);
}

static void test_failure_changes_nothing(void **state)
{
    g_auto(World) world = new_world();
    appraise(&world, "");
    made_list_add_file(world.list, "/bin/unknown", 1);
    world.round.offset = 2;
    ImaRoundResult result = appraise(&world, "ima.validation.ima-ng.not_in_allowlist");
    assert_int_equal(result.certified, 0);
    assert_false(result.forgiven);
    assert_int_equal(offset_for(&world, BOOT, "one"), 2);
}

static void test_reboot_that_the_boot_time_tells(void **state)
{
    g_auto(World) world = new_world();
    appraise(&world, "");
    made_list_free(world.list);
    world.list = made_list_new();
    made_list_add_file(world.list, "boot_aggregate", 0xba);
    world.round = (ImaRound){.boot_time = BOOT + 600, .reset_count = 8, .policy_checksum = "one"};
    ImaRoundResult result = appraise(&world, "");
    assert_int_equal(result.certified, 1);
    assert_int_equal(offset_for(&world, BOOT + 600, "one"), 1);
}

/* The TPM says that the machine was started anew, the boot time did not. */
static void test_reboot_that_only_the_tpm_tells(void **state)
{
    g_auto(World) world = new_world();
    appraise(&world, "");
    made_list_add_file(world.list, "/bin/a", 1);
    world.round.offset = 2;
    world.round.reset_count = 8;
    ImaRoundResult first = appraise(&world, "ima.log_restart_required");
    assert_true(first.forgiven);
    assert_int_equal(offset_for(&world, BOOT, "one"), 0);
    /* Forgiven once in this boot; again in the next. */
    ImaRoundResult second = appraise(&world, "ima.log_restart_required");
    assert_false(second.forgiven);
    world.round.reset_count = 9;
    ImaRoundResult third = appraise(&world, "ima.log_restart_required");
    assert_true(third.forgiven);
    world.round.offset = 0;
    ImaRoundResult whole = appraise(&world, "");
    assert_int_equal(whole.certified, 3);
    assert_int_equal(offset_for(&world, BOOT, "one"), 3);
}

/* An agent whose offset lies beyond its new list sends all of it. */
static void test_whole_list_where_its_end_was_asked_for(void **state)
{
    g_auto(World) world = new_world();
    appraise(&world, "");
    ImaInput input = made_list_input(world.list, world.policy);
    ImaRound round = {.offset = 2, .boot_time = BOOT, .reset_count = 8, .policy_checksum = "one"};
    g_autoptr(Verdict) verdict = verdict_new();
    ImaRoundResult result = ima_push_appraise(&input, &round, world.state, verdict);
    assert_int_equal(verdict->evaluation, EVALUATION_PASS);
    assert_int_equal(result.certified, 2);
    assert_int_equal(world.state->reset_count, 8);
    /* It reached the quote, so what it says counts. */
    made_list_add_file(world.list, "/bin/unknown", 1);
    input = made_list_input(world.list, world.policy);
    round.reset_count = 9;
    g_autoptr(Verdict) second = verdict_new();
    result = ima_push_appraise(&input, &round, world.state, second);
    g_autofree char *events = events_of(second);
    assert_string_equal(events, "ima.validation.ima-ng.not_in_allowlist");
    assert_false(result.forgiven);
}

/* The policy changed between negotiation and appraisal: what it did not judge is asked for again.
 */
static void test_policy_that_changes_under_way(void **state)
{
    g_auto(World) world = new_world();
    appraise(&world, "");
    made_list_add_file(world.list, "/bin/a", 1);
    world.round.offset = 2;
    world.round.policy_checksum = "two";
    appraise(&world, "");
    assert_int_equal(offset_for(&world, BOOT, "two"), 0);
    world.round.offset = 0;
    appraise(&world, "");
    assert_int_equal(offset_for(&world, BOOT, "two"), 3);
}

/* The other policy judged the end of the list, this one the rest: neither judged all of it. */
static void test_policy_that_changes_under_way_and_back(void **state)
{
    g_auto(World) world = new_world();
    appraise(&world, "");
    made_list_add_file(world.list, "/bin/a", 1);
    world.round.offset = 2;
    world.round.policy_checksum = "two";
    appraise(&world, "");
    assert_int_equal(offset_for(&world, BOOT, "one"), 0);
    /* A further round of "one" alone does not heal it. */
    world.round.offset = 3;
    world.round.policy_checksum = "one";
    appraise(&world, "");
    assert_int_equal(offset_for(&world, BOOT, "one"), 0);
}

static void test_state_text_is_strict(void **state)
{
    static const char *const refused[] = {
        "",
        "{}",
        "{\"version\":2}",
        "{\"version\":1,\"list\":{}}",
        "{\"version\":1,\"restart_boot\":-1}",
        "{\"version\":1,\"restart_boot\":\"7\"}",
        "{\"version\":1,\"list\":{},\"boot_time\":1,\"reset_count\":4294967296}"};
    for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autoptr(GError) error = NULL;
        assert_null(ima_push_state_from_text(bytes_of_text(refused[i]), &error));
        assert_non_null(error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offset_follows_the_certified_entries),
        cmocka_unit_test(test_offset_of_another_bank),
        cmocka_unit_test(test_refused_counts),
        cmocka_unit_test(test_entries_are_counted),
        cmocka_unit_test(test_failure_changes_nothing),
        cmocka_unit_test(test_reboot_that_the_boot_time_tells),
        cmocka_unit_test(test_reboot_that_only_the_tpm_tells),
        cmocka_unit_test(test_whole_list_where_its_end_was_asked_for),
        cmocka_unit_test(test_policy_that_changes_under_way),
        cmocka_unit_test(test_policy_that_changes_under_way_and_back),
        cmocka_unit_test(test_state_text_is_strict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
