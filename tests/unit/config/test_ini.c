/* SPDX-License-Identifier: Apache-2.0 */
/* Every row of the grammar table of configuration-and-operations §2. */
#include "config/ini.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* "section|name|value|line" of each entry, one a line; or the problems, each behind a '!'. */
static char *reading_of(Bytes text)
{
    g_auto(IniFile) file = {0};
    ini_parse(text, &file);
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < file.problems->len; i++)
        g_string_append_printf(out, "!%s\n", (char *)file.problems->pdata[i]);
    for (guint i = 0; file.problems->len == 0 && i < file.entries->len; i++) {
        const IniEntry *entry = file.entries->pdata[i];
        g_string_append_printf(out, "%s|%s|%s|%u\n", entry->section, entry->name, entry->value,
                               entry->line);
    }
    return g_string_free(out, FALSE);
}

static void assert_reading(const char *text, const char *expected)
{
    g_autofree char *reading = reading_of(bytes_of_text(text));
    assert_string_equal(reading, expected);
}

/* The text inside [verifier] gives this value of option `a`. */
static void assert_value(const char *text, const char *value)
{
    g_autofree char *whole = g_strdup_printf("[verifier]\n%s\n", text);
    g_autofree char *expected = g_strdup_printf("verifier|a|%s|2\n", value);
    assert_reading(whole, expected);
}

static void test_delimiters(void **state)
{
    assert_value("a = x", "x");
    assert_value("a=x", "x");
    assert_value("a: x", "x");
    assert_value("a : x", "x");
    assert_value("a : b = c", "b = c");
    assert_value("a=b:c", "b:c");
    assert_value("A = x", "x");
    assert_value("a =", "");
}

static void test_values_stay_raw(void **state)
{
    assert_value("a = \"x\"", "\"x\"");
    assert_value("a = x # c", "x # c");
    assert_value("a = x ; c", "x ; c");
    assert_value("a = %(b)s ${b} $HOME %%", "%(b)s ${b} $HOME %%");
    assert_value("a = x\vy", "x\vy");
    assert_value("a = \xc2\xa0\fx\xe3\x80\x80", "x");
}

static void test_sections(void **state)
{
    assert_reading("[Verifier]\na=x\n", "Verifier|a|x|2\n");
    assert_reading("[ verifier ]\na=x\n", " verifier |a|x|2\n");
    assert_reading("[verifier] trailing text\na=x\n", "verifier|a|x|2\n");
    assert_reading("[a] b] c\na=x\n", "a] b|a|x|2\n");
    assert_reading("[DEFAULT]\na=1\n[DEFAULT]\nb=2\n", "DEFAULT|a|1|2\nDEFAULT|b|2|4\n");
}

static void test_comments(void **state)
{
    assert_reading("[v]\n# a = x\n; a = x\n   # a = x\n\t; a\nb=1\n", "v|b|1|6\n");
    assert_reading("# before\n\n[v]\nb=1\n", "v|b|1|4\n");
}

static void test_continuation(void **state)
{
    assert_value("a = x\n  y", "x\ny");
    assert_value("a = x\n\ty", "x\ny");
    assert_value("a = x\n  y\n\n  z\n\n\n", "x\ny\n\nz");
    assert_value("a = x\n  # c\n  y", "x\ny");
    assert_value("a =\n  ['x',\n   'y']", "\n['x',\n'y']");
    assert_reading("[v]\nb = 1\n  a = x\n", "v|b|1\na = x|2\n");
    assert_reading("[v]\n  a = 1\n  b = 2\n", "v|a|1|2\nv|b|2|3\n");
    assert_reading("[v]\na = 1\n  [w]\n", "v|a|1\n[w]|2\n");
    assert_reading("  [v]\na = 1\n", "v|a|1|2\n");
}

static void test_line_ends(void **state)
{
    assert_reading("[v]\r\na = 1\r\n  2\r\nb = 3", "v|a|1\n2|2\nv|b|3|4\n");
    assert_reading("[v]\ra = 1\r", "v|a|1|2\n");
    assert_reading("[v]\na b = x\n", "v|a b|x|2\n");
    assert_reading("", "");
}

static void test_errors(void **state)
{
    assert_reading("[v]\n = x\n",
                   "!2: '= x' is neither a comment, nor [section], nor option = value\n");
    assert_reading("[v]\nb\n", "!2: 'b' is neither a comment, nor [section], nor option = value\n");
    assert_reading("[]\n", "!1: text before the first [section]\n");
    assert_reading("a = 1\nb = 2\n[v]\n", "!1: text before the first [section]\n");
    assert_reading("\xef\xbb\xbf[v]\n", "!1: byte order mark: save the file as UTF-8 without it\n");
    assert_reading("[v]\na=1\n[w]\nA=1\n[v]\nb=1\n", "!5: section [v] stands twice in this file\n");
    assert_reading("[v]\na=1\nb=2\nA=3\n",
                   "!4: option 'a' stands twice in section [v] of this file\n");
    assert_reading("[v]\na=\xff\n", "!2: not valid UTF-8\n");
}

static void test_all_problems_are_told(void **state)
{
    assert_reading("[v]\na=1\na=2\nx\n",
                   "!3: option 'a' stands twice in section [v] of this file\n"
                   "!4: 'x' is neither a comment, nor [section], nor option = value\n");
}

static void test_nul_byte(void **state)
{
    g_autofree char *reading = reading_of(bytes_of("[v]\na=1\0002\n", 11));
    assert_string_equal(reading, "!2: NUL byte: this is no text file\n");
}

/* An empty section counts: [DEFAULT] speaks for it. */
static void test_empty_section_exists(void **state)
{
    g_auto(IniFile) file = {0};
    ini_parse(bytes_of_text("[DEFAULT]\n[v]\n"), &file);
    assert_int_equal(file.sections->len, 1);
    assert_string_equal(file.sections->pdata[0], "v");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delimiters),   cmocka_unit_test(test_values_stay_raw),
        cmocka_unit_test(test_sections),     cmocka_unit_test(test_comments),
        cmocka_unit_test(test_continuation), cmocka_unit_test(test_line_ends),
        cmocka_unit_test(test_errors),       cmocka_unit_test(test_all_problems_are_told),
        cmocka_unit_test(test_nul_byte),     cmocka_unit_test(test_empty_section_exists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
