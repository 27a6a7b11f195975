/* SPDX-License-Identifier: Apache-2.0 */
/* Each typed getter of configuration-and-operations §2.1, from file, environment, TOML and flag. */
#include "config/value.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char *const words[] = {"push", "pull", NULL};

static const char *check_no_blank(const char *value)
{
    return strchr(value, ' ') ? "must be without blanks" : NULL;
}

static const Option integer = {.name = "i", .type = OPTION_INT};
static const Option port = {.name = "p", .type = OPTION_INT, .minimum = 1, .maximum = 65535};
static const Option real = {.name = "r", .type = OPTION_REAL};
static const Option interval = {.name = "q", .type = OPTION_REAL, .minimum = 0.5, .maximum = 86400};
static const Option boolean = {.name = "b", .type = OPTION_BOOL};
static const Option word = {.name = "w", .type = OPTION_WORD, .words = words};
static const Option exact = {.name = "e", .type = OPTION_WORD, .words = words, .exact_case = true};
static const Option text = {.name = "t", .type = OPTION_TEXT, .check = check_no_blank};
static const Option list = {.name = "l", .type = OPTION_LIST, .check = check_no_blank};

/* The value as people read it, or '!' and what is allowed. */
static void assert_converts(const Option *option, RawKind kind, const char *given,
                            const char *expected)
{
    RawValue raw = {.kind = kind, .text = (char *)given};
    Value value;
    g_autofree char *allowed = value_convert(option, &raw, &value);
    g_autofree char *got = allowed ? g_strdup_printf("!%s", allowed) : g_strdup(value.text);
    if (strcmp(got, expected) != 0)
        fail_msg("%s = '%s': got '%s', expected '%s'", option->name, given, got, expected);
    value_clear(&value);
}

static void test_integers(void **state)
{
    static const char refused[] = "!must be a whole number";
    assert_converts(&integer, RAW_INI, "5", "5");
    assert_converts(&integer, RAW_INI, " +5 ", "5");
    assert_converts(&integer, RAW_INI, "-5", "-5");
    assert_converts(&integer, RAW_INI, "1_000", "1000");
    assert_converts(&integer, RAW_INI, "007", "7");
    const char *bad[] = {"\"5\"", "2.0", "0x10", "",    "1__0", "_1",
                         "1_",    "5s",  "- 5",  "--5", "+",    "9223372036854775808"};
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        assert_converts(&integer, RAW_INI, bad[i], refused);
        assert_converts(&integer, RAW_ENVIRONMENT, bad[i], refused);
    }
    assert_converts(&integer, RAW_TOML_INT, "5", "5");
    assert_converts(&integer, RAW_TOML_TEXT, "8890", "8890");
    assert_converts(&integer, RAW_TOML_TEXT, "abc", refused);
    assert_converts(&integer, RAW_TOML_REAL, "2", refused);
    assert_converts(&integer, RAW_TOML_BOOL, "true", refused);
    assert_converts(&integer, RAW_TOML_LIST, "[1]", refused);
}

static void test_integer_bounds(void **state)
{
    assert_converts(&port, RAW_INI, "1", "1");
    assert_converts(&port, RAW_INI, "65535", "65535");
    assert_converts(&port, RAW_INI, "0", "!must be a whole number from 1 to 65535");
    assert_converts(&port, RAW_FLAG, "70000", "!must be a whole number from 1 to 65535");
}

static void test_reals(void **state)
{
    assert_converts(&real, RAW_INI, "2", "2");
    assert_converts(&real, RAW_INI, "1e3", "1e3");
    assert_converts(&real, RAW_INI, "inf", "inf");
    assert_converts(&real, RAW_INI, "-Infinity", "-Infinity");
    assert_converts(&real, RAW_INI, "nan", "nan");
    assert_converts(&real, RAW_INI, ".5", ".5");
    assert_converts(&real, RAW_TOML_TEXT, "2.5", "2.5");
    const char *bad[] = {"\"2\"", "", "0x10", "1e", "abc", "1.2.3", "nan(1)", "e5", "2,5"};
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++)
        assert_converts(&real, RAW_INI, bad[i], "!must be a number");
    const char *outside[] = {"0", "-1", "nan", "inf", "86400.1", "0.49"};
    for (guint i = 0; i < G_N_ELEMENTS(outside); i++)
        assert_converts(&interval, RAW_INI, outside[i], "!must be a number from 0.5 to 86400");
    assert_converts(&interval, RAW_INI, "0.5", "0.5");
}

