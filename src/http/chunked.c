/* SPDX-License-Identifier: Apache-2.0 */
#include "http/chunked.h"

#include <string.h>

/* A size line: 16 digits and an extension that nobody sends. */
#define LINE_MAX_BYTES 256
#define TRAILER_MAX_BYTES (16 * 1024)

typedef enum { LINE_COMPLETE, LINE_INCOMPLETE, LINE_BAD } LineOutcome;

static LineOutcome take_line(Reader *reader, size_t limit, Bytes *line)
{
    const uint8_t *end = memchr(reader->rest.data, '\n', MIN(reader->rest.size, limit));
    if (!end)
        return reader->rest.size >= limit ? LINE_BAD : LINE_INCOMPLETE;
    size_t size = (size_t)(end - reader->rest.data);
    if (size == 0 || end[-1] != '\r')
        return LINE_BAD;
    Bytes whole;
    reader_take(reader, size + 1, &whole);
    *line = bytes_of(whole.data, size - 1);
    return LINE_COMPLETE;
}

static bool parse_size(Bytes line, guint64 *size)
{
    size_t digits = 0;
    *size = 0;
    while (digits < line.size && g_ascii_isxdigit(line.data[digits])) {
        if (digits == 15)
            return false;
        *size = *size * 16 + (guint64)g_ascii_xdigit_value((char)line.data[digits]);
        digits++;
    }
    /* What follows may be an extension, and nothing else. */
    return digits > 0 && (digits == line.size || line.data[digits] == ';');
}

static ChunkedOutcome take_size(ChunkedState *state, Reader *reader, size_t room)
{
    Bytes line;
    LineOutcome outcome = take_line(reader, LINE_MAX_BYTES, &line);
    if (outcome == LINE_INCOMPLETE)
        return CHUNKED_MORE;
    if (outcome == LINE_BAD || !parse_size(line, &state->left))
        return CHUNKED_BAD;
    if (state->left > room)
        return CHUNKED_TOO_LARGE;
    state->state = state->left == 0 ? CHUNK_TRAILER : CHUNK_DATA;
    return CHUNKED_END; /* this line is done */
}

/* True when the chunk's data has come whole. */
static bool take_data(ChunkedState *state, Reader *reader, GByteArray *body)
{
    Bytes part;
    reader_take(reader, (size_t)MIN(state->left, reader->rest.size), &part);
    bytes_append(body, part);
    state->left -= part.size;
    if (state->left > 0)
        return false;
    state->state = CHUNK_DATA_END;
    return true;
}

static ChunkedOutcome take_data_end(ChunkedState *state, Reader *reader)
{
    Bytes end;
    if (!reader_take(reader, 2, &end))
        return CHUNKED_MORE;
    if (memcmp(end.data, "\r\n", 2) != 0)
        return CHUNKED_BAD;
    state->state = CHUNK_SIZE;
    return CHUNKED_END;
}

/* True in *last at the blank line that ends the body. */
static ChunkedOutcome take_trailer(ChunkedState *state, Reader *reader, bool *last)
{
    Bytes line;
    LineOutcome outcome = take_line(reader, TRAILER_MAX_BYTES, &line);
    if (outcome == LINE_INCOMPLETE)
        return CHUNKED_MORE;
    if (outcome == LINE_BAD)
        return CHUNKED_BAD;
    state->trailer += line.size + 2;
    *last = line.size == 0;
    return state->trailer > TRAILER_MAX_BYTES ? CHUNKED_BAD : CHUNKED_END;
}

ChunkedOutcome chunked_decode(ChunkedState *state, Reader *reader, size_t limit, GByteArray *body)
{
    while (!reader_at_end(reader)) {
        ChunkedOutcome outcome = CHUNKED_END;
        bool last = false;
        switch (state->state) {
        case CHUNK_SIZE:
            outcome = take_size(state, reader, limit - body->len);
            break;
        case CHUNK_DATA:
            outcome = take_data(state, reader, body) ? CHUNKED_END : CHUNKED_MORE;
            break;
        case CHUNK_DATA_END:
            outcome = take_data_end(state, reader);
            break;
        case CHUNK_TRAILER:
            outcome = take_trailer(state, reader, &last);
            break;
        }
        if (outcome != CHUNKED_END || last)
            return outcome;
    }
    return CHUNKED_MORE;
}
