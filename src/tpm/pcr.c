/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/pcr.h"

#include "tpm/openssl.h"

#include <string.h>

/* The blob is the memory image of structures with room for this many (tpm-formats §7.4). */
#define BLOB_SELECTION_SLOTS 16
#define BLOB_VALUES_PER_LIST 8
#define BLOB_LIST_SIZE (4 + BLOB_VALUES_PER_LIST * (2 + TPM_MAX_DIGEST))
/* Sixteen banks of 24 PCRs in lists of at least four values: more is no TPM's answer. */
#define BLOB_MAX_LISTS 96
#define BLOB_BITMAP_BYTES 3

/* Position of a bank, or -1. */
static int bank_index(const PcrSelection *selection, uint16_t hash)
{
    for (size_t i = 0; i < selection->count; i++)
        if (selection->bank[i].hash == hash)
            return (int)i;
    return -1;
}

bool pcr_selection_add(PcrSelection *selection, uint16_t hash, uint32_t pcrs)
{
    if (tpm_hash_size(hash) == 0 || selection->count >= PCR_MAX_BANKS ||
        bank_index(selection, hash) >= 0 || pcrs >> PCR_COUNT != 0)
        return false;
    selection->bank[selection->count].hash = hash;
    selection->bank[selection->count].pcrs = pcrs;
    selection->count++;
    return true;
}

bool pcr_selection_equal(const PcrSelection *a, const PcrSelection *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (a->bank[i].hash != b->bank[i].hash || a->bank[i].pcrs != b->bank[i].pcrs)
            return false;
    return true;
}

Bytes pcr_values_get(const PcrValues *values, uint16_t hash, unsigned pcr)
{
    int bank = bank_index(&values->selection, hash);
    if (bank < 0 || pcr >= PCR_COUNT || !(values->selection.bank[bank].pcrs >> pcr & 1))
        return BYTES_EMPTY;
    return bytes_of(values->value[bank][pcr], tpm_hash_size(hash));
}

uint32_t pcr_values_in_bank(const PcrValues *values, uint16_t hash)
{
    int bank = bank_index(&values->selection, hash);
    return bank < 0 ? 0 : values->selection.bank[bank].pcrs;
}

bool pcr_values_set(PcrValues *values, uint16_t hash, unsigned pcr, Bytes value)
{
    int bank = bank_index(&values->selection, hash);
    if (bank < 0 || pcr >= PCR_COUNT || !(values->selection.bank[bank].pcrs >> pcr & 1) ||
        value.size != tpm_hash_size(hash))
        return false;
    memcpy(values->value[bank][pcr], value.data, value.size);
    return true;
}

static bool malformed(GError **error, const char *what)
{
    g_set_error(error, TPM_ERROR, TPM_ERROR_MALFORMED, "PCR blob: %s", what);
    return false;
}

static bool read_selection(Reader *reader, PcrSelection *selection, GError **error)
{
    uint32_t count;
    Bytes slots;
    if (!reader_u32_le(reader, &count) || !reader_take(reader, BLOB_SELECTION_SLOTS * 8, &slots))
        return malformed(error, "ends in the selection list");
    if (count > BLOB_SELECTION_SLOTS)
        return malformed(error, "more selections than there is room for");
    Reader slot = reader_of(slots);
    for (uint32_t i = 0; i < count; i++) {
        uint16_t hash;
        uint8_t size;
        Bytes bitmap, padding;
        if (!reader_u16_le(&slot, &hash) || !reader_u8(&slot, &size) ||
            !reader_take(&slot, BLOB_BITMAP_BYTES, &bitmap) || !reader_take(&slot, 2, &padding))
            return malformed(error, "ends in a selection");
        if (size != BLOB_BITMAP_BYTES || !bytes_are_zero(padding))
            return malformed(error, "a selection is not of three bytes");
        uint32_t pcrs =
            bitmap.data[0] | (uint32_t)bitmap.data[1] << 8 | (uint32_t)bitmap.data[2] << 16;
        if (!pcr_selection_add(selection, hash, pcrs))
            return malformed(error, "a selection names an unknown bank, or a bank twice");
    }
    if (!bytes_are_zero(slot.rest))
        return malformed(error, "unused selections are not empty");
    return true;
}

/* Values arrive in lists, whose borders mean nothing: one stream over all lists. */
typedef struct {
    Reader reader;
    uint32_t lists;     /* not begun */
    uint32_t remaining; /* values in the present list */
    uint32_t unused;    /* empty slots at the end of the present list */
} ValueStream;

static bool skip_unused(ValueStream *stream)
{
    Bytes unused;
    return reader_take(&stream->reader, (size_t)stream->unused * (2 + TPM_MAX_DIGEST), &unused) &&
           bytes_are_zero(unused);
}

/* Moves to the next list that holds a value; false at the end or when a list is malformed. */
static bool next_list(ValueStream *stream, bool *at_end, GError **error)
{
    *at_end = false;
    while (stream->remaining == 0) {
        if (!skip_unused(stream))
            return malformed(error, "unused values are not empty");
        stream->unused = 0;
        if (stream->lists == 0) {
            *at_end = true;
            return true;
        }
        if (!reader_u32_le(&stream->reader, &stream->remaining))
            return malformed(error, "ends in a list of values");
        if (stream->remaining > BLOB_VALUES_PER_LIST)
            return malformed(error, "a list claims more than eight values");
        stream->unused = BLOB_VALUES_PER_LIST - stream->remaining;
        stream->lists--;
    }
    return true;
}

