/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Borrowed bytes and a cursor over them that cannot pass its end.
 *
 * Every parser of the project reads hostile bytes through a Reader: a take either succeeds whole or
 * fails without moving, so a length from the wire can never reach beyond its message.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A view; owns nothing. `data` may be NULL when `size` is 0. */
typedef struct {
    const uint8_t *data;
    size_t size;
} Bytes;

#define BYTES_EMPTY ((Bytes){NULL, 0})
/* View of a fixed array. */
#define BYTES_OF_ARRAY(array) ((Bytes){(array), sizeof(array)})

static inline Bytes bytes_of(const void *data, size_t size)
{
    return (Bytes){data, size};
}

/* View of a NUL-terminated text without its NUL; NULL gives the empty view. */
Bytes bytes_of_text(const char *text);
/* View into an owned GBytes; valid while `owner` lives. NULL gives the empty view. */
Bytes bytes_of_gbytes(GBytes *owner);
/* View of a GByteArray's present content; NULL gives the empty view. */
Bytes bytes_of_array(const GByteArray *owner);
/* New owned copy. */
GBytes *bytes_copy(Bytes bytes);

/* Same length and content. Not for secrets: see secret_equal() in base/secret.h. */
bool bytes_equal(Bytes a, Bytes b);
bool bytes_are_zero(Bytes bytes);
/* Append a view to an array that grows. */
void bytes_append(GByteArray *array, Bytes bytes);

/* The unread rest of a message. */
typedef struct {
    Bytes rest;
} Reader;

static inline Reader reader_of(Bytes bytes)
{
    return (Reader){bytes};
}

static inline bool reader_at_end(const Reader *reader)
{
    return reader->rest.size == 0;
}

/* Each returns false, and leaves the reader where it was, when fewer bytes are left than needed. */
bool reader_take(Reader *reader, size_t size, Bytes *out);
bool reader_u8(Reader *reader, uint8_t *out);
bool reader_u16_be(Reader *reader, uint16_t *out);
bool reader_u32_be(Reader *reader, uint32_t *out);
bool reader_u64_be(Reader *reader, uint64_t *out);
bool reader_u16_le(Reader *reader, uint16_t *out);
bool reader_u32_le(Reader *reader, uint32_t *out);
bool reader_u64_le(Reader *reader, uint64_t *out);
/* A 16-bit big-endian length and that many bytes: the TPM2B of every sized TPM structure. */
bool reader_tpm2b(Reader *reader, Bytes *out);

/* Writers for the same forms. */
void append_u8(GByteArray *array, uint8_t value);
void append_u16_be(GByteArray *array, uint16_t value);
void append_u32_be(GByteArray *array, uint32_t value);
void append_u64_be(GByteArray *array, uint64_t value);
void append_u16_le(GByteArray *array, uint16_t value);
void append_u32_le(GByteArray *array, uint32_t value);
/* `bytes.size` must be below 65,536 (asserted: callers build from their own bounded data). */
void append_tpm2b(GByteArray *array, Bytes bytes);
