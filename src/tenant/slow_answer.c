/* SPDX-License-Identifier: Apache-2.0 */
#include "tenant/slow_answer.h"

#define LOG_NAME "keylime.tenant"
#include "base/log.h"

#include <stdbool.h>

struct SlowAnswer {
    const char *words;
    GMutex lock;
    GCond answered_signal;
    bool answered;
    GThread *thread;
};

static gpointer watch_thread(gpointer data)
{
    SlowAnswer *watch = data;
    gint64 until = g_get_monotonic_time() + 2 * G_TIME_SPAN_SECOND;
    g_mutex_lock(&watch->lock);
    while (!watch->answered) {
        if (!g_cond_wait_until(&watch->answered_signal, &watch->lock, until)) {
            log_info("Waiting for an answer of %s...", watch->words);
            break;
        }
    }
    g_mutex_unlock(&watch->lock);
    return NULL;
}

SlowAnswer *slow_answer_watch(const char *words)
{
    SlowAnswer *watch = g_new0(SlowAnswer, 1);
    watch->words = words;
    g_mutex_init(&watch->lock);
    g_cond_init(&watch->answered_signal);
    watch->thread = g_thread_new("slow-answer", watch_thread, watch);
    return watch;
}

void slow_answer_free(SlowAnswer *watch)
{
    if (!watch)
        return;
    g_mutex_lock(&watch->lock);
    watch->answered = true;
    g_cond_signal(&watch->answered_signal);
    g_mutex_unlock(&watch->lock);
    g_thread_join(watch->thread);
    g_mutex_clear(&watch->lock);
    g_cond_clear(&watch->answered_signal);
    g_free(watch);
}
