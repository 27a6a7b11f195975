/* SPDX-License-Identifier: Apache-2.0 */
/* Signals end a wait; the service manager's watchdog is told of it, and needs no wake-up. */
#include "agent/waiter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../notify_socket.h"

#include <signal.h>

static void a_wait_is_told_before_it_begins(void **state)
{
    NotifySocket manager = notify_socket_open("2000000");
    g_autoptr(Waiter) waiter = waiter_new(NULL);
    assert_non_null(waiter);
    assert_true(waiter_sleep(waiter, 50));
    g_autofree char *messages = notify_socket_read(&manager);
    assert_string_equal(messages, "WATCHDOG_USEC=2050000\nWATCHDOG=1\n"
                                  "WATCHDOG_USEC=2000000\nWATCHDOG=1\n");
    notify_socket_close(&manager);
}

static void work_is_told_now_and_then(void **state)
{
    NotifySocket manager = notify_socket_open("200000");
    g_autoptr(Waiter) waiter = waiter_new(NULL);
    for (unsigned i = 0; i < 10; i++)
        waiter_show_life(waiter);
    g_autofree char *once = notify_socket_read(&manager);
    assert_string_equal(once, "WATCHDOG_USEC=200000\nWATCHDOG=1\n");
    g_usleep(51 * 1000);
    waiter_show_life(waiter);
    g_autofree char *again = notify_socket_read(&manager);
    assert_string_equal(again, once);
    notify_socket_close(&manager);
}

static void nothing_is_told_without_a_watchdog(void **state)
{
    NotifySocket manager = notify_socket_open("0");
    g_autoptr(Waiter) waiter = waiter_new(NULL);
    waiter_show_life(waiter);
    assert_true(waiter_sleep(waiter, 1));
    g_autofree char *messages = notify_socket_read(&manager);
    assert_string_equal(messages, "");
    notify_socket_close(&manager);
}

static void a_signal_ends_the_wait(void **state)
{
    g_autoptr(Waiter) waiter = waiter_new(NULL);
    kill(getpid(), SIGHUP);
    gint64 start = g_get_monotonic_time();
    assert_false(waiter_sleep(waiter, 60000));
    assert_true(g_get_monotonic_time() - start < 30 * G_USEC_PER_SEC);
    assert_false(waiter_stop_requested(waiter));
    assert_true(waiter_take_reload(waiter));
    assert_false(waiter_take_reload(waiter));
    kill(getpid(), SIGTERM);
    assert_false(waiter_is_quiet(waiter));
    assert_true(waiter_stop_requested(waiter));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_is_told_before_it_begins),
        cmocka_unit_test(work_is_told_now_and_then),
        cmocka_unit_test(nothing_is_told_without_a_watchdog),
        cmocka_unit_test(a_signal_ends_the_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
