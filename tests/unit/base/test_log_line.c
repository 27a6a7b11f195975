/* SPDX-License-Identifier: Apache-2.0 */
/* Forms of a log's lines (configuration-and-operations §7.1), and texts of strangers in them. */
#include "base/log_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static LogRecord record = {.time = {.tv_sec = 1764400000, .tv_nsec = 7654321},
                           .name = "keylime.test",
                           .level = "INFO",
                           .level_number = 20,
                           .message = "hello",
                           .request_id = "abc123"};

static char *line_of(const char *format, const char *dates)
{
    g_autoptr(GPtrArray) unknown = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *reason = NULL;
    g_autoptr(LogLine) line = log_line_parse(format, dates, unknown, &reason);
    assert_non_null(line);
    assert_int_equal(unknown->len, 0);
    g_autoptr(GString) out = g_string_new(NULL);
    log_line_append(line, &record, out);
    return g_strdup(out->str);
}

static void assert_line(const char *format, const char *dates, const char *expected)
{
    g_autofree char *got = line_of(format, dates);
    assert_string_equal(got, expected);
}

static void every_field_is_written(void **state)
{
    g_autofree char *process = g_strdup_printf("%d %d", getpid(), gettid());
    setenv("TZ", "UTC", 1);
    assert_line("%(asctime)s", "%H:%M:%S", "07:06:40");
    assert_line("%(asctime)s", "", "2025-11-29 07:06:40,007");
    assert_line("%(asctime)s.%(msecs)03d", LOG_LINE_DATES, "2025-11-29 07:06:40.007");
    assert_line("%(name)s %(levelname)s %(levelno)d", "", "keylime.test INFO 20");
    assert_line("%(process)d %(thread)d", "", process);
    assert_line("%(reqid)s|%(message)s", "", "abc123|hello");
    assert_line("%(message)s %(reqidf)s", "", "hello (reqid=abc123)");
    assert_line("%(message)s", "", "(reqid=abc123) hello");
    assert_line("100%% %(name)s%%", "", "100% keylime.test%");
    assert_line("", "", "");
}

static void fields_are_widened(void **state)
{
    assert_line("[%(levelname)-8s]", "", "[INFO    ]");
    assert_line("[%(levelname)8s]", "", "[    INFO]");
    assert_line("[%(levelname)08s]", "", "[    INFO]");
    assert_line("[%(levelname)2s]", "", "[INFO]");
    assert_line("[%(levelno)05d]", "", "[00020]");
    assert_line("[%(levelno)-05d]", "", "[20   ]");
}

static void what_is_no_form_is_refused(void **state)
{
    const char *const wrong[] = {"%",           "%s",  "%(message)",  "%(message",  "%(name)x",
                                 "%(name)999s", "%()", "%(name)-s%q", "%(name) 5s", "%(name)5.3s"};
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GPtrArray) unknown = g_ptr_array_new_with_free_func(g_free);
        g_autofree char *reason = NULL;
        assert_null(log_line_parse(wrong[i], "", unknown, &reason));
        assert_non_null(strstr(reason, "is no field such as %(levelname)-8s"));
    }
}

static void unknown_fields_are_named_and_stand_for_nothing(void **state)
{
    g_autoptr(GPtrArray) unknown = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *reason = NULL;
    g_autoptr(LogLine) line =
        log_line_parse("%(filename)s:%(lineno)d %(reqid)s", "", unknown, &reason);
    assert_int_equal(unknown->len, 2);
    assert_string_equal(unknown->pdata[0], "filename");
    assert_string_equal(unknown->pdata[1], "lineno");
    g_autoptr(GString) out = g_string_new(NULL);
    log_line_append(line, &record, out);
    assert_string_equal(out->str, ": abc123");
}

/* A peer's text can neither begin a line nor steer a terminal nor turn the line around. */
static void texts_of_strangers_are_harmless(void **state)
{
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"", ""},
        {"plain \xc3\xbcml\xc3\xa4ut \xe2\x82\xac \xf0\x9f\x94\x91\ttab",
         "plain \xc3\xbcml\xc3\xa4ut \xe2\x82\xac \xf0\x9f\x94\x91\ttab"},
        {"a\n<0>b\r\x1b[31mc\x7f", "a\\n<0>b\\x0d\\x1b[31mc\\x7f"},
        {"\xc2\x9b"
         "31m \xc2\x85",
         "\\u{009b}31m \\u{0085}"},
        {"\xe2\x80\xa8 \xe2\x80\xa9 \xe2\x80\xae \xe2\x81\xa6",
         "\\u{2028} \\u{2029} \\u{202e} \\u{2066}"},
        {"\xff\xfe \xc3", "\\xff\\xfe \\xc3"},
        {"\xc0\x8a \xed\xa0\x80", "\\xc0\\x8a \\xed\\xa0\\x80"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GString) out = g_string_new(NULL);
        log_line_append_text(out, cases[i].text);
        assert_string_equal(out->str, cases[i].shown);
    }
}

/* What it says is what it said. */
static void json_has_such_characters_as_escapes(void **state)
{
    static const struct {
        const char *json, *shown;
    } cases[] = {
        {"", ""},
        {"{\"a\":\"\\n \xc3\xbc \xf0\x9f\x94\x91\"}", "{\"a\":\"\\n \xc3\xbc \xf0\x9f\x94\x91\"}"},
        {"\"\x7f\xc2\x9b\xe2\x80\xa8\xe2\x80\xae\"", "\"\\u007f\\u009b\\u2028\\u202e\""},
        {"\"\xf3\xa0\x80\x81\"", "\"\\udb40\\udc01\""},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GString) out = g_string_new(NULL);
        log_line_append_json(out, cases[i].json);
        assert_string_equal(out->str, cases[i].shown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_is_written),
        cmocka_unit_test(fields_are_widened),
        cmocka_unit_test(what_is_no_form_is_refused),
        cmocka_unit_test(unknown_fields_are_named_and_stand_for_nothing),
        cmocka_unit_test(texts_of_strangers_are_harmless),
        cmocka_unit_test(json_has_such_characters_as_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
