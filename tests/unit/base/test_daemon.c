/* SPDX-License-Identifier: Apache-2.0 */
/* Signals and service-manager messages of base/daemon.h; what comes due meanwhile (contract U23).
 */
#include "base/daemon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../notify_socket.h"

#include <signal.h>

static unsigned reloads;

static void count_reload(gpointer context)
{
    reloads++;
    /* The signal that ends the run arrives while a reload is still being worked on. */
    kill(getpid(), SIGTERM);
}

static void test_reload_then_terminate(void **state)
{
    DaemonHooks hooks = {.reload = count_reload};
    reloads = 0;
    kill(getpid(), SIGHUP);
    assert_int_equal(daemon_run(&hooks), SIGTERM);
    assert_int_equal(reloads, 1);
}

static void test_interrupt_without_hooks(void **state)
{
    kill(getpid(), SIGHUP); /* no hook: must not end the run */
    kill(getpid(), SIGINT);
    int first = daemon_run(NULL);
    assert_int_equal(first, SIGINT);
}

static gint64 tended_at[2];
static unsigned tended;

static void tend_twice(gpointer context)
{
    tended_at[tended++] = g_get_monotonic_time();
    if (tended == 2)
        kill(getpid(), SIGTERM);
}

static void test_what_comes_due(void **state)
{
    DaemonHooks hooks = {.tend = tend_twice, .tend_seconds = 1};
    gint64 start = g_get_monotonic_time();
    assert_int_equal(daemon_run(&hooks), SIGTERM);
    assert_int_equal(tended, 2);
    assert_true(tended_at[0] - start >= G_USEC_PER_SEC);
    assert_true(tended_at[1] - tended_at[0] >= G_USEC_PER_SEC);
}

static unsigned pings_allowed;

static bool alive_until_second_ping(gpointer context)
{
    if (pings_allowed == 0) {
        kill(getpid(), SIGTERM);
        return false;
    }
    pings_allowed--;
    return true;
}

static void test_service_manager_is_told(void **state)
{
    NotifySocket manager = notify_socket_open("20000");
    pings_allowed = 2;
    daemon_ready("serving");
    DaemonHooks hooks = {.alive = alive_until_second_ping};
    assert_int_equal(daemon_run(&hooks), SIGTERM);

    g_autofree char *messages = notify_socket_read(&manager);
    assert_string_equal(messages, "READY=1\nSTATUS=serving\nWATCHDOG=1\nWATCHDOG=1\nSTOPPING=1\n");
    notify_socket_close(&manager);
}

int main(void)
{
    daemon_block_signals();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reload_then_terminate),
        cmocka_unit_test(test_interrupt_without_hooks),
        cmocka_unit_test(test_what_comes_due),
        cmocka_unit_test(test_service_manager_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
