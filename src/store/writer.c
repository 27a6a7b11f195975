/* SPDX-License-Identifier: Apache-2.0 */
#include "store/writer.h"

#include <pthread.h>
#include <sched.h>

#include "store/sqlite_connection.h"

/* Writes in one commit: bounds how long the first of them waits for its answer. */
#define BATCH_MAX 64

typedef enum {
    WRITE_WAITING,
    WRITE_DONE_OPEN, /* its work succeeded; the transaction is not committed yet */
    WRITE_LOST,      /* so was this, but the transaction failed for another reason: repeat alone */
    WRITE_DURABLE,
    WRITE_FAILED,
} WriteState;

typedef struct Write {
    DatabaseWork work;
    gpointer data;
    GError *error;
    WriteState state;
    bool answered;
    bool leads;
    pthread_cond_t changed;
    struct Write *next;
} Write;

struct Writer {
    Connection *connection;
    pthread_mutex_t mutex;
    pthread_cond_t idle;
    bool led;    /* somebody leads */
    Write *head; /* waiting, oldest first */
    Write *tail;
};

/* What one leader commits together. */
typedef struct {
    Write *writes[BATCH_MAX];
    unsigned count;
    unsigned open; /* writes in WRITE_DONE_OPEN */
} Batch;

Writer *writer_new(Connection *connection)
{
    Writer *writer = g_new0(Writer, 1);
    writer->connection = connection;
    pthread_mutex_init(&writer->mutex, NULL);
    pthread_cond_init(&writer->idle, NULL);
    return writer;
}

void writer_free(Writer *writer)
{
    if (!writer)
        return;
    pthread_mutex_lock(&writer->mutex);
    while (writer->led)
        pthread_cond_wait(&writer->idle, &writer->mutex);
    pthread_mutex_unlock(&writer->mutex);
    sqlite_connection_close(writer->connection);
    pthread_cond_destroy(&writer->idle);
    pthread_mutex_destroy(&writer->mutex);
    g_free(writer);
}

/* With the mutex held. */
static Write *take_waiting(Writer *writer)
{
    Write *write = writer->head;
    if (write) {
        writer->head = write->next;
        if (!writer->head)
            writer->tail = NULL;
    }
    return write;
}

static bool add_waiting(Writer *writer, Batch *batch)
{
    if (batch->count == BATCH_MAX)
        return false;
    pthread_mutex_lock(&writer->mutex);
    Write *write = take_waiting(writer);
    pthread_mutex_unlock(&writer->mutex);
    if (write)
        batch->writes[batch->count++] = write;
    return write != NULL;
}

static void mark_open(Batch *batch, WriteState state)
{
    for (unsigned i = 0; i < batch->count; i++)
        if (batch->writes[i]->state == WRITE_DONE_OPEN)
            batch->writes[i]->state = state;
    batch->open = 0;
}

static void fail(Write *write, GError *error)
{
    write->state = WRITE_FAILED;
    write->error = error;
}

/* Everything since BEGIN is undone, by us or by SQLite itself (as it may on a full disk). */
static void undo_all(Writer *writer, Batch *batch)
{
    if (sqlite_connection_in_transaction(writer->connection))
        sqlite_connection_step(writer->connection, SQLITE_STEP_ROLLBACK, NULL);
    mark_open(batch, WRITE_LOST);
}

/* Undoes one write, and keeps those before it where SQLite still has them. */
static void undo_one(Writer *writer, Batch *batch, bool in_savepoint)
{
    if (!in_savepoint || !sqlite_connection_in_transaction(writer->connection) ||
        !sqlite_connection_step(writer->connection, SQLITE_STEP_ROLLBACK_TO, NULL))
        undo_all(writer, batch);
}

static bool run_work(Writer *writer, Write *write, GError **error)
{
    bool ok = driver_run_work(writer->connection, write->work, write->data, error);
    sqlite_connection_end_rows(writer->connection);
    return ok;
}

/* The first write of a transaction needs no savepoint: undoing it is undoing all. */
static bool begin_write(Writer *writer, Batch *batch, Write *write)
{
    GError *error = NULL;
    bool first = batch->open == 0;
    if (sqlite_connection_step(writer->connection,
                               first ? SQLITE_STEP_BEGIN : SQLITE_STEP_SAVEPOINT, &error))
        return true;
    if (!first)
        undo_all(writer, batch);
    fail(write, error);
    return false;
}

