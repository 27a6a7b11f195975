/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/waiter.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

/* Of the watchdog's limit, how much may pass between two messages while there is work. */
#define LIFE_SIGNS_A_LIMIT 4

struct Waiter {
    int fd;
    bool stop, reload;
    uint64_t watchdog_us; /* 0 = there is no watchdog */
    gint64 shown_at;      /* monotonic, when it was told last */
};

Waiter *waiter_new(GError **error)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    int fd = -1;
    if (sigprocmask(SIG_BLOCK, &signals, NULL) == 0)
        fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "cannot wait for signals: %s",
                    g_strerror(errno));
        return NULL;
    }
    Waiter *waiter = g_new0(Waiter, 1);
    waiter->fd = fd;
    if (sd_watchdog_enabled(0, &waiter->watchdog_us) <= 0)
        waiter->watchdog_us = 0;
    return waiter;
}

void waiter_free(Waiter *waiter)
{
    if (!waiter)
        return;
    close(waiter->fd);
    g_free(waiter);
}

int waiter_fd(const Waiter *waiter)
{
    return waiter->fd;
}

static void take_signals(Waiter *waiter)
{
    struct signalfd_siginfo info;
    while (read(waiter->fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP)
            waiter->reload = true;
        else
            waiter->stop = true;
    }
}

bool waiter_is_quiet(Waiter *waiter)
{
    take_signals(waiter);
    return !waiter->stop && !waiter->reload;
}

/* --- the watchdog: one limit for the work, that much more while the agent only waits ---------- */

static void tell_watchdog(Waiter *waiter, gint64 pause_ms)
{
    if (waiter->watchdog_us == 0)
        return;
    waiter->shown_at = g_get_monotonic_time();
    sd_notifyf(0, "WATCHDOG_USEC=%" G_GUINT64_FORMAT "\nWATCHDOG=1",
               waiter->watchdog_us + (guint64)pause_ms * 1000);
}

void waiter_show_life(Waiter *waiter)
{
    gint64 since = g_get_monotonic_time() - waiter->shown_at;
    if ((guint64)since * LIFE_SIGNS_A_LIMIT >= waiter->watchdog_us)
        tell_watchdog(waiter, 0);
}

/* --- waiting --------------------------------------------------------------------------------- */

static bool sleep_until(Waiter *waiter, gint64 deadline)
{
    while (waiter_is_quiet(waiter)) {
        gint64 left = deadline - g_get_monotonic_time();
        if (left <= 0)
            return true;
        struct timespec timeout = {.tv_sec = left / 1000000, .tv_nsec = left % 1000000 * 1000};
        struct pollfd poll_fd = {.fd = waiter->fd, .events = POLLIN};
        (void)ppoll(&poll_fd, 1, &timeout, NULL);
    }
    return false;
}

bool waiter_sleep(Waiter *waiter, gint64 milliseconds)
{
    tell_watchdog(waiter, milliseconds);
    bool whole = sleep_until(waiter, g_get_monotonic_time() + milliseconds * 1000);
    tell_watchdog(waiter, 0);
    return whole;
}

bool waiter_stop_requested(const Waiter *waiter)
{
    return waiter->stop;
}

bool waiter_take_reload(Waiter *waiter)
{
    bool reload = waiter->reload;
    waiter->reload = false;
    return reload;
}
