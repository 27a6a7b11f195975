/* SPDX-License-Identifier: Apache-2.0 */
/* Points in time and their texts. */
#include "base/timestamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NOON (G_GINT64_CONSTANT(1700000000) * TIMESTAMP_SECOND) /* 2023-11-14T22:13:20Z */

static void test_format(void **state)
{
    static const struct {
        Timestamp time;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000000+00:00"},
        {NOON, "2023-11-14T22:13:20.000000+00:00"},
        {NOON + 1, "2023-11-14T22:13:20.000001+00:00"},
        {-1, "1969-12-31T23:59:59.999999+00:00"},
        {G_GINT64_CONSTANT(1709210096) * TIMESTAMP_SECOND, "2024-02-29T12:34:56.000000+00:00"},
        {G_GINT64_CONSTANT(253402300799) * TIMESTAMP_SECOND, "9999-12-31T23:59:59.000000+00:00"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = timestamp_format(cases[i].time);
        Timestamp again;
        assert_string_equal(text, cases[i].text);
        assert_true(timestamp_parse(text, &again));
        assert_int_equal(again, cases[i].time);
    }
}

/* No text of RFC 3339 has a year beyond 9999. */
static void test_format_beyond(void **state)
{
    static const Timestamp times[] = {G_GINT64_CONSTANT(253402300800) * TIMESTAMP_SECOND,
                                      G_MAXINT64, -(G_MAXINT64 / 100)};
    for (size_t i = 0; i < G_N_ELEMENTS(times); i++) {
        g_autofree char *text = timestamp_format(times[i]);
        assert_true(g_str_has_prefix(text, "1970-01-01T00:00:00."));
    }
}

static void test_parse(void **state)
{
    static const struct {
        const char *text;
        Timestamp time;
    } cases[] = {
        {"2023-11-14T22:13:20Z", NOON},
        {"2023-11-14T23:13:20+01:00", NOON},
        {"2023-11-14T22:13:20", NOON},
        {"2023-11-14T22:13:20.25Z", NOON + 250000},
        {"1700000000", NOON},
        {"1700000000.5", NOON + 500000},
        {"0", 0},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Timestamp time = -7;
        if (!timestamp_parse(cases[i].text, &time) || time != cases[i].time)
            fail_msg("%s gives %" G_GINT64_FORMAT, cases[i].text, time);
    }
}

static void test_refused(void **state)
{
    static const char *const texts[] = {
        "",      "yesterday",   "2023-13-14T22:13:20Z", "nan",  "inf",
        "1e400", "1700000000x", "99999999999999999999", "0x10", " 1"};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        Timestamp time;
        if (timestamp_parse(texts[i], &time))
            fail_msg("accepted: %s", texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_format_beyond),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
