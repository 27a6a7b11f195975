/* SPDX-License-Identifier: Apache-2.0 */
/* Quotes as one text, and their nonces (tenant-and-management-api §8.2). */
#include "verifier/verify/compound_quote.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/encoding.h"
#include "tpm/attest.h"

/* A TPMS_ATTEST of a quote of nothing over `nonce`. */
static GBytes *message_over(Bytes nonce)
{
    static const uint8_t clock_and_firmware[17 + 8] = {0};
    GByteArray *message = g_byte_array_new();
    append_u32_be(message, TPM_ATTEST_MAGIC);
    append_u16_be(message, TPM_ATTEST_QUOTE);
    append_tpm2b(message, BYTES_EMPTY);
    append_tpm2b(message, nonce);
    bytes_append(message, BYTES_OF_ARRAY(clock_and_firmware));
    append_u32_be(message, 0);
    append_tpm2b(message, BYTES_EMPTY);
    return g_byte_array_free_to_bytes(message);
}

static const char *only_event(const Verdict *verdict)
{
    assert_int_equal(verdict->failure_count, 1);
    return json_member_text(json_object_array_get_idx(verdict->failures, 0), "event_id");
}

static void three_parts_are_a_quote(void **state)
{
    g_autoptr(Verdict) verdict = verdict_new();
    g_auto(CompoundQuote) quote = {0};
    assert_true(compound_quote_parse("rAQID:BAU=:Bg==", &quote, verdict));
    assert_true(bytes_equal(bytes_of_gbytes(quote.message), bytes_of("\1\2\3", 3)));
    assert_true(bytes_equal(bytes_of_gbytes(quote.signature), bytes_of("\4\5", 2)));
    assert_true(bytes_equal(bytes_of_gbytes(quote.pcr_blob), bytes_of("\6", 1)));
    assert_int_equal(verdict->failure_count, 0);
}

static void other_texts_are_none(void **state)
{
    static const char *const texts[] = {
        "",          "r",           "AQID:BAU=:Bg==",   "rAQID:BAU=",
        "r::",       "rAQID::Bg==", "rAQID:BAU=:Bg==:", "rAQID:BAU=:!",
        "r:::::::::"};
    for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(Verdict) verdict = verdict_new();
        CompoundQuote quote;
        if (compound_quote_parse(texts[i], &quote, verdict))
            fail_msg("'%s' was taken", texts[i]);
        assert_null(quote.message);
        assert_string_equal(only_event(verdict), "qoute_validation.invalid_quote");
    }
}

static void parts_have_a_limit(void **state)
{
    g_autofree char *zeros = g_strnfill(8000, 'A');
    g_autofree char *text = g_strconcat("r", zeros, ":BAU=:Bg==", NULL);
    g_autoptr(Verdict) verdict = verdict_new();
    CompoundQuote quote;
    assert_false(compound_quote_parse(text, &quote, verdict));
}

static void expect_nonce(Bytes signed_nonce, const char *text, Bytes expected)
{
    const CompoundQuote quote = {.message = message_over(signed_nonce)};
    g_autoptr(GBytes) nonce = compound_quote_nonce(&quote, text);
    assert_true(bytes_equal(bytes_of_gbytes(nonce), expected));
    g_bytes_unref(quote.message);
}

static void a_nonce_is_its_text_unless_the_quote_has_its_bytes(void **state)
{
    Bytes text = bytes_of_text("AQID"), bytes = bytes_of("\1\2\3", 3);
    expect_nonce(text, "AQID", text);
    expect_nonce(bytes, "AQID", bytes);
    expect_nonce(bytes_of_text("other"), "AQID", text);
    expect_nonce(bytes_of_text("!"), "!", bytes_of_text("!"));
    const CompoundQuote broken = {.message = bytes_copy(bytes)};
    g_autoptr(GBytes) nonce = compound_quote_nonce(&broken, "AQID");
    assert_true(bytes_equal(bytes_of_gbytes(nonce), text));
    g_bytes_unref(broken.message);
}

static void a_hash_has_a_name_and_what_is_none_is_shown(void **state)
{
    g_autoptr(Verdict) verdict = verdict_new();
    assert_int_equal(compound_quote_bank("sha384", verdict), TPM_ALG_SHA384);
    assert_int_equal(verdict->failure_count, 0);
    g_autofree char *name = g_strnfill(1000, '\xff');
    assert_int_equal(compound_quote_bank(name, verdict), 0);
    assert_string_equal(only_event(verdict), "qoute_validation.invalid_hash_alg");
    Json *context = json_member(json_object_array_get_idx(verdict->failures, 0), "context");
    const char *shown = json_member_text(context, "data");
    assert_true(g_str_has_prefix(shown, "\\xff") && strlen(shown) < 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_parts_are_a_quote),
        cmocka_unit_test(other_texts_are_none),
        cmocka_unit_test(parts_have_a_limit),
        cmocka_unit_test(a_nonce_is_its_text_unless_the_quote_has_its_bytes),
        cmocka_unit_test(a_hash_has_a_name_and_what_is_none_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
