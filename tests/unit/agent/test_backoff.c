/* SPDX-License-Identifier: Apache-2.0 */
/* Back-off and pace: contract C38, C59-C64, C113, C117; README 3 rows 25, 27. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/backoff.h"
#include "agent/pace.h"

static void test_delays_double_to_the_cap(void **state)
{
    (void)state;
    BackoffRules rules;
    assert_false(backoff_rules_make(200, 600, 4, &rules));
    const gint64 expected[] = {200, 400, 600, 600};
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(backoff_delay(&rules, i, 0.5), expected[i]);
    /* Far retries neither overflow nor exceed the cap. */
    assert_int_equal(backoff_delay(&rules, 1000, 0.5), 600);
    assert_false(backoff_rules_make(86400000, 86400000, 1000, &rules));
    assert_int_equal(backoff_delay(&rules, 999, 0.999), 86400000);
}

static void test_jitter_is_bounded(void **state)
{
    (void)state;
    BackoffRules rules;
    backoff_rules_make(10000, 300000, 5, &rules);
    assert_int_equal(backoff_delay(&rules, 0, 0.0), 7500);
    assert_in_range((uintmax_t)backoff_delay(&rules, 0, 0.9999), 12490, 12500);
    assert_int_equal(backoff_delay(&rules, 10, 0.9999), 300000);
    assert_int_equal(backoff_delay(&rules, 10, 0.0), 225000);
}

static void test_initial_above_cap_is_clamped(void **state)
{
    (void)state;
    BackoffRules rules;
    assert_true(backoff_rules_make(500, 150, 3, &rules));
    assert_int_equal(backoff_delay(&rules, 0, 0.5), 150);
    assert_false(backoff_rules_make(100, 150, 3, &rules));
    assert_int_equal(backoff_delay(&rules, 0, 0.5), 100);
    assert_int_equal(backoff_delay(&rules, 1, 0.5), 150);
    assert_int_equal(backoff_delay(&rules, 2, 0.5), 150);
}

static void test_retry_after(void **state)
{
    (void)state;
    assert_int_equal(backoff_retry_after(0), 1000);
    assert_int_equal(backoff_retry_after(3), 3000);
    assert_int_equal(backoff_retry_after(86400), 3600000);
    assert_int_equal(backoff_retry_after(G_MAXINT64), 3600000);
}

static void expect_pace(gint64 own, gint64 directive, gint64 seconds, bool warned)
{
    Pace pace = pace_after_success(own, directive);
    assert_int_equal(pace.seconds, seconds);
    assert_int_equal(pace.interval_too_long, warned);
}

static void test_pace_rule(void **state)
{
    (void)state;
    expect_pace(5, 2, 5, false);    /* C38a */
    expect_pace(15, 15, 15, false); /* C38b */
    expect_pace(60, 2, 2, true);    /* C38c */
    expect_pace(60, 20, 60, false); /* C38d */
    expect_pace(1, 5, 5, false);    /* C38e */
    expect_pace(9, 2, 9, false);    /* just below 5 n */
    expect_pace(10, 2, 2, true);    /* at 5 n */
    expect_pace(60, -1, 60, false); /* no directive */
    expect_pace(60, 0, 1, true);    /* 0 counts as 1 */
    expect_pace(60, G_MAXINT64, 86400, false);
}

static void test_pause_after_failure(void **state)
{
    (void)state;
    assert_int_equal(pace_after_failure(60, 300000, 0, 1), 60000);
    assert_int_equal(pace_after_failure(600, 300000, 0, 1), 300000);
    assert_int_equal(pace_after_failure(60, 300000, 2, 1), 2000);
    assert_int_equal(pace_after_failure(60, 300000, 2, 3), 8000);
    assert_int_equal(pace_after_failure(60, 300000, 2, 1000000), 60000);
}

static void test_401_rounds_are_spaced(void **state)
{
    (void)state;
    assert_int_equal(pace_after_unauthorised(60, 1), 0);
    assert_int_equal(pace_after_unauthorised(60, 2), 1000);
    assert_int_equal(pace_after_unauthorised(60, 4), 4000);
    assert_int_equal(pace_after_unauthorised(60, 50), 60000);
    assert_int_equal(pace_after_unauthorised(1, 9), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delays_double_to_the_cap),
        cmocka_unit_test(test_jitter_is_bounded),
        cmocka_unit_test(test_initial_above_cap_is_clamped),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_pace_rule),
        cmocka_unit_test(test_pause_after_failure),
        cmocka_unit_test(test_401_rounds_are_spaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
