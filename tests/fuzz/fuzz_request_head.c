/* SPDX-License-Identifier: Apache-2.0 */
/* A connection's first bytes: the head of a request, whole and cut in two, and a chunked body. */
#include "http/chunked.h"
#include "http/message_parts.h"
#include "http/request_head.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static HeadOutcome parse(Bytes input, size_t first, HttpRequest *request, RequestHead *head,
                         size_t *taken)
{
    size_t scanned = 0;
    HeadError error = {0};
    HeadOutcome outcome = HEAD_INCOMPLETE;
    if (first > 0)
        outcome =
            request_head_parse(bytes_of(input.data, first), &scanned, head, taken, request, &error);
    if (outcome == HEAD_INCOMPLETE)
        outcome = request_head_parse(input, &scanned, head, taken, request, &error);
    g_assert((outcome == HEAD_BAD) == (error.status != 0));
    return outcome;
}

static void decode(Bytes input)
{
    g_autoptr(GByteArray) body = g_byte_array_new();
    ChunkedState state = {0};
    Reader reader = reader_of(input);
    chunked_decode(&state, &reader, 4096, body);
    g_assert(body->len <= 4096);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    Bytes input = {data + 1, size - 1};
    g_autoptr(HttpRequest) request = http_request_empty();
    RequestHead head;
    size_t taken = 0;
    HeadOutcome outcome = parse(input, MIN((size_t)data[0], input.size), request, &head, &taken);
    if (outcome == HEAD_COMPLETE) {
        g_assert(taken <= input.size);
        g_assert(request->path && request->major <= 3);
        http_request_query(request, "q");
        http_request_header(request, "Host");
        g_assert(!(head.chunked && head.body_size > 0));
        decode(bytes_of(input.data + taken, input.size - taken));
    }
    decode(input);
    return 0;
}
