/* SPDX-License-Identifier: Apache-2.0 */
/* Token buckets of addresses. */
#include "registrar/rate_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND TIMESTAMP_SECOND

static bool take(RateLimit *limit, const char *peer, Timestamp now)
{
    guint64 wait = 0;
    bool taken = rate_limit_take(limit, peer, now, &wait);
    assert_true(taken == (wait == 0));
    return taken;
}

static void test_burst_and_refill(void **state)
{
    RateLimit *limit = rate_limit_new(60);
    for (unsigned i = 0; i < 60; i++)
        assert_true(take(limit, "192.0.2.1", 100 * SECOND));
    guint64 wait = 0;
    assert_false(rate_limit_take(limit, "192.0.2.1", 100 * SECOND, &wait));
    assert_int_equal(wait, 2); /* one second, rounded up past it */
    /* Refused ones do not count: one comes back each second. */
    assert_true(take(limit, "192.0.2.1", 101 * SECOND));
    assert_false(take(limit, "192.0.2.1", 101 * SECOND));
    assert_true(take(limit, "192.0.2.1", 102 * SECOND));
    /* Never more than the burst. */
    for (unsigned i = 0; i < 60; i++)
        assert_true(take(limit, "192.0.2.1", 10000 * SECOND));
    assert_false(take(limit, "192.0.2.1", 10000 * SECOND));
    rate_limit_free(limit);
}

static void test_wait_is_long_enough(void **state)
{
    RateLimit *limit = rate_limit_new(1);
    assert_true(take(limit, "192.0.2.1", 0));
    guint64 wait = 0;
    assert_false(rate_limit_take(limit, "192.0.2.1", 0, &wait));
    assert_in_range(wait, 60, 61);
    assert_true(take(limit, "192.0.2.1", (Timestamp)wait * SECOND));
    rate_limit_free(limit);
}

static void test_addresses_are_apart(void **state)
{
    RateLimit *limit = rate_limit_new(1);
    assert_true(take(limit, "192.0.2.1", 0));
    assert_true(take(limit, "192.0.2.2", 0));
    assert_false(take(limit, "192.0.2.1", 0));
    /* All addresses of a /64 are one host's. */
    assert_true(take(limit, "2001:db8::1", 0));
    assert_false(take(limit, "2001:db8:0:0:ffff::2", 0));
    assert_true(take(limit, "2001:db8:0:1::1", 0));
    /* IPv4 in IPv6 form counts by its address. */
    assert_true(take(limit, "::ffff:192.0.2.1", 0));
    assert_true(take(limit, "::ffff:192.0.2.2", 0));
    rate_limit_free(limit);
}

static void test_no_limit(void **state)
{
    RateLimit *limit = rate_limit_new(0);
    for (unsigned i = 0; i < 1000; i++)
        assert_true(take(limit, "192.0.2.1", 0));
    rate_limit_free(limit);
}

/* More addresses than are remembered: the least recent one starts anew, a busy one does not. */
static void test_table_is_bounded(void **state)
{
    RateLimit *limit = rate_limit_new(1);
    assert_true(take(limit, "busy", 0));
    assert_true(take(limit, "idle", 0));
    for (unsigned i = 0; i < 70000; i++) {
        char peer[16];
        g_snprintf(peer, sizeof peer, "p%u", i);
        assert_true(take(limit, peer, 0));
        assert_false(take(limit, "busy", 0));
    }
    assert_true(take(limit, "idle", 0));
    rate_limit_free(limit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_burst_and_refill),    cmocka_unit_test(test_wait_is_long_enough),
        cmocka_unit_test(test_addresses_are_apart), cmocka_unit_test(test_no_limit),
        cmocka_unit_test(test_table_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