static void test_booleans(void **state)
{
    static const char refused[] = "!must be true, yes, on, 1, or false, no, off, 0";
    const char *yes[] = {"1", "yes", "True", "ON"};
    const char *no[] = {"0", "no", "False", "Off"};
    for (guint i = 0; i < 4; i++) {
        assert_converts(&boolean, RAW_INI, yes[i], "True");
        assert_converts(&boolean, RAW_ENVIRONMENT, yes[i], "True");
        assert_converts(&boolean, RAW_TOML_TEXT, yes[i], "True");
        assert_converts(&boolean, RAW_INI, no[i], "False");
    }
    assert_converts(&boolean, RAW_ENVIRONMENT, "\"true\"", "True");
    assert_converts(&boolean, RAW_INI, "\"true\"", refused);
    const char *bad[] = {"y", "", "maybe", "2"};
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        assert_converts(&boolean, RAW_INI, bad[i], refused);
        assert_converts(&boolean, RAW_ENVIRONMENT, bad[i], refused);
        assert_converts(&boolean, RAW_TOML_TEXT, bad[i], refused);
    }
}

static void test_texts(void **state)
{
    assert_converts(&text, RAW_INI, "\"127.0.0.1\"", "127.0.0.1");
    assert_converts(&text, RAW_INI, " \"\" x \"", "x");
    assert_converts(&text, RAW_INI, "'x'", "'x'");
    assert_converts(&text, RAW_ENVIRONMENT, "\"x\"", "x");
    assert_converts(&text, RAW_ENVIRONMENT, "", "");
    assert_converts(&text, RAW_TOML_TEXT, "\"x\"", "\"x\"");
    assert_converts(&text, RAW_TOML_INT, "5", "5");
    assert_converts(&text, RAW_FLAG, "\"x\"", "\"x\"");
    assert_converts(&text, RAW_INI, "a b", "!must be without blanks");
    assert_converts(&text, RAW_INI, "\xff", "!must be UTF-8 text");
    assert_converts(&text, RAW_TOML_LIST, "['a']", "!must be one text, not a list");
    assert_converts(&text, RAW_TOML_OTHER, "1979-05-27",
                    "!must be a plain value, not a date, and without lists or tables inside");
}

static void test_words(void **state)
{
    assert_converts(&word, RAW_INI, "Push", "push");
    assert_converts(&word, RAW_INI, "\"pull\"", "pull");
    assert_converts(&word, RAW_INI, "pish", "!must be one of: push, pull");
    assert_converts(&word, RAW_INI, "", "!must be one of: push, pull");
    assert_converts(&exact, RAW_INI, "push", "push");
    assert_converts(&exact, RAW_INI, "Push", "!must be one of: push, pull");
}

static void test_lists(void **state)
{
    assert_converts(&list, RAW_INI, "['a', 'b']", "['a', 'b']");
    assert_converts(&list, RAW_INI, "[cacert.crt]", "['cacert.crt']");
    assert_converts(&list, RAW_INI, "", "[]");
    assert_converts(&list, RAW_ENVIRONMENT, "default", "['default']");
    assert_converts(&list, RAW_INI, "['a b']", "!must be without blanks");
    assert_converts(&list, RAW_INI, "['a'",
                    "!must be a list such as ['a', 'b']: ',' or ']' missing");
    char *elements[] = {(char *)"x", (char *)"y", NULL};
    RawValue raw = {.kind = RAW_TOML_LIST, .text = (char *)"", .list = elements};
    Value value;
    assert_null(value_convert(&list, &raw, &value));
    assert_string_equal(value.list[1], "y");
    assert_null(value.list[2]);
    value_clear(&value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers), cmocka_unit_test(test_integer_bounds),
        cmocka_unit_test(test_reals),    cmocka_unit_test(test_booleans),
        cmocka_unit_test(test_texts),    cmocka_unit_test(test_words),
        cmocka_unit_test(test_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
