/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request on its way from a connection to a worker and back, with its log lines and request id
 * (configuration-and-operations §7.2, verifier-push-api §2.8).
 */
#pragma once

#include "http/gate.h"

#define REQUEST_ID_MAX 36

typedef struct Exchange Exchange;
struct Exchange {
    HttpRequest *request;
    HttpResponse *response;
    RequestHead head;
    const Route *route; /* NULL: refused by its head, the response is ready */
    gint64 started;     /* monotonic µs: the head was complete */
    char request_id[REQUEST_ID_MAX + 1];
    bool logged;         /* the line of the request is written */
    gpointer connection; /* belongs to the loop; a worker never looks at it */
    gpointer loop;       /* where the answer goes */
    Exchange *next;      /* in the loop's list of answers */
};

Exchange *exchange_new(void);
void exchange_free(Exchange *exchange);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Exchange, exchange_free)

/* Read the request id. Once the head is known. */
void exchange_begin(Exchange *exchange);
/* Set the headers every answer has, and write the line of the answer, after that of the request.
 * Once it is known. */
void exchange_end(Exchange *exchange);
/* The line of the request, gate_serve() and exchange_end(), with the request id on the log lines of
 * this thread, which are written together. */
void exchange_serve(Exchange *exchange, Gate *gate);
