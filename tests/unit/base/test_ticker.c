/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ticker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

typedef struct {
    gint calls;
    gint64 first;
} Count;

static void count(gpointer context)
{
    Count *seen = context;
    if (g_atomic_int_get(&seen->calls) == 0)
        seen->first = g_get_monotonic_time();
    g_atomic_int_inc(&seen->calls);
}

static void wait_for(Count *seen, gint calls)
{
    for (unsigned i = 0; i < 2000 && g_atomic_int_get(&seen->calls) < calls; i++)
        g_usleep(5000);
    assert_true(g_atomic_int_get(&seen->calls) >= calls);
}

static void test_calls_at_once_and_again(void **state)
{
    Count seen = {0};
    gint64 start = g_get_monotonic_time();
    g_autoptr(Ticker) ticker = ticker_start("test", 20000, count, &seen, NULL);
    assert_non_null(ticker);
    wait_for(&seen, 4);
    g_clear_pointer(&ticker, ticker_stop);
    assert_true(g_get_monotonic_time() - start >= 3 * 20000);
    gint calls = g_atomic_int_get(&seen.calls);
    g_usleep(60000);
    assert_int_equal(g_atomic_int_get(&seen.calls), calls);
}

static void test_stop_does_not_wait_for_the_next_call(void **state)
{
    Count seen = {0};
    Ticker *ticker =
        ticker_start("test", G_GINT64_CONSTANT(3600) * G_USEC_PER_SEC, count, &seen, NULL);
    wait_for(&seen, 1);
    gint64 start = g_get_monotonic_time();
    ticker_stop(ticker);
    assert_true(g_get_monotonic_time() - start < 60 * G_USEC_PER_SEC);
    assert_int_equal(seen.calls, 1);
    ticker_stop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_at_once_and_again),
        cmocka_unit_test(test_stop_does_not_wait_for_the_next_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
