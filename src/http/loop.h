/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One I/O thread: accepts, moves bytes, hands requests to the workers and answers back to their
 * connections. Everything of it but loop_hand_back(), loop_turns() and loop_stop() happens on its
 * own thread.
 */
#pragma once

#include "http/connection.h"
#include "http/listener.h"
#include "http/worker.h"

typedef struct Loop Loop;

typedef struct {
    const Gate *gate;
    WorkerPool *pool;           /* takes Exchange */
    Listener *const *listeners; /* `listener_count` of them */
    unsigned listener_count;
    unsigned index; /* which socket of each listener is this thread's */
    unsigned connection_limit;
    gpointer context; /* for `rejected` */
    void (*rejected)(gpointer context, const char *peer, int alert);
} LoopSettings;

Loop *loop_new(const LoopSettings *settings, GError **error);
/* Start the thread. */
bool loop_start(Loop *loop, GError **error);
/* From any thread: the exchange's response is complete. Takes it over. */
void loop_hand_back(Exchange *exchange);
/* From one thread other than its own: whether it has come round since the last call (the first call
 * says yes). It is woken, to show it by the next call. */
bool loop_turns(Loop *loop);
/* From any thread: stop accepting, let requests in progress end, then end the thread. */
void loop_stop(Loop *loop);
void loop_join(Loop *loop);
/* After loop_join(), and after the workers have stopped. */
void loop_free(Loop *loop);
