/* SPDX-License-Identifier: Apache-2.0 */
/* What a TPM policy may hold, and what it then allows. */
#include "policy/tpm_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SHA1_HEX "0123456789abcdef0123456789abcdef01234567"
#define SHA256_HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SHA256_UPPER "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF"
#define ZERO_HEX "0000000000000000000000000000000000000000000000000000000000000000"

static const uint8_t value[32] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45,
                                  0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab,
                                  0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};

static void test_forms(void **state)
{
    static const char *const texts[] = {
        "{\"15\": [\"" SHA256_HEX "\"], \"mask\": \"0x8000\"}",
        "{\"15\": \"" SHA256_HEX "\"}",
        "{\"15\": [\"0x" SHA256_UPPER "\"], \"mask\": 32768}",
        "{\"15\": [\"" ZERO_HEX "\", \"" SHA1_HEX "\", \"" SHA256_HEX "\"]}",
        "\"{\\\"15\\\": [\\\"" SHA256_HEX "\\\"]}\"",
        "{\"15\": [\"" ZERO_HEX "\"], \"15\": [\"" SHA256_HEX "\"]}",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(TpmPolicy) policy = tpm_policy_parse(texts[i], &error);
        assert_null(error);
        assert_int_equal(tpm_policy_pcrs(policy), 0x8000);
        assert_true(tpm_policy_allows(policy, 15, BYTES_OF_ARRAY(value)));
        assert_false(tpm_policy_allows(policy, 14, BYTES_OF_ARRAY(value)));
        assert_false(tpm_policy_allows(policy, 15, bytes_of(value, 31)));
    }
}

static void test_nothing_named(void **state)
{
    static const char *const texts[] = {"{}", "{\"mask\": \"0x0\"}", "{\"15\": []}",
                                        "{\"15\": null, \"mask\": null}"};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(TpmPolicy) policy = tpm_policy_parse(texts[i], NULL);
        assert_non_null(policy);
        assert_int_equal(tpm_policy_pcrs(policy), 0);
        assert_false(tpm_policy_allows(policy, 15, BYTES_OF_ARRAY(value)));
        assert_false(tpm_policy_allows(policy, 24, BYTES_OF_ARRAY(value)));
    }
}

static void test_lengths_are_kept_apart(void **state)
{
    g_autoptr(TpmPolicy) policy =
        tpm_policy_parse("{\"0\": [\"" SHA1_HEX "\", \"" SHA256_HEX "\", \"" ZERO_HEX "\"]}", NULL);
    assert_true(tpm_policy_allows(policy, 0, bytes_of(value, 20)));
    assert_true(tpm_policy_allows(policy, 0, BYTES_OF_ARRAY(value)));
    g_autofree char *sha1 = tpm_policy_expected(policy, 0, 20);
    g_autofree char *sha256 = tpm_policy_expected(policy, 0, 32);
    g_autofree char *sha384 = tpm_policy_expected(policy, 0, 48);
    g_autofree char *absent = tpm_policy_expected(policy, 1, 32);
    assert_string_equal(sha1, SHA1_HEX);
    assert_string_equal(sha256, SHA256_HEX ", " ZERO_HEX);
    assert_string_equal(sha384, "");
    assert_string_equal(absent, "");
}

static void test_refusals_name_the_member(void **state)
{
    static const struct {
        const char *text, *member;
    } cases[] = {
        {"{\"24\": []}", "\"24\""},
        {"{\"-1\": []}", "\"-1\""},
        {"{\"01\": []}", "\"01\""},
        {"{\"\": []}", "\"\""},
        {"{\"1 \": []}", "\"1 \""},
        {"{\"pcr15\": []}", "\"pcr15\""},
        {"{\"15\": [\"abcd\"]}", "\"15\""},
        {"{\"15\": [\"\"]}", "\"15\""},
        {"{\"15\": \"" SHA256_HEX "0\"}", "\"15\""},
        {"{\"15\": [\" " SHA256_HEX "\"]}", "\"15\""},
        {"{\"15\": [1]}", "\"15\""},
        {"{\"15\": [null]}", "\"15\""},
        {"{\"15\": 7}", "\"15\""},
        {"{\"15\": {\"a\": 1}}", "\"15\""},
        {"{\"15\": [[\"" SHA256_HEX "\"]]}", "\"15\""},
        {"{\"mask\": []}", "\"mask\""},
        {"{\"mask\": \"\"}", "\"mask\""},
        {"{\"mask\": \"0x\"}", "\"mask\""},
        {"{\"mask\": \"all\"}", "\"mask\""},
        {"{\"mask\": -1}", "\"mask\""},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        assert_null(tpm_policy_parse(cases[i].text, &error));
        assert_true(g_error_matches(error, POLICY_ERROR, POLICY_ERROR_INVALID));
        assert_non_null(strstr(error->message, cases[i].member));
    }
}

static void test_no_object(void **state)
{
    static const char *const texts[] = {"",     "[]",     "7",         "null",
                                        "\"\"", "\"[]\"", "{\"15\": ", "{}x"};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        assert_null(tpm_policy_parse(texts[i], &error));
        assert_true(g_error_matches(error, POLICY_ERROR, POLICY_ERROR_INVALID));
    }
    assert_null(tpm_policy_parse(NULL, NULL));
}

/* Before memory is taken for them, also within a text of a text. */
static void test_too_many_values(void **state)
{
    static const char *const begins[] = {"{\"15\": [", "\"["};
    static const char *const ends[] = {"{}]}", "{}]\""};
    for (size_t i = 0; i < G_N_ELEMENTS(begins); i++) {
        g_autoptr(GString) text = g_string_new(begins[i]);
        for (unsigned count = 0; count < 25000; count++)
            g_string_append(text, "{},");
        g_string_append(text, ends[i]);
        g_autoptr(GError) error = NULL;
        assert_null(tpm_policy_parse(text->str, &error));
        assert_non_null(strstr(error->message, "more values"));
    }
}

static void test_references(void **state)
{
    TpmPolicy *policy = tpm_policy_parse("{\"15\": \"" SHA256_HEX "\"}", NULL);
    TpmPolicy *shared = tpm_policy_ref(policy);
    tpm_policy_unref(policy);
    assert_true(tpm_policy_allows(shared, 15, BYTES_OF_ARRAY(value)));
    tpm_policy_unref(shared);
    tpm_policy_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_nothing_named),
        cmocka_unit_test(test_lengths_are_kept_apart),
        cmocka_unit_test(test_refusals_name_the_member),
        cmocka_unit_test(test_no_object),
        cmocka_unit_test(test_too_many_values),
        cmocka_unit_test(test_references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
