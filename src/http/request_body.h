/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of a request while it arrives, of known length or chunked, within its limit and within
 * the memory that all bodies of an I/O thread may take together.
 */
#pragma once

#include "base/bytes.h"
#include "http/chunked.h"

/* So much every request may bring, however many others are large: sessions and small evidence stay
 * possible while somebody sends large bodies slowly. */
#define REQUEST_BODY_SMALL ((size_t)64 * 1024)

typedef struct {
    size_t limit, used; /* bytes of the bodies larger than REQUEST_BODY_SMALL */
} BodyBudget;

typedef struct {
    bool chunked;
    guint64 total; /* announced length */
    size_t limit;
    ChunkedState state;
    GByteArray *chunks;
    uint8_t *data;
    size_t size, capacity;
    BodyBudget *budget;
    size_t reserved;
} RequestBody; /* {0} = nothing */

typedef enum {
    BODY_MORE,
    BODY_COMPLETE,
    BODY_MALFORMED,
    BODY_TOO_LARGE, /* chunks beyond the limit */
    BODY_NO_MEMORY, /* for now: 503 */
} BodyOutcome;

/* `total` is at most `limit` (the caller has refused a larger one); ignored when chunked. */
void request_body_start(RequestBody *body, bool chunked, guint64 total, size_t limit,
                        BodyBudget *budget);
/* Take what belongs to the body. */
BodyOutcome request_body_take(RequestBody *body, Reader *received);
/* Bytes so far. */
size_t request_body_size(const RequestBody *body);
/* The content, to be freed with g_free(). Its memory stays counted until request_body_clear(). */
uint8_t *request_body_steal(RequestBody *body, size_t *size);
void request_body_clear(RequestBody *body);
