/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts: words, reasons, limits. */
#include "evidence/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_words(void **state)
{
    assert_string_equal(evaluation_text(EVALUATION_PENDING), "pending");
    assert_string_equal(evaluation_text(EVALUATION_PASS), "pass");
    assert_string_equal(evaluation_text(EVALUATION_FAIL), "fail");
}

static void test_new_verdict_passes(void **state)
{
    g_autoptr(Verdict) verdict = verdict_new();
    g_autofree char *summary = verdict_summary(verdict);
    assert_int_equal(verdict->evaluation, EVALUATION_PASS);
    assert_null(verdict_failure_reason(verdict));
    assert_string_equal(summary, "");
    verdict_warn(verdict, "clock %d", 1);
    assert_int_equal(verdict->evaluation, EVALUATION_PASS);
    assert_string_equal(g_ptr_array_index(verdict->warnings, 0), "clock 1");
}

static void test_reasons(void **state)
{
    static const struct {
        const char *event, *reason;
    } cases[] = {
        {"qoute_validation.quote_validation", "broken_evidence_chain"},
        {"measured_boot.invalid_pcr_4", "broken_evidence_chain"},
        {"ima.pcr_mismatch", "broken_evidence_chain"},
        {"ima.log_restart_required", "broken_evidence_chain"},
        {"pcr_validation.invalid_pcr_15", "policy_violation"},
        {"ima.validation.ima_hash", "policy_violation"},
        {"ima.pcr_mismatch_other", "policy_violation"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Verdict) verdict = verdict_new();
        verdict_fail_message(verdict, cases[i].event, "because of %s", "this");
        assert_int_equal(verdict->evaluation, EVALUATION_FAIL);
        assert_string_equal(verdict_failure_reason(verdict), cases[i].reason);
        g_autofree char *text = json_to_text(verdict->failures);
        g_autofree char *expected =
            g_strdup_printf("[{\"event_id\":\"%s\",\"context\":{\"message\":\"because of this\"}}]",
                            cases[i].event);
        assert_string_equal(text, expected);
    }
}

static void test_one_break_among_violations(void **state)
{
    g_autoptr(Verdict) verdict = verdict_new();
    verdict_fail_message(verdict, "ima.validation.ima_hash", "a");
    verdict_fail_message(verdict, "ima.pcr_mismatch", "b");
    verdict_fail_message(verdict, "ima.validation.ima_hash", "c");
    verdict_fail(verdict, "no.message", json_object_new_object());
    g_autofree char *summary = verdict_summary(verdict);
    assert_string_equal(verdict_failure_reason(verdict), "broken_evidence_chain");
    assert_string_equal(summary, "a; b; c; and 1 more");
}

static void test_limit(void **state)
{
    g_autoptr(Verdict) verdict = verdict_new();
    for (unsigned i = 0; i < VERDICT_MAX_FAILURES + 5; i++)
        verdict_fail_message(verdict, "ima.validation.ima_hash", "entry %u", i);
    assert_int_equal(verdict->failure_count, VERDICT_MAX_FAILURES + 5);
    assert_int_equal(json_object_array_length(verdict->failures), VERDICT_MAX_FAILURES);
    /* What breaks the evidence is kept instead of the last one. */
    assert_string_equal(verdict_failure_reason(verdict), "policy_violation");
    assert_false(verdict_keeps_more(verdict));
    verdict_fail_message(verdict, "ima.pcr_mismatch", "last");
    assert_string_equal(verdict_failure_reason(verdict), "broken_evidence_chain");
    Json *last = json_object_array_get_idx(verdict->failures, VERDICT_MAX_FAILURES - 1);
    assert_string_equal(json_member_text(last, "event_id"), "ima.pcr_mismatch");
    assert_int_equal(json_object_array_length(verdict->failures), VERDICT_MAX_FAILURES);
}

static void test_add(void **state)
{
    g_autoptr(Verdict) verdict = verdict_new();
    g_autoptr(Verdict) other = verdict_new();
    verdict_add(verdict, other);
    assert_int_equal(verdict->evaluation, EVALUATION_PASS);
    verdict_fail_message(verdict, "a", "mine");
    for (unsigned i = 0; i < VERDICT_MAX_FAILURES + 3; i++)
        verdict_fail_message(other, "b", "other");
    verdict_fail_message(other, "ima.pcr_mismatch", "break");
    verdict_warn(other, "50 %%");
    verdict_add(verdict, other);
    assert_int_equal(verdict->evaluation, EVALUATION_FAIL);
    assert_int_equal(verdict->failure_count, VERDICT_MAX_FAILURES + 5);
    assert_string_equal(verdict_failure_reason(verdict), "broken_evidence_chain");
    assert_string_equal(g_ptr_array_index(verdict->warnings, 0), "50 %");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),   cmocka_unit_test(test_new_verdict_passes),
        cmocka_unit_test(test_reasons), cmocka_unit_test(test_one_break_among_violations),
        cmocka_unit_test(test_limit),   cmocka_unit_test(test_add),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
