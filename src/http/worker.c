/* SPDX-License-Identifier: Apache-2.0 */
#include "http/worker.h"

struct WorkerPool {
    GMutex lock;
    GCond filled;
    GQueue queue;
    unsigned limit;
    unsigned idle; /* threads that wait for an item */
    bool stopping;
    GPtrArray *threads; /* of GThread */
    WorkerFunction function;
    gpointer context;
};

static gpointer next_item(WorkerPool *pool)
{
    g_mutex_lock(&pool->lock);
    pool->idle++;
    while (!pool->stopping && g_queue_is_empty(&pool->queue))
        g_cond_wait(&pool->filled, &pool->lock);
    pool->idle--;
    gpointer item = pool->stopping ? NULL : g_queue_pop_head(&pool->queue);
    g_mutex_unlock(&pool->lock);
    return item;
}

static gpointer work(gpointer data)
{
    WorkerPool *pool = data;
    gpointer item;
    while ((item = next_item(pool)))
        pool->function(item, pool->context);
    return NULL;
}

WorkerPool *worker_pool_new(unsigned threads, unsigned queue_limit, WorkerFunction function,
                            gpointer context)
{
    WorkerPool *pool = g_new0(WorkerPool, 1);
    g_mutex_init(&pool->lock);
    g_cond_init(&pool->filled);
    g_queue_init(&pool->queue);
    pool->limit = queue_limit;
    pool->function = function;
    pool->context = context;
    pool->threads = g_ptr_array_new();
    for (unsigned i = 0; i < threads; i++)
        g_ptr_array_add(pool->threads, g_thread_new("http-worker", work, pool));
    return pool;
}

bool worker_pool_push(WorkerPool *pool, gpointer item)
{
    g_mutex_lock(&pool->lock);
    /* An item for which a thread is only waking up does not wait for a worker. */
    bool accepted = !pool->stopping && g_queue_get_length(&pool->queue) < pool->limit + pool->idle;
    if (accepted) {
        g_queue_push_tail(&pool->queue, item);
        g_cond_signal(&pool->filled);
    }
    g_mutex_unlock(&pool->lock);
    return accepted;
}

void worker_pool_stop(WorkerPool *pool, GDestroyNotify drop)
{
    g_mutex_lock(&pool->lock);
    pool->stopping = true;
    g_cond_broadcast(&pool->filled);
    g_mutex_unlock(&pool->lock);
    for (guint i = 0; i < pool->threads->len; i++)
        g_thread_join(g_ptr_array_index(pool->threads, i));
    g_ptr_array_set_size(pool->threads, 0);
    g_queue_clear_full(&pool->queue, drop);
}

void worker_pool_free(WorkerPool *pool)
{
    if (!pool)
        return;
    g_assert(pool->threads->len == 0);
    g_ptr_array_unref(pool->threads);
    g_cond_clear(&pool->filled);
    g_mutex_clear(&pool->lock);
    g_free(pool);
}
