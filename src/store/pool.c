/* SPDX-License-Identifier: Apache-2.0 */
#include "store/pool.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#define POOL_WAIT_SECONDS 30

struct Pool {
    Database *database;
    PoolOpen open_connection;
    PoolClose close_connection;
    unsigned maximum;
    pthread_mutex_t mutex;
    pthread_cond_t returned;
    unsigned lent;
    unsigned waiting;
    GPtrArray *idle; /* the most recently used is last */
};

Pool *pool_new(Database *database, unsigned maximum, PoolOpen open_connection,
               PoolClose close_connection)
{
    Pool *pool = g_new0(Pool, 1);
    pool->database = database;
    pool->open_connection = open_connection;
    pool->close_connection = close_connection;
    pool->maximum = MAX(maximum, 1);
    pool->idle = g_ptr_array_new();
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->returned, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return pool;
}

void pool_free(Pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->mutex);
    while (pool->lent > 0) {
        pool->waiting++;
        pthread_cond_wait(&pool->returned, &pool->mutex);
        pool->waiting--;
    }
    pthread_mutex_unlock(&pool->mutex);
    for (guint i = 0; i < pool->idle->len; i++)
        pool->close_connection(g_ptr_array_index(pool->idle, i));
    g_ptr_array_unref(pool->idle);
    pthread_cond_destroy(&pool->returned);
    pthread_mutex_destroy(&pool->mutex);
    g_free(pool);
}

/* With the mutex held: false when none came free in time. */
static bool wait_for_room(Pool *pool)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += POOL_WAIT_SECONDS;
    int result = 0;
    pool->waiting++;
    while (pool->lent >= pool->maximum && result != ETIMEDOUT)
        result = pthread_cond_timedwait(&pool->returned, &pool->mutex, &until);
    pool->waiting--;
    return pool->lent < pool->maximum;
}

static void give_back(Pool *pool, Connection *connection)
{
    pthread_mutex_lock(&pool->mutex);
    if (connection)
        g_ptr_array_add(pool->idle, connection);
    pool->lent--;
    /* Under the mutex: pool_free() may destroy it as soon as it is released. */
    if (pool->waiting > 0)
        pthread_cond_signal(&pool->returned);
    pthread_mutex_unlock(&pool->mutex);
}

Connection *pool_take(Pool *pool, GError **error)
{
    Connection *connection = NULL;
    pthread_mutex_lock(&pool->mutex);
    bool room = pool->lent < pool->maximum || wait_for_room(pool);
    if (room) {
        pool->lent++;
        if (pool->idle->len > 0)
            connection = g_ptr_array_steal_index(pool->idle, pool->idle->len - 1);
    }
    pthread_mutex_unlock(&pool->mutex);

    if (!room) {
        g_set_error(error, STORE_ERROR, STORE_ERROR_UNAVAILABLE,
                    "all %u database connections stayed busy for %d s", pool->maximum,
                    POOL_WAIT_SECONDS);
        return NULL;
    }
    if (!connection) {
        connection = pool->open_connection(pool->database, error);
        if (!connection)
            give_back(pool, NULL);
    }
    return connection;
}

void pool_give_back(Pool *pool, Connection *connection)
{
    give_back(pool, connection);
}
