/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ticker.h"

struct Ticker {
    gint64 span;
    void (*work)(gpointer context);
    gpointer context;
    GThread *thread;
    GMutex mutex;
    GCond cond;
    bool stopping;
};

static gpointer keep_ticking(gpointer data)
{
    Ticker *ticker = data;
    gint64 next = g_get_monotonic_time();
    g_mutex_lock(&ticker->mutex);
    while (!ticker->stopping) {
        g_mutex_unlock(&ticker->mutex);
        ticker->work(ticker->context);
        g_mutex_lock(&ticker->mutex);
        next = MAX(next + ticker->span, g_get_monotonic_time());
        while (!ticker->stopping && g_cond_wait_until(&ticker->cond, &ticker->mutex, next))
            continue;
    }
    g_mutex_unlock(&ticker->mutex);
    return NULL;
}

Ticker *ticker_start(const char *name, gint64 span, void (*work)(gpointer context),
                     gpointer context, GError **error)
{
    g_autoptr(Ticker) ticker = g_new0(Ticker, 1);
    ticker->span = span;
    ticker->work = work;
    ticker->context = context;
    g_mutex_init(&ticker->mutex);
    g_cond_init(&ticker->cond);
    ticker->thread = g_thread_try_new(name, keep_ticking, ticker, error);
    return ticker->thread ? g_steal_pointer(&ticker) : NULL;
}

void ticker_stop(Ticker *ticker)
{
    if (!ticker)
        return;
    g_mutex_lock(&ticker->mutex);
    ticker->stopping = true;
    g_cond_signal(&ticker->cond);
    g_mutex_unlock(&ticker->mutex);
    if (ticker->thread)
        g_thread_join(ticker->thread);
    g_mutex_clear(&ticker->mutex);
    g_cond_clear(&ticker->cond);
    g_free(ticker);
}
