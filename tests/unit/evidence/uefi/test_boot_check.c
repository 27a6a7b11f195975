/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measured boot within the PCR check: which PCRs are compared, when the policy is evaluated, what
 * is remembered.
 */
#include "boot_story.h"

#include "base/encoding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Everything of one check, which a test changes before pcr_check(). */
typedef struct {
    Story *story;
    GByteArray *log;
    PcrValues *pcrs;
    TpmPolicy *tpm_policy;
    BootPolicy *policy;
    BootInput input;
    PcrCheck check;
    BootState state;
} Fixture;

/* The quote has these PCRs with the values that the log gives. */
static void quote(Fixture *fixture, uint32_t pcrs)
{
    UefiLogRules rules = UEFI_LOG_RULES_STRICT;
    UefiLog log;
    assert_true(uefi_log_parse(bytes_of_array(fixture->log), &rules, &log, NULL));
    g_autofree UefiReplay *replay = uefi_replay(&log);
    memset(fixture->pcrs, 0, sizeof *fixture->pcrs);
    pcr_selection_add(&fixture->pcrs->selection, TPM_ALG_SHA256, pcrs);
    for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++)
        if ((pcrs >> pcr & 1) != 0)
            pcr_values_set(fixture->pcrs, TPM_ALG_SHA256, pcr,
                           uefi_replay_pcr(replay, TPM_ALG_SHA256, pcr));
}

static void use_policy(Fixture *fixture, BootRules rules, const char *text)
{
    boot_policy_unref(fixture->policy);
    fixture->policy = boot_policy_new(rules, text);
    fixture->input.policy = fixture->policy;
}

static void use_log(Fixture *fixture)
{
    g_clear_pointer(&fixture->log, g_byte_array_unref);
    fixture->log = story_log(fixture->story);
    fixture->input.log = bytes_of_array(fixture->log);
}

static int set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);
    g_autoptr(Json) reference = story_reference();
    g_autofree char *text = json_to_text(reference);
    fixture->story = story_new();
    fixture->pcrs = g_new0(PcrValues, 1);
    use_log(fixture);
    quote(fixture, BOOT_PCRS);
    use_policy(fixture, BOOT_RULES_EXAMPLE, text);
    fixture->input.evaluate = BOOT_EVALUATE_ONCE;
    fixture->check = (PcrCheck){
        .pcrs = fixture->pcrs, .bank = TPM_ALG_SHA256, .reset_count = 7, .boot = &fixture->input};
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    boot_policy_unref(fixture->policy);
    tpm_policy_unref(fixture->tpm_policy);
    g_byte_array_unref(fixture->log);
    g_ptr_array_unref(fixture->story);
    g_free(fixture->pcrs);
    g_free(fixture);
    return 0;
}

/* Ids of the failures, joined by blanks, in their order. */
static char *run(Fixture *fixture)
{
    g_autoptr(Verdict) verdict = verdict_new();
    pcr_check(&fixture->check, &fixture->state, verdict);
    GString *ids = g_string_new(NULL);
    for (size_t i = 0; i < json_object_array_length(verdict->failures); i++) {
        Json *failure = json_object_array_get_idx(verdict->failures, i);
        g_string_append_printf(ids, "%s%s", ids->len > 0 ? " " : "",
                               json_member_text(failure, "event_id"));
    }
    return g_string_free(ids, FALSE);
}

static void assert_ids(Fixture *fixture, const char *expected)
{
    g_autofree char *ids = run(fixture);
    assert_string_equal(ids, expected);
}

static void change_pcr(Fixture *fixture, unsigned pcr)
{
    uint8_t value[32];
    memset(value, 0xee, sizeof value);
    assert_true(pcr_values_set(fixture->pcrs, TPM_ALG_SHA256, pcr, BYTES_OF_ARRAY(value)));
}

/* --- names -------------------------------------------------------------------------------------
 */

static void test_names(void **state)
{
    BootProfile profile;
    assert_true(boot_profile_from_name("strict", &profile));
    assert_int_equal(profile, BOOT_PROFILE_STRICT);
    assert_true(boot_profile_from_name("upstream", &profile));
    assert_int_equal(profile, BOOT_PROFILE_UPSTREAM);
    assert_false(boot_profile_from_name("lax", &profile));
    assert_int_equal(boot_evaluate_from_name("once"), BOOT_EVALUATE_ONCE);
    assert_int_equal(boot_evaluate_from_name("always"), BOOT_EVALUATE_ALWAYS);
    assert_int_equal(boot_evaluate_from_name("sometimes"), BOOT_EVALUATE_UNKNOWN);
    assert_int_equal(boot_evaluate_from_name(NULL), BOOT_EVALUATE_UNKNOWN);
}

/* --- comparison --------------------------------------------------------------------------------
 */

