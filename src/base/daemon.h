/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a daemon between start and stop: signals and the service manager
 * (configuration-and-operations §12.4, decision D113).
 *
 * Order of use in main(): daemon_block_signals() before any thread is made, then everything that
 * starts, daemon_ready(), daemon_run(), then everything that stops.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
    /* SIGHUP: re-read certificates and log level. Called on the thread that runs daemon_run().
     * NULL: the signal changes nothing. */
    void (*reload)(gpointer context);
    /* Called every `tend_seconds` on the same thread: what comes due while the program runs. NULL:
     * nothing does. */
    void (*tend)(gpointer context);
    unsigned tend_seconds;
    /* Asked before each watchdog ping; false lets the service manager restart the program. NULL =
     * always alive. */
    bool (*alive)(gpointer context);
    gpointer context;
} DaemonHooks;

/* Keep SIGTERM, SIGINT and SIGHUP for daemon_run(), in this thread and all made after it, and
 * ignore SIGPIPE (a peer that goes away is an error of its connection, not of the program). */
void daemon_block_signals(void);

/* A stop was asked for before daemon_run(): for waits during the start. */
bool daemon_stop_requested(void);

/* Tell the service manager that the program serves; `status` (or NULL) is shown by `systemctl
 * status`. Nothing happens when there is no service manager. */
void daemon_ready(const char *status);

/*
 * Wait, reload on SIGHUP, feed the watchdog ($WATCHDOG_USEC). Returns after SIGTERM or SIGINT, once
 * the service manager knows that the program stops: the signal's number, or -1 when signals cannot
 * be waited for (logged). `hooks` may be NULL.
 */
int daemon_run(const DaemonHooks *hooks);