static bool read_value(ValueStream *stream, size_t digest_size, uint8_t *out, GError **error)
{
    bool at_end;
    uint16_t size;
    Bytes buffer;
    if (!next_list(stream, &at_end, error))
        return false;
    if (at_end)
        return malformed(error, "fewer values than selected PCRs");
    if (!reader_u16_le(&stream->reader, &size) ||
        !reader_take(&stream->reader, TPM_MAX_DIGEST, &buffer))
        return malformed(error, "ends in a value");
    /* Any other size would let one concatenation of values be cut into different ones under the
     * same signed digest. */
    if (size != digest_size)
        return malformed(error, "a value does not have the size of its bank's digest");
    if (!bytes_are_zero(bytes_of(buffer.data + size, buffer.size - size)))
        return malformed(error, "a value is not padded with zeros");
    memcpy(out, buffer.data, size);
    stream->remaining--;
    return true;
}

static bool read_values(Reader *reader, PcrValues *values, GError **error)
{
    ValueStream stream = {.remaining = 0};
    if (!reader_u32_le(reader, &stream.lists))
        return malformed(error, "ends before the values");
    if (stream.lists > BLOB_MAX_LISTS || reader->rest.size != (size_t)stream.lists * BLOB_LIST_SIZE)
        return malformed(error, "length does not fit the number of lists");
    stream.reader = *reader;
    for (size_t bank = 0; bank < values->selection.count; bank++) {
        size_t size = tpm_hash_size(values->selection.bank[bank].hash);
        for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++)
            if ((values->selection.bank[bank].pcrs >> pcr & 1) &&
                !read_value(&stream, size, values->value[bank][pcr], error))
                return false;
    }
    bool at_end;
    if (!next_list(&stream, &at_end, error))
        return false;
    return at_end || malformed(error, "more values than selected PCRs");
}

PcrValues *pcr_blob_parse(Bytes blob, GError **error)
{
    g_autofree PcrValues *values = g_new0(PcrValues, 1);
    Reader reader = reader_of(blob);
    if (!read_selection(&reader, &values->selection, error) || !read_values(&reader, values, error))
        return NULL;
    return g_steal_pointer(&values);
}

static void append_zeros(GByteArray *out, size_t count)
{
    guint length = out->len;
    g_byte_array_set_size(out, length + (guint)count);
    memset(out->data + length, 0, count);
}

static void append_selection(GByteArray *out, const PcrSelection *selection)
{
    append_u32_le(out, (uint32_t)selection->count);
    for (size_t i = 0; i < selection->count; i++) {
        append_u16_le(out, selection->bank[i].hash);
        append_u8(out, BLOB_BITMAP_BYTES);
        append_u32_le(out, selection->bank[i].pcrs);
        append_u8(out, 0);
    }
    append_zeros(out, (BLOB_SELECTION_SLOTS - selection->count) * 8);
}

GBytes *pcr_blob_make(const PcrValues *values)
{
    const PcrSelection *selection = &values->selection;
    size_t total = 0;
    for (size_t bank = 0; bank < selection->count; bank++)
        total += (size_t)__builtin_popcount(selection->bank[bank].pcrs);
    size_t lists = (total + BLOB_VALUES_PER_LIST - 1) / BLOB_VALUES_PER_LIST;

    GByteArray *out = g_byte_array_sized_new((guint)(136 + lists * BLOB_LIST_SIZE));
    append_selection(out, selection);
    append_u32_le(out, (uint32_t)lists);
    size_t written = 0;
    for (size_t bank = 0; bank < selection->count; bank++) {
        size_t size = tpm_hash_size(selection->bank[bank].hash);
        for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++) {
            if (!(selection->bank[bank].pcrs >> pcr & 1))
                continue;
            if (written % BLOB_VALUES_PER_LIST == 0)
                append_u32_le(out, (uint32_t)MIN(total - written, BLOB_VALUES_PER_LIST));
            append_u16_le(out, (uint16_t)size);
            bytes_append(out, bytes_of(values->value[bank][pcr], size));
            append_zeros(out, TPM_MAX_DIGEST - size);
            written++;
        }
    }
    append_zeros(out, (lists * BLOB_VALUES_PER_LIST - written) * (2 + TPM_MAX_DIGEST));
    return g_byte_array_free_to_bytes(out);
}

bool pcr_values_digest(const PcrValues *values, uint16_t hash, uint8_t out[TPM_MAX_DIGEST])
{
    const EVP_MD *md = tpm_hash_md(hash);
    g_autoptr(EVP_MD_CTX) context = EVP_MD_CTX_new();
    if (!md || !context || EVP_DigestInit_ex2(context, md, NULL) != 1)
        return false;
    for (size_t bank = 0; bank < values->selection.count; bank++) {
        size_t size = tpm_hash_size(values->selection.bank[bank].hash);
        for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++)
            if ((values->selection.bank[bank].pcrs >> pcr & 1) &&
                EVP_DigestUpdate(context, values->value[bank][pcr], size) != 1)
                return false;
    }
    return EVP_DigestFinal_ex(context, out, NULL) == 1;
}
