/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded pool of threads that take items from one bounded queue.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct WorkerPool WorkerPool;

/* Handles one item on a worker's thread; owns the item from then on. */
typedef void (*WorkerFunction)(gpointer item, gpointer context);

/* At most `queue_limit` items wait. Threads start at once. */
WorkerPool *worker_pool_new(unsigned threads, unsigned queue_limit, WorkerFunction function,
                            gpointer context);
/* False when the queue is full or the pool is stopping; then the item is still the caller's. */
bool worker_pool_push(WorkerPool *pool, gpointer item);
/* Items that still wait go to `drop`; returns when the items being handled are done. */
void worker_pool_stop(WorkerPool *pool, GDestroyNotify drop);
/* After worker_pool_stop(). */
void worker_pool_free(WorkerPool *pool);
