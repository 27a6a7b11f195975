/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting that a signal ends at once: one ppoll on a signalfd, nothing else wakes the process. The
 * service manager's watchdog ($WATCHDOG_USEC) does not, either: it is told before each wait how
 * long that is. SIGTERM and SIGINT stop the agent, SIGHUP makes it re-read its trust and register
 * again (D90, C91).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Waiter Waiter;

/* Blocks the three signals for the process and ignores SIGPIPE. NULL and G_FILE_ERROR. */
Waiter *waiter_new(GError **error);
void waiter_free(Waiter *waiter);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Waiter, waiter_free)

/* Readable when a signal is pending: aborts a request in flight (HttpClientSettings.wake_fd). */
int waiter_fd(const Waiter *waiter);

/* Wait. False when a signal came, before or during the wait; ask the two functions below which. */
bool waiter_sleep(Waiter *waiter, gint64 milliseconds);
/* Read what is pending without waiting; true when nothing was and nothing is. */
bool waiter_is_quiet(Waiter *waiter);
/* Tell the watchdog that the work goes on; cheap enough for every turn of a loop. */
void waiter_show_life(Waiter *waiter);
/* A stop stays; a reload is taken by asking. */
bool waiter_stop_requested(const Waiter *waiter);
bool waiter_take_reload(Waiter *waiter);