static void run_write(Writer *writer, Batch *batch, Write *write)
{
    GError *error = NULL;
    bool in_savepoint = batch->open > 0;
    if (run_work(writer, write, &error) &&
        (!in_savepoint ||
         sqlite_connection_step(writer->connection, SQLITE_STEP_RELEASE, &error))) {
        write->state = WRITE_DONE_OPEN;
        batch->open++;
        return;
    }
    undo_one(writer, batch, in_savepoint);
    fail(write, error);
}

static void commit_open(Writer *writer, Batch *batch)
{
    if (batch->open == 0)
        return;
    GError *error = NULL;
    if (sqlite_connection_step(writer->connection, SQLITE_STEP_COMMIT, &error)) {
        mark_open(batch, WRITE_DURABLE);
        return;
    }
    undo_all(writer, batch);
    if (batch->count == 1)
        fail(batch->writes[0], error);
    else
        g_error_free(error);
}

static void repeat_alone(Writer *writer, Write *write)
{
    Batch alone = {.writes = {write}, .count = 1};
    if (begin_write(writer, &alone, write))
        run_write(writer, &alone, write);
    commit_open(writer, &alone);
}

/* Nobody else could begin either within the time: do not let each wait its own 5 s. */
static void fail_others(Writer *writer, Batch *batch, const GError *error)
{
    while (add_waiting(writer, batch))
        continue;
    for (unsigned i = 0; i < batch->count; i++)
        if (batch->writes[i]->state == WRITE_WAITING || batch->writes[i]->state == WRITE_LOST)
            fail(batch->writes[i], g_error_copy(error));
}

/* Threads that are ready to run may be about to write: the processor is theirs once before a
 * commit, which a whole group costs hardly more than one. Alone, this costs a fraction of a
 * microsecond. */
static bool add_after_yield(Writer *writer, Batch *batch, bool *yielded)
{
    if (*yielded)
        return false;
    *yielded = true;
    sched_yield();
    return add_waiting(writer, batch);
}

static void run_batch(Writer *writer, Batch *batch)
{
    unsigned next = 0;
    bool yielded = false;
    do {
        Write *write = batch->writes[next++];
        bool first = batch->open == 0;
        if (begin_write(writer, batch, write)) {
            run_write(writer, batch, write);
        } else if (first) {
            fail_others(writer, batch, write->error);
            return;
        }
    } while (add_waiting(writer, batch) || add_after_yield(writer, batch, &yielded));
    commit_open(writer, batch);
    for (unsigned i = 0; i < batch->count; i++)
        if (batch->writes[i]->state == WRITE_LOST)
            repeat_alone(writer, batch->writes[i]);
}

/* With the mutex held. */
static void answer(Writer *writer, const Batch *batch)
{
    for (unsigned i = 0; i < batch->count; i++) {
        batch->writes[i]->answered = true;
        pthread_cond_signal(&batch->writes[i]->changed);
    }
    if (writer->head) {
        writer->head->leads = true;
        pthread_cond_signal(&writer->head->changed);
    } else {
        writer->led = false;
        pthread_cond_signal(&writer->idle);
    }
}

/* With the mutex held: `write` is answered, or leads and is no longer among the waiting. */
static void wait_for_turn(Writer *writer, Write *write)
{
    if (!writer->led) {
        writer->led = true;
        return;
    }
    if (writer->tail)
        writer->tail->next = write;
    else
        writer->head = write;
    writer->tail = write;
    while (!write->answered && !write->leads)
        pthread_cond_wait(&write->changed, &writer->mutex);
    if (!write->answered)
        take_waiting(writer);
}

bool writer_write(Writer *writer, DatabaseWork work, gpointer data, GError **error)
{
    Write write = {.work = work, .data = data};
    pthread_cond_init(&write.changed, NULL);
    pthread_mutex_lock(&writer->mutex);
    wait_for_turn(writer, &write);
    if (!write.answered) {
        Batch batch = {.writes = {&write}, .count = 1};
        pthread_mutex_unlock(&writer->mutex);
        run_batch(writer, &batch);
        pthread_mutex_lock(&writer->mutex);
        answer(writer, &batch);
    }
    pthread_mutex_unlock(&writer->mutex);
    pthread_cond_destroy(&write.changed);
    if (write.state == WRITE_DURABLE)
        return true;
    g_propagate_error(error, write.error);
    return false;
}
