/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions that a whole text must match, and their limits. */
#include "policy/text_pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static TextPatternResult match(const char *pattern, Bytes text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(TextPattern) compiled = text_pattern_new(bytes_of_text(pattern), &error);
    if (!compiled)
        fail_msg("%s: %s", pattern, error->message);
    return text_pattern_match(compiled, text);
}

static void test_whole_text(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {
        {"a.c", "abc", true},
        {"a.c", "xabc", false},
        {"a.c", "abcx", false},
        {"a.c", "a\nc", false},
        {"a|ab", "ab", true},
        {"a|x.*", "xyz", true},
        {"", "", true},
        {"", "a", false},
        {".*", "\xc3\xa4", true},
        {".", "\xc3\xa4", true},
        {"\\w", "\xc3\xa4", true},
        {"a$", "a\n", false},
        {"(a)(b)(c)", "abc", true},
        {"a\\.b", "a.b", true},
        {"a\\.b", "axb", false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        assert_int_equal(match(cases[i].pattern, bytes_of_text(cases[i].text)),
                         cases[i].matches ? TEXT_PATTERN_MATCHES : TEXT_PATTERN_DIFFERS);
}

static void test_foreign_text(void **state)
{
    assert_int_equal(match(".*", bytes_of("a\xff", 2)), TEXT_PATTERN_DIFFERS);
    assert_int_equal(match("a.b", bytes_of("a\0b", 3)), TEXT_PATTERN_MATCHES);
}

static void test_nuls(void **state)
{
    static const struct {
        Bytes pattern, text;
    } cases[] = {
        {{(const uint8_t *)"a\0b", 3}, {(const uint8_t *)"a\0b", 3}},
        {{(const uint8_t *)"a\\\0b", 4}, {(const uint8_t *)"a\0b", 3}},
        {{(const uint8_t *)"\\\\\0", 3}, {(const uint8_t *)"\\\0", 2}},
        {{(const uint8_t *)"[\0]", 3}, {(const uint8_t *)"\0", 1}},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(TextPattern) pattern = text_pattern_new(cases[i].pattern, NULL);
        assert_non_null(pattern);
        assert_int_equal(text_pattern_match(pattern, cases[i].text), TEXT_PATTERN_MATCHES);
        assert_int_equal(text_pattern_match(pattern, bytes_of_text("ab")), TEXT_PATTERN_DIFFERS);
    }
    g_autoptr(TextPattern) shown = text_pattern_new(cases[0].pattern, NULL);
    assert_string_equal(text_pattern_text(shown), "a\\x00b");
}

static void test_refused(void **state)
{
    static const char *const patterns[] = {"(", "a{2,1}", "*", "[z-a]", "(?<n>x)", "\\Q", "\xff"};
    for (size_t i = 0; i < G_N_ELEMENTS(patterns); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(TextPattern) pattern = text_pattern_new(bytes_of_text(patterns[i]), &error);
        assert_null(pattern);
        assert_non_null(error);
    }
}

static void test_limit(void **state)
{
    g_autofree char *text = g_strnfill(60, 'a');
    assert_int_equal(match("(a|aa)+[bc]", bytes_of_text(text)), TEXT_PATTERN_GAVE_UP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_text), cmocka_unit_test(test_foreign_text),
        cmocka_unit_test(test_nuls),       cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