static void test_values_differ(void **state)
{
    change_pcr(*state, 4);
    change_pcr(*state, 14);
    change_pcr(*state, 15); /* not of the policy example */
    assert_ids(*state, "measured_boot.invalid_pcr_4 measured_boot.invalid_pcr_14");
    assert_false(((Fixture *)*state)->state.passed);
    use_policy(*state, BOOT_RULES_ACCEPT_ALL, "{\"any\": true}");
    assert_ids(*state, "measured_boot.invalid_pcr_4 measured_boot.invalid_pcr_14 "
                       "measured_boot.invalid_pcr_15");
}

static void test_without_log(void **state)
{
    Fixture *fixture = *state;
    quote(fixture, 1u << 4 | 1u << 7);
    fixture->input.log = BYTES_EMPTY;
    assert_ids(fixture, "pcr_validation.unused_pcr_4 pcr_validation.unused_pcr_7 "
                        "measured_boot.missing_pcrs");
    use_policy(fixture, BOOT_RULES_EXAMPLE, "{}");
    assert_ids(fixture, "");
    fixture->check.boot = NULL;
    assert_ids(fixture, "");
}

static void test_missing_pcrs(void **state)
{
    Fixture *fixture = *state;
    quote(fixture, BOOT_PCRS & ~(1u << 8));
    assert_ids(fixture, "measured_boot.missing_pcrs");
    use_policy(fixture, BOOT_RULES_ACCEPT_ALL, "{\"any\": true}");
    assert_ids(fixture, "measured_boot.missing_pcrs");
    fixture->input.profile = BOOT_PROFILE_UPSTREAM;
    assert_ids(fixture, "");
}

static void test_tpm_policy_beside(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *digest = story_digest("x");
    g_autofree char *text = g_strdup_printf("{\"7\": [\"%s\"], \"16\": [\"%s\"]}", digest, digest);
    fixture->tpm_policy = tpm_policy_parse(text, NULL);
    fixture->check.tpm_policy = fixture->tpm_policy;
    assert_ids(fixture, "pcr_validation.invalid_pcr_7 pcr_validation.missing_pcrs");
    /* Measured boot itself passed. */
    assert_true(fixture->state.passed);
}

static void test_chosen_pcrs(void **state)
{
    Fixture *fixture = *state;
    fixture->input.pcrs = 1u << 0 | 1u << 4;
    quote(fixture, 1u << 0 | 1u << 4);
    assert_ids(fixture, "measured_boot.missing_pcrs"); /* example keeps its own set */
    use_policy(fixture, BOOT_RULES_ACCEPT_ALL, "{\"any\": true}");
    assert_ids(fixture, "");
    change_pcr(fixture, 4);
    assert_ids(fixture, "measured_boot.invalid_pcr_4");
}

static void test_required_pcrs(void **state)
{
    assert_int_equal(boot_required_pcrs(BOOT_RULES_ACCEPT_ALL, 0), 0xfbff);
    assert_int_equal(boot_required_pcrs(BOOT_RULES_ACCEPT_ALL, 0x11), 0x11);
    assert_int_equal(boot_required_pcrs(BOOT_RULES_HARDWARE, 0x11), 0x11);
    assert_int_equal(boot_required_pcrs(BOOT_RULES_EXAMPLE, 0x11), 0xfbff);
}

/* --- log and policy ----------------------------------------------------------------------------
 */

static void test_log_that_does_not_parse(void **state)
{
    Fixture *fixture = *state;
    fixture->input.log.size--;
    change_pcr(fixture, 4);
    assert_ids(fixture, "measured_boot.parser.tpm2_eventlog.error");
    use_policy(fixture, BOOT_RULES_EXAMPLE, "{}");
    assert_ids(fixture, "measured_boot.parser.tpm2_eventlog.error");
    use_policy(fixture, BOOT_RULES_EXAMPLE, NULL);
    assert_ids(fixture, "measured_boot.parser.tpm2_eventlog.error");
}

static void test_limits(void **state)
{
    Fixture *fixture = *state;
    fixture->input.max_events = fixture->story->len;
    fixture->input.max_log_size = fixture->log->len;
    assert_ids(fixture, "");
    fixture->input.max_events--;
    assert_ids(fixture, "measured_boot.parser.limit");
    fixture->input.max_events++;
    fixture->input.max_log_size--;
    assert_ids(fixture, "measured_boot.parser.limit");
}

static void test_bank_that_the_log_lacks(void **state)
{
    Fixture *fixture = *state;
    memset(fixture->pcrs, 0, sizeof *fixture->pcrs);
    pcr_selection_add(&fixture->pcrs->selection, TPM_ALG_SHA384, BOOT_PCRS);
    fixture->check.bank = TPM_ALG_SHA384;
    assert_ids(fixture, "measured_boot.parser.invalid_pcrs_hashes");
}

