/* SPDX-License-Identifier: Apache-2.0 */
#include "http/request_body.h"

#include <string.h>

void request_body_start(RequestBody *body, bool chunked, guint64 total, size_t limit,
                        BodyBudget *budget)
{
    request_body_clear(body);
    *body = (RequestBody){
        .chunked = chunked, .total = chunked ? 0 : total, .limit = limit, .budget = budget};
    if (chunked)
        body->chunks = g_byte_array_new();
}

/* Count `size` bytes in all for this body; false when all bodies together take too much. */
static bool reserve(RequestBody *body, size_t size)
{
    if (size <= REQUEST_BODY_SMALL || size <= body->reserved)
        return true;
    size_t others = body->budget->used - body->reserved;
    if (others > body->budget->limit || size > body->budget->limit - others)
        return false;
    body->budget->used = others + size;
    body->reserved = size;
    return true;
}

/* Grows with what arrives: a length alone, which costs its sender nothing, reserves nothing. */
static bool grow(RequestBody *body, size_t needed)
{
    if (needed <= body->capacity)
        return true;
    size_t capacity = MAX(MAX(2 * body->capacity, needed), (size_t)16 * 1024);
    capacity = (size_t)MIN((guint64)capacity, body->total);
    if (!reserve(body, capacity))
        return false;
    uint8_t *data = g_try_realloc(body->data, capacity);
    if (!data)
        return false;
    body->data = data;
    body->capacity = capacity;
    return true;
}

static BodyOutcome take_sized(RequestBody *body, Reader *received)
{
    Bytes part;
    reader_take(received, (size_t)MIN(body->total - body->size, received->rest.size), &part);
    if (part.size > 0) {
        if (!grow(body, body->size + part.size))
            return BODY_NO_MEMORY;
        memcpy(body->data + body->size, part.data, part.size);
        body->size += part.size;
    }
    return body->size == body->total ? BODY_COMPLETE : BODY_MORE;
}

static BodyOutcome take_chunked(RequestBody *body, Reader *received)
{
    if (!reserve(body, body->chunks->len + received->rest.size))
        return BODY_NO_MEMORY;
    switch (chunked_decode(&body->state, received, body->limit, body->chunks)) {
    case CHUNKED_MORE:
        return BODY_MORE;
    case CHUNKED_END:
        return BODY_COMPLETE;
    case CHUNKED_TOO_LARGE:
        return BODY_TOO_LARGE;
    case CHUNKED_BAD:
        break;
    }
    return BODY_MALFORMED;
}

BodyOutcome request_body_take(RequestBody *body, Reader *received)
{
    return body->chunked ? take_chunked(body, received) : take_sized(body, received);
}

size_t request_body_size(const RequestBody *body)
{
    return body->chunked ? body->chunks->len : body->size;
}

uint8_t *request_body_steal(RequestBody *body, size_t *size)
{
    if (body->chunked) {
        gsize length;
        uint8_t *data = g_byte_array_steal(body->chunks, &length);
        *size = length;
        return data;
    }
    *size = body->size;
    body->size = body->capacity = 0;
    return g_steal_pointer(&body->data);
}

void request_body_clear(RequestBody *body)
{
    if (body->budget)
        body->budget->used -= body->reserved;
    g_clear_pointer(&body->chunks, g_byte_array_unref);
    g_free(body->data);
    *body = (RequestBody){0};
}
