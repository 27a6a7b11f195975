/* SPDX-License-Identifier: Apache-2.0 */
/* Appraisal of quotes: order of the checks, events, and what is remembered. */
#include "evidence/appraisal.h"

#include "base/encoding.h"
#include "software_ak.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    SoftwareAk ak;
    SoftwareQuote quote;
    AppraisalState state;
    AppraisalInput input;
    TpmPolicy *policy;
} Fixture;

static int set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);
    fixture->ak = software_ak_new("ecc256", TPM_ALG_ECDSA, TPM_ALG_SHA256);
    software_quote_begin(&fixture->quote, TPM_ALG_SHA256, 0x8001);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    software_quote_clear(&fixture->quote);
    software_ak_clear(&fixture->ak);
    tpm_policy_unref(fixture->policy);
    g_free(fixture);
    return 0;
}

static Verdict *appraise_now(Fixture *fixture)
{
    software_quote_sign(&fixture->quote, &fixture->ak);
    fixture->input.quote = software_quote_input(&fixture->quote, &fixture->ak);
    fixture->input.tpm_policy = fixture->policy;
    return appraise(&fixture->input, &fixture->state, NULL);
}

static const char *event_at(const Verdict *verdict, size_t index)
{
    return json_member_text(json_object_array_get_idx(verdict->failures, index), "event_id");
}

static Json *context_at(const Verdict *verdict, size_t index)
{
    return json_member(json_object_array_get_idx(verdict->failures, index), "context");
}

/* A policy that allows bytes of `value` in one PCR. */
static TpmPolicy *policy_of(unsigned pcr, uint8_t value)
{
    uint8_t digest[32];
    memset(digest, value, sizeof digest);
    g_autofree char *hex = hex_encode(BYTES_OF_ARRAY(digest));
    g_autofree char *text = g_strdup_printf("{\"%u\": [\"%s\"]}", pcr, hex);
    return tpm_policy_parse(text, NULL);
}

static void test_pass(void **state)
{
    Fixture *fixture = *state;
    fixture->policy = policy_of(15, 16);
    software_quote_sign(&fixture->quote, &fixture->ak);
    fixture->input.quote = software_quote_input(&fixture->quote, &fixture->ak);
    fixture->input.tpm_policy = fixture->policy;
    g_autofree VerifiedQuote *quote = NULL;
    g_autoptr(Verdict) verdict = appraise(&fixture->input, &fixture->state, &quote);
    assert_int_equal(verdict->evaluation, EVALUATION_PASS);
    assert_int_equal(verdict->failure_count, 0);
    assert_int_equal(pcr_values_in_bank(&quote->pcrs, TPM_ALG_SHA256), 0x8001);
    assert_true(fixture->state.known);
    assert_int_equal(fixture->state.clock.clock, 1000);
    assert_int_equal(fixture->state.firmware_version, 7);
    assert_true(bytes_equal(bytes_of(fixture->state.ak_name, fixture->state.ak_name_size),
                            tpm_public_name(fixture->ak.public)));
}

static void test_without_policy(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(Verdict) verdict = appraise_now(fixture);
    assert_int_equal(verdict->evaluation, EVALUATION_PASS);
}

static void test_wrong_value(void **state)
{
    Fixture *fixture = *state;
    fixture->policy = policy_of(15, 99);
    g_autoptr(Verdict) verdict = appraise_now(fixture);
    assert_int_equal(verdict->evaluation, EVALUATION_FAIL);
    assert_string_equal(verdict_failure_reason(verdict), "policy_violation");
    assert_string_equal(event_at(verdict, 0), "pcr_validation.invalid_pcr_15");
    Json *context = context_at(verdict, 0);
    gint64 pcr;
    assert_true(json_member_int(context, "pcr", false, &pcr));
    assert_int_equal(pcr, 15);
    assert_string_equal(json_member_text(context, "bank"), "sha256");
    assert_int_equal(strncmp(json_member_text(context, "expected"), "6363", 4), 0);
    assert_int_equal(strncmp(json_member_text(context, "got"), "1010", 4), 0);
    g_autofree char *summary = verdict_summary(verdict);
    assert_true(g_str_has_prefix(summary, "PCR 15 (sha256): expected 6363"));
    assert_non_null(strstr(summary, ", got 1010"));
    /* The quote was authentic: the next one is compared with it. */
    assert_true(fixture->state.known);
}

