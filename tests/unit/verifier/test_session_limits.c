/* SPDX-License-Identifier: Apache-2.0 */
/* Windows for addresses, for agents behind an address, and for failed proofs (decision D32). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "verifier/session/limits.h"

#define PEER "198.51.100.7"
#define AGENT "agent"

static const Timestamp start = G_GINT64_CONSTANT(1795500000) * TIMESTAMP_SECOND;

static const VerifierSettings settings = {
    .rate_limit_per_ip = 5,
    .rate_window_ip = 60,
    .rate_limit_per_agent = 3,
    .rate_window_agent = 30,
};

static Timestamp at(double seconds)
{
    return start + (Timestamp)(seconds * TIMESTAMP_SECOND);
}

static void requests_beyond_the_limit_wait_for_the_oldest(void **state)
{
    g_autoptr(SessionLimits) limits = session_limits_new(&settings);
    for (int second = 0; second < 5; second++)
        assert_int_equal(session_limits_count_address(limits, PEER, at(second)), 0);
    assert_int_equal(session_limits_count_address(limits, PEER, at(4.5)), 56);
    assert_int_equal(session_limits_count_address(limits, PEER, at(59.9)), 1);
    assert_int_equal(session_limits_count_address(limits, PEER, at(60)), 0);
    assert_int_equal(session_limits_count_address(limits, PEER, at(60)), 1);
    assert_int_equal(session_limits_count_address(limits, "203.0.113.1", at(60)), 0);
}

static void refused_requests_are_not_counted(void **state)
{
    g_autoptr(SessionLimits) limits = session_limits_new(&settings);
    for (int i = 0; i < 500; i++)
        session_limits_count_address(limits, PEER, at(0));
    assert_int_equal(session_limits_count_address(limits, PEER, at(30)), 30);
    assert_int_equal(session_limits_count_address(limits, PEER, at(60)), 0);
}

static void an_agent_is_limited_behind_one_address_only(void **state)
{
    g_autoptr(SessionLimits) limits = session_limits_new(&settings);
    for (int i = 0; i < 3; i++)
        assert_int_equal(session_limits_count_agent(limits, PEER, AGENT, at(0)), 0);
    assert_int_equal(session_limits_count_agent(limits, PEER, AGENT, at(1)), 29);
    assert_int_equal(session_limits_count_agent(limits, PEER, "other", at(1)), 0);
    assert_int_equal(session_limits_count_agent(limits, "203.0.113.1", AGENT, at(1)), 0);
}

/* All addresses of an IPv6 /64 are one host's. */
static void addresses_of_one_network_count_together(void **state)
{
    g_autoptr(SessionLimits) limits = session_limits_new(&settings);
    for (int i = 0; i < 5; i++) {
        g_autofree char *peer = g_strdup_printf("2001:db8::%d:1", i);
        assert_int_equal(session_limits_count_address(limits, peer, at(0)), 0);
    }
    assert_int_not_equal(session_limits_count_address(limits, "2001:db8:0:0:7::", at(0)), 0);
    assert_int_equal(session_limits_count_address(limits, "2001:db8:0:1::1", at(0)), 0);
}

static void names_do_not_run_into_each_other(void **state)
{
    g_autoptr(SessionLimits) limits = session_limits_new(&settings);
    for (int i = 0; i < 3; i++)
        assert_int_equal(session_limits_count_agent(limits, "10.0.0.1", "1a", at(0)), 0);
    assert_int_equal(session_limits_count_agent(limits, "10.0.0.11", "a", at(0)), 0);
}

static void a_refusal_for_the_agent_takes_the_address_count_back(void **state)
{
    g_autoptr(SessionLimits) limits = session_limits_new(&settings);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(session_limits_count_address(limits, PEER, at(0)), 0);
        assert_int_equal(session_limits_count_agent(limits, PEER, AGENT, at(0)), 0);
    }
    for (int i = 0; i < 20; i++) {
        assert_int_equal(session_limits_count_address(limits, PEER, at(1)), 0);
        assert_int_not_equal(session_limits_count_agent(limits, PEER, AGENT, at(1)), 0);
    }
    assert_int_equal(session_limits_count_address(limits, PEER, at(2)), 0);
    assert_int_equal(session_limits_count_address(limits, PEER, at(2)), 0);
    assert_int_not_equal(session_limits_count_address(limits, PEER, at(2)), 0);
}

static void proven_requests_do_not_count(void **state)
{
    g_autoptr(SessionLimits) limits = session_limits_new(&settings);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(session_limits_count_address(limits, PEER, at(0)), 0);
        assert_int_equal(session_limits_count_agent(limits, PEER, AGENT, at(0)), 0);
        session_limits_proven(limits, PEER, AGENT);
    }
    assert_int_equal(session_limits_size(limits), 0);
    session_limits_proven(limits, PEER, AGENT);
    assert_int_equal(session_limits_count_address(limits, PEER, at(0)), 0);
}

static void failed_proofs_are_limited(void **state)
{
    g_autoptr(SessionLimits) limits = session_limits_new(&settings);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(session_limits_proofs_wait(limits, PEER, at(i)), 0);
        session_limits_count_failed_proof(limits, PEER, at(i));
    }
    assert_int_equal(session_limits_proofs_wait(limits, PEER, at(20)), 40);
    assert_int_equal(session_limits_proofs_wait(limits, "203.0.113.1", at(20)), 0);
    assert_int_equal(session_limits_proofs_wait(limits, PEER, at(60)), 0);
}

static void a_clock_that_is_set_back_locks_nobody_out(void **state)
{
    g_autoptr(SessionLimits) limits = session_limits_new(&settings);
    for (int i = 0; i < 5; i++)
        session_limits_count_address(limits, PEER, at(1000));
    assert_int_equal(session_limits_count_address(limits, PEER, at(0)), 0);
}

static void the_table_is_bounded_and_drops_the_least_recent(void **state)
{
    g_autoptr(SessionLimits) limits = session_limits_new(&settings);
    for (int i = 0; i < 5; i++)
        session_limits_count_address(limits, PEER, at(0));
    for (int i = 0; i < 70000; i++) {
        g_autofree char *stranger = g_strdup_printf("2001:db8:%x:%x::1", i >> 16, i & 0xffff);
        session_limits_count_address(limits, stranger, at(1));
        if (i == 60000)
            assert_int_not_equal(session_limits_count_address(limits, PEER, at(1)), 0);
    }
    assert_int_equal(session_limits_size(limits), 65536);
    assert_int_not_equal(session_limits_count_address(limits, PEER, at(1)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_beyond_the_limit_wait_for_the_oldest),
        cmocka_unit_test(refused_requests_are_not_counted),
        cmocka_unit_test(an_agent_is_limited_behind_one_address_only),
        cmocka_unit_test(addresses_of_one_network_count_together),
        cmocka_unit_test(names_do_not_run_into_each_other),
        cmocka_unit_test(a_refusal_for_the_agent_takes_the_address_count_back),
        cmocka_unit_test(proven_requests_do_not_count),
        cmocka_unit_test(failed_proofs_are_limited),
        cmocka_unit_test(a_clock_that_is_set_back_locks_nobody_out),
        cmocka_unit_test(the_table_is_bounded_and_drops_the_least_recent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
