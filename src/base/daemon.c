/* SPDX-License-Identifier: Apache-2.0 */
#include "base/daemon.h"

#define LOG_NAME "keylime.daemon"
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

static sigset_t watched_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    return signals;
}

void daemon_block_signals(void)
{
    sigset_t signals = watched_signals();
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

bool daemon_stop_requested(void)
{
    sigset_t pending;
    sigpending(&pending);
    return sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1;
}

void daemon_ready(const char *status)
{
    if (status)
        sd_notifyf(0, "READY=1\nSTATUS=%s", status);
    else
        sd_notify(0, "READY=1");
}

static void reload(const DaemonHooks *hooks)
{
    if (!hooks || !hooks->reload)
        return;
    log_info("Received SIGHUP, reloading");
    /* MONOTONIC_USEC is what Type=notify-reload pairs the two messages by. */
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT, g_get_monotonic_time());
    hooks->reload(hooks->context);
    sd_notify(0, "READY=1");
}

static void ping_watchdog(const DaemonHooks *hooks)
{
    if (!hooks || !hooks->alive || hooks->alive(hooks->context))
        sd_notify(0, "WATCHDOG=1");
}

/* Milliseconds between pings: half the limit, as sd_watchdog_enabled(3) advises; -1 without one. */
static int watchdog_interval(void)
{
    uint64_t limit = 0;
    if (sd_watchdog_enabled(0, &limit) <= 0)
        return -1;
    return (int)CLAMP(limit / 2000, 1, G_MAXINT);
}

/* A day of microseconds does not fit into 32 bits. */
static gint64 seconds_us(unsigned seconds)
{
    return (gint64)seconds * G_USEC_PER_SEC;
}

/* Calls the hook that is due; milliseconds until it is again, -1 without one. */
static int tend(const DaemonHooks *hooks, gint64 *due)
{
    if (!hooks || !hooks->tend)
        return -1;
    gint64 now = g_get_monotonic_time();
    if (now >= *due) {
        hooks->tend(hooks->context);
        *due = g_get_monotonic_time() + seconds_us(hooks->tend_seconds);
    }
    gint64 rest = (*due - g_get_monotonic_time()) / 1000 + 1;
    return (int)CLAMP(rest, 1, G_MAXINT);
}

/* The next signal; 0 when `interval` (ms, -1 = never) passed first; -1 on failure. */
static int next_signal(int fd, int interval)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    int ready = poll(&wait, 1, interval);
    if (ready == 0 || (ready < 0 && errno == EINTR))
        return 0;
    struct signalfd_siginfo info;
    if (ready < 0 || read(fd, &info, sizeof info) != (ssize_t)sizeof info)
        return -1;
    return (int)info.ssi_signo;
}

int daemon_run(const DaemonHooks *hooks)
{
    sigset_t signals = watched_signals();
    int fd = signalfd(-1, &signals, SFD_CLOEXEC);
    int interval = watchdog_interval();
    gint64 due = g_get_monotonic_time() + seconds_us(hooks ? hooks->tend_seconds : 0);
    int received = fd < 0 ? -1 : 0;
    while (received == 0 || received == SIGHUP) {
        if (received == SIGHUP)
            reload(hooks);
        int rest = tend(hooks, &due);
        if (interval > 0)
            ping_watchdog(hooks);
        received =
            next_signal(fd, interval > 0 && rest > 0 ? MIN(interval, rest) : MAX(interval, rest));
    }
    if (received < 0)
        log_error("Cannot wait for signals: %s", g_strerror(errno));
    else
        log_info("Received %s, shutting down", received == SIGTERM ? "SIGTERM" : "SIGINT");
    if (fd >= 0)
        close(fd);
    sd_notify(0, "STOPPING=1");
    return received;
}