static void test_value_of_another_bank_only(void **state)
{
    Fixture *fixture = *state;
    fixture->policy =
        tpm_policy_parse("{\"15\": [\"0000000000000000000000000000000000000000\"]}", NULL);
    g_autoptr(Verdict) verdict = appraise_now(fixture);
    assert_string_equal(event_at(verdict, 0), "pcr_validation.invalid_pcr_15");
    assert_string_equal(json_member_text(context_at(verdict, 0), "expected"), "");
}

static void test_missing_pcr(void **state)
{
    Fixture *fixture = *state;
    fixture->policy = policy_of(3, 4);
    g_autoptr(Verdict) verdict = appraise_now(fixture);
    assert_int_equal(verdict->failure_count, 1);
    assert_string_equal(event_at(verdict, 0), "pcr_validation.missing_pcrs");
    g_autofree char *data = json_to_text(json_member(context_at(verdict, 0), "data"));
    assert_string_equal(data, "[3]");
    assert_string_equal(verdict_failure_reason(verdict), "policy_violation");
}

static void test_broken_quote_ends_the_appraisal(void **state)
{
    Fixture *fixture = *state;
    fixture->policy = policy_of(15, 99);
    software_quote_sign(&fixture->quote, &fixture->ak);
    fixture->input.quote = software_quote_input(&fixture->quote, &fixture->ak);
    fixture->input.tpm_policy = fixture->policy;
    uint8_t other[16] = {0};
    fixture->input.quote.nonce = BYTES_OF_ARRAY(other);
    VerifiedQuote *quote = (VerifiedQuote *)fixture; /* must be replaced */
    g_autoptr(Verdict) verdict = appraise(&fixture->input, &fixture->state, &quote);
    assert_null(quote);
    assert_int_equal(verdict->failure_count, 1);
    assert_string_equal(event_at(verdict, 0), "qoute_validation.quote_validation");
    assert_string_equal(verdict_failure_reason(verdict), "broken_evidence_chain");
    assert_false(fixture->state.known);
}

static void test_clock_that_goes_back(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(Verdict) first = appraise_now(fixture);
    assert_int_equal(first->evaluation, EVALUATION_PASS);
    fixture->quote.clock.clock = 999;
    g_autoptr(Verdict) second = appraise_now(fixture);
    assert_string_equal(event_at(second, 0), "qoute_validation.quote_validation");
    assert_string_equal(verdict_failure_reason(second), "broken_evidence_chain");
    assert_int_equal(fixture->state.clock.clock, 1000);
    fixture->quote.clock.clock = 1001;
    g_autoptr(Verdict) third = appraise_now(fixture);
    assert_int_equal(third->evaluation, EVALUATION_PASS);
    assert_int_equal(fixture->state.clock.clock, 1001);
}

static void test_clock_of_another_key_does_not_count(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(Verdict) first = appraise_now(fixture);
    fixture->state.ak_name[5] ^= 1;
    fixture->quote.clock.clock = 1;
    fixture->quote.clock.reset_count = 0;
    g_autoptr(Verdict) second = appraise_now(fixture);
    assert_int_equal(first->evaluation, EVALUATION_PASS);
    assert_int_equal(second->evaluation, EVALUATION_PASS);
    assert_int_equal(fixture->state.clock.clock, 1);
}

static void test_unsafe_clock(void **state)
{
    Fixture *fixture = *state;
    fixture->quote.clock.safe = false;
    g_autoptr(Verdict) accepted = appraise_now(fixture);
    assert_int_equal(accepted->evaluation, EVALUATION_PASS);
    assert_int_equal(accepted->warnings->len, 1);
    fixture->quote.clock.clock++;
    fixture->input.require_safe_clock = true;
    g_autoptr(Verdict) refused = appraise_now(fixture);
    assert_string_equal(event_at(refused, 0), "qoute_validation.quote_validation");
    assert_int_equal(fixture->state.clock.clock, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pass, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_policy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_value, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_value_of_another_bank_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_missing_pcr, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_broken_quote_ends_the_appraisal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_clock_that_goes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_clock_of_another_key_does_not_count, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_unsafe_clock, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