static void test_broken_policies(void **state)
{
    Fixture *fixture = *state;
    change_pcr(fixture, 4);
    use_policy(fixture, BOOT_RULES_EXAMPLE, "{\"a\"");
    assert_ids(fixture, "pcr_validation.invalid_mb_policy");
    use_policy(fixture, BOOT_RULES_EXAMPLE, "null");
    assert_ids(fixture, "pcr_validation.invalid_mb_policy");
    use_policy(fixture, BOOT_RULES_EXAMPLE, "[1]");
    assert_ids(fixture, "measured_boot.invalid_pcr_4 measured_boot.policy_example");
    use_policy(fixture, BOOT_RULES_REJECT_ALL, "[1]");
    assert_ids(fixture, "measured_boot.invalid_pcr_4 measured_boot.policy_reject-all");
}

/* --- when it is evaluated (decision D57) -------------------------------------------------------
 */

static void test_once_is_for_this_boot(void **state)
{
    Fixture *fixture = *state;
    assert_ids(fixture, "");
    assert_true(fixture->state.passed);
    const BootState passed = fixture->state;

    /* What passed is known by everything that its verdict followed from. */
    fixture->check.reset_count = 8;
    assert_ids(fixture, "");
    assert_memory_not_equal(fixture->state.fingerprint, passed.fingerprint, 32);
    fixture->check.reset_count = 7;
    assert_ids(fixture, "");
    assert_memory_equal(fixture->state.fingerprint, passed.fingerprint, 32);
    fixture->input.profile = BOOT_PROFILE_UPSTREAM;
    assert_ids(fixture, "");
    assert_memory_not_equal(fixture->state.fingerprint, passed.fingerprint, 32);
    fixture->input.profile = BOOT_PROFILE_STRICT;
    g_autofree char *text = g_strconcat(boot_policy_text(fixture->policy), " ", NULL);
    use_policy(fixture, BOOT_RULES_EXAMPLE, text);
    assert_ids(fixture, "");
    assert_memory_not_equal(fixture->state.fingerprint, passed.fingerprint, 32);
}

static void test_another_policy_is_evaluated(void **state)
{
    Fixture *fixture = *state;
    assert_ids(fixture, "");
    g_autofree char *text = g_strdup(boot_policy_text(fixture->policy));
    use_policy(fixture, BOOT_RULES_REJECT_ALL, text);
    assert_ids(fixture, "measured_boot.policy_reject-all");
    assert_true(fixture->state.passed);
}

static void test_another_log_is_evaluated(void **state)
{
    Fixture *fixture = *state;
    assert_ids(fixture, "");
    const BootState passed = fixture->state;
    story_measure(fixture->story, "kernel", "another kernel");
    use_log(fixture);
    quote(fixture, BOOT_PCRS);
    assert_ids(fixture, "measured_boot.policy_example");
    assert_ids(fixture, "measured_boot.policy_example");
    assert_memory_equal(&fixture->state, &passed, sizeof passed);
}

static void test_once_and_always(void **state)
{
    Fixture *fixture = *state;
    use_policy(fixture, BOOT_RULES_REJECT_ALL, "{\"any\": true}");
    fixture->state.passed = true;
    assert_true(boot_fingerprint(&fixture->input, fixture->check.bank, fixture->check.reset_count,
                                 fixture->state.fingerprint));
    assert_ids(fixture, "");
    fixture->input.evaluate = BOOT_EVALUATE_ALWAYS;
    assert_ids(fixture, "measured_boot.policy_reject-all");
    fixture->input.evaluate = BOOT_EVALUATE_ONCE;
    fixture->state.passed = false;
    assert_ids(fixture, "measured_boot.policy_reject-all");
}

static void test_comparison_is_made_each_time(void **state)
{
    Fixture *fixture = *state;
    assert_ids(fixture, "");
    change_pcr(fixture, 4);
    assert_ids(fixture, "measured_boot.invalid_pcr_4");
}

static void test_a_failed_comparison_is_not_remembered(void **state)
{
    Fixture *fixture = *state;
    change_pcr(fixture, 4);
    assert_ids(fixture, "measured_boot.invalid_pcr_4");
    assert_false(fixture->state.passed);
}

static void test_unknown_mode(void **state)
{
    Fixture *fixture = *state;
    fixture->input.evaluate = BOOT_EVALUATE_UNKNOWN;
    assert_ids(fixture, "pcr_validation.invalid_measured_boot_evaluate");
    use_policy(fixture, BOOT_RULES_EXAMPLE, "{}");
    assert_ids(fixture, "");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_names),
        TEST(test_values_differ),
        TEST(test_without_log),
        TEST(test_missing_pcrs),
        TEST(test_tpm_policy_beside),
        TEST(test_chosen_pcrs),
        TEST(test_required_pcrs),
        TEST(test_log_that_does_not_parse),
        TEST(test_limits),
        TEST(test_bank_that_the_log_lacks),
        TEST(test_broken_policies),
        TEST(test_once_is_for_this_boot),
        TEST(test_another_policy_is_evaluated),
        TEST(test_another_log_is_evaluated),
        TEST(test_once_and_always),
        TEST(test_comparison_is_made_each_time),
        TEST(test_a_failed_comparison_is_not_remembered),
        TEST(test_unknown_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
