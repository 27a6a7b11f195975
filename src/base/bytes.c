/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include <string.h>

Bytes bytes_of_text(const char *text)
{
    return text ? (Bytes){(const uint8_t *)text, strlen(text)} : BYTES_EMPTY;
}

Bytes bytes_of_gbytes(GBytes *owner)
{
    if (!owner)
        return BYTES_EMPTY;
    gsize size = 0;
    const void *data = g_bytes_get_data(owner, &size);
    return (Bytes){data, size};
}

Bytes bytes_of_array(const GByteArray *owner)
{
    return owner ? (Bytes){owner->data, owner->len} : BYTES_EMPTY;
}

GBytes *bytes_copy(Bytes bytes)
{
    return g_bytes_new(bytes.data, bytes.size);
}

bool bytes_equal(Bytes a, Bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

bool bytes_are_zero(Bytes bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        if (bytes.data[i] != 0)
            return false;
    return true;
}

void bytes_append(GByteArray *array, Bytes bytes)
{
    g_assert(bytes.size <= G_MAXUINT - array->len);
    if (bytes.size > 0)
        g_byte_array_append(array, bytes.data, (guint)bytes.size);
}

bool reader_take(Reader *reader, size_t size, Bytes *out)
{
    if (reader->rest.size < size)
        return false;
    *out = (Bytes){reader->rest.data, size};
    if (size > 0)
        reader->rest.data += size;
    reader->rest.size -= size;
    return true;
}

static bool take_be(Reader *reader, size_t size, uint64_t *out)
{
    Bytes raw;
    if (!reader_take(reader, size, &raw))
        return false;
    *out = 0;
    for (size_t i = 0; i < size; i++)
        *out = *out << 8 | raw.data[i];
    return true;
}

static bool take_le(Reader *reader, size_t size, uint64_t *out)
{
    Bytes raw;
    if (!reader_take(reader, size, &raw))
        return false;
    *out = 0;
    for (size_t i = size; i > 0; i--)
        *out = *out << 8 | raw.data[i - 1];
    return true;
}

bool reader_u8(Reader *reader, uint8_t *out)
{
    uint64_t value;
    if (!take_be(reader, sizeof *out, &value))
        return false;
    *out = (uint8_t)value;
    return true;
}

bool reader_u16_be(Reader *reader, uint16_t *out)
{
    uint64_t value;
    if (!take_be(reader, sizeof *out, &value))
        return false;
    *out = (uint16_t)value;
    return true;
}

bool reader_u32_be(Reader *reader, uint32_t *out)
{
    uint64_t value;
    if (!take_be(reader, sizeof *out, &value))
        return false;
    *out = (uint32_t)value;
    return true;
}

bool reader_u64_be(Reader *reader, uint64_t *out)
{
    return take_be(reader, sizeof *out, out);
}

bool reader_u16_le(Reader *reader, uint16_t *out)
{
    uint64_t value;
    if (!take_le(reader, sizeof *out, &value))
        return false;
    *out = (uint16_t)value;
    return true;
}

bool reader_u32_le(Reader *reader, uint32_t *out)
{
    uint64_t value;
    if (!take_le(reader, sizeof *out, &value))
        return false;
    *out = (uint32_t)value;
    return true;
}

bool reader_u64_le(Reader *reader, uint64_t *out)
{
    return take_le(reader, sizeof *out, out);
}

bool reader_tpm2b(Reader *reader, Bytes *out)
{
    Reader attempt = *reader;
    uint16_t size;
    if (!reader_u16_be(&attempt, &size) || !reader_take(&attempt, size, out))
        return false;
    *reader = attempt;
    return true;
}

static void append_be(GByteArray *array, uint64_t value, size_t size)
{
    uint8_t raw[8];
    for (size_t i = 0; i < size; i++)
        raw[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
    g_byte_array_append(array, raw, (guint)size);
}

static void append_le(GByteArray *array, uint64_t value, size_t size)
{
    uint8_t raw[8];
    for (size_t i = 0; i < size; i++)
        raw[i] = (uint8_t)(value >> (8 * i));
    g_byte_array_append(array, raw, (guint)size);
}

void append_u8(GByteArray *array, uint8_t value)
{
    append_be(array, value, sizeof value);
}

void append_u16_be(GByteArray *array, uint16_t value)
{
    append_be(array, value, sizeof value);
}

void append_u32_be(GByteArray *array, uint32_t value)
{
    append_be(array, value, sizeof value);
}

void append_u64_be(GByteArray *array, uint64_t value)
{
    append_be(array, value, sizeof value);
}

void append_u16_le(GByteArray *array, uint16_t value)
{
    append_le(array, value, sizeof value);
}

void append_u32_le(GByteArray *array, uint32_t value)
{
    append_le(array, value, sizeof value);
}

void append_tpm2b(GByteArray *array, Bytes bytes)
{
    g_assert(bytes.size <= G_MAXUINT16);
    append_u16_be(array, (uint16_t)bytes.size);
    bytes_append(array, bytes);
}
