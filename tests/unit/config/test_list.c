/* SPDX-License-Identifier: Apache-2.0 */
#include "config/list.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Elements joined by '|', or '!' and the reason. */
static void assert_list(const char *text, const char *expected)
{
    g_autofree char *reason = NULL;
    g_auto(GStrv) elements = list_parse(bytes_of_text(text), &reason);
    g_autofree char *got = elements ? g_strjoinv("|", elements) : g_strdup_printf("!%s", reason);
    assert_string_equal(got, expected);
}

static void assert_count(const char *text, guint count)
{
    g_autofree char *reason = NULL;
    g_auto(GStrv) elements = list_parse(bytes_of_text(text), &reason);
    assert_non_null(elements);
    assert_int_equal(g_strv_length(elements), count);
}

static void test_literals(void **state)
{
    assert_list("['a', 'b']", "a|b");
    assert_list("[\"a\"]", "a");
    assert_list("['sha512', 'sha384',\n'sha256',]", "sha512|sha384|sha256");
    assert_list("\" ['a'] \"", "a");
    assert_list("[ ' a ' ]", "a");
    assert_list("['a' 'b', # note, with comma\n 'c']", "ab|c");
    assert_list("['it\\'s', \"\\x41\\u00e9\\tz|\\q\", '\\101']", "it's|A\xc3\xa9\tz|\\q|A");
}

static void test_empty(void **state)
{
    assert_count("[]", 0);
    assert_count("", 0);
    assert_count("  ", 0);
    assert_count("\"\"", 0);
    assert_count("['']", 1);
}

static void test_other_elements_keep_their_text(void **state)
{
    assert_list("[1, -2.5, True, None]", "1|-2.5|True|None");
    assert_list("[{\"event_id\": \".*\", \"severity_label\" : \"emergency\"}]",
                "{\"event_id\": \".*\", \"severity_label\" : \"emergency\"}");
    assert_list("[[1, (2, 3)], {}]", "[1, (2, 3)]|{}");
}

static void test_bare_words(void **state)
{
    assert_list("[cacert.crt]", "cacert.crt");
    assert_list("[a, b c]", "a|b c");
    assert_list("default", "default");
    assert_list("a, b", "a|b");
    assert_list("2.6 3.0", "2.6|3.0");
    assert_list("'a b', c", "a b|c");
    assert_list("[::1, 10.0.0.1]", "::1|10.0.0.1");
}

static void test_refused(void **state)
{
    assert_list("['a'", "!',' or ']' missing");
    assert_list("['a", "!string without closing quote");
    assert_list("['a'] x", "!text after the closing ']'");
    assert_list("['a',,'b']", "!element missing");
    assert_list("[,]", "!element missing");
    assert_list("a,,b", "!element missing");
    assert_list("('a', 'b')", "!element missing");
    assert_list("['a' b]", "!',' or ']' missing");
    assert_list("[it's]", "!quote inside a word");
    assert_list("[{'a' 1}]", "!':' missing in a dictionary");
    assert_list("['\\x4']", "!incomplete \\x, \\u or \\U escape in a string");
    assert_list("['\\x00']", "!escape of no character in a string");
    assert_list("['\\ud800']", "!escape of no character in a string");
    assert_list("['\\0']", "!escape of no character in a string");
    assert_list("['\xff']", "!not valid UTF-8 text");
    assert_list("[[[[[[[[[[[[[[[[[[[[[[[[[", "!nested too deeply");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literals),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_other_elements_keep_their_text),
        cmocka_unit_test(test_bare_words),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
