/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chunked transfer coding (RFC 9112 §7.1), decoded as it arrives.
 */
#pragma once

#include "base/bytes.h"

typedef struct {
    enum { CHUNK_SIZE, CHUNK_DATA, CHUNK_DATA_END, CHUNK_TRAILER } state;
    guint64 left;   /* of the present chunk */
    size_t trailer; /* bytes of trailer seen */
} ChunkedState;     /* {0} at the start of a body */

typedef enum { CHUNKED_MORE, CHUNKED_END, CHUNKED_BAD, CHUNKED_TOO_LARGE } ChunkedOutcome;

/*
 * Take from `reader` what can be taken and append the content to `body`, which never grows beyond
 * `limit` (CHUNKED_TOO_LARGE). CHUNKED_MORE leaves at most one incomplete line in the reader.
 * Trailers are read and dropped.
 */
ChunkedOutcome chunked_decode(ChunkedState *state, Reader *reader, size_t limit, GByteArray *body);
