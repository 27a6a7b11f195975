/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/ima/template.h"

#include <string.h>

/* Most template data are below 200 bytes: they reach the digests in one call. */
enum { WRITER_MEMORY = 512 };

typedef struct TemplateWriter TemplateWriter;
struct TemplateWriter {
    bool (*put)(void *target, Bytes bytes);
    void *target;
    bool failed;
    size_t used;
    uint8_t memory[WRITER_MEMORY];
};

static void flush(TemplateWriter *writer)
{
    if (writer->used > 0 && !writer->put(writer->target, bytes_of(writer->memory, writer->used)))
        writer->failed = true;
    writer->used = 0;
}

static void write_bytes(TemplateWriter *writer, Bytes bytes)
{
    if (bytes.size > WRITER_MEMORY - writer->used)
        flush(writer);
    if (bytes.size > WRITER_MEMORY) {
        if (!writer->put(writer->target, bytes))
            writer->failed = true;
        return;
    }
    if (bytes.size > 0)
        memcpy(writer->memory + writer->used, bytes.data, bytes.size);
    writer->used += bytes.size;
}

/* Little-endian on every host. */
static void write_size(TemplateWriter *writer, size_t size)
{
    const uint8_t raw[4] = {(uint8_t)size, (uint8_t)(size >> 8), (uint8_t)(size >> 16),
                            (uint8_t)(size >> 24)};
    write_bytes(writer, BYTES_OF_ARRAY(raw));
}

/* Upstream counts characters and cuts the bytes to their number; names of algorithms are ASCII on
 * every machine that exists. */
static Bytes label_as_hashed(Bytes label)
{
    size_t characters = 0;
    for (size_t i = 0; i < label.size; i++)
        characters += (label.data[i] & 0xc0) != 0x80;
    return bytes_of(label.data, characters);
}

static void write_digest(TemplateWriter *writer, const ImaField *field)
{
    Bytes label = label_as_hashed(field->label);
    write_size(writer, label.size + 2 + field->value.size);
    write_bytes(writer, label);
    write_bytes(writer, bytes_of(":", 2)); /* its NUL belongs to it */
    write_bytes(writer, field->value);
}

static void write_field(TemplateWriter *writer, const ImaField *field)
{
    static const uint8_t zeros[IMA_PADDED_NAME_MAX + 1];
    switch (field->kind) {
    case IMA_FIELD_DIGEST_BARE:
        write_bytes(writer, field->value);
        break;
    case IMA_FIELD_NAME_PADDED:
        write_bytes(writer, field->value);
        write_bytes(writer, bytes_of(zeros, sizeof zeros - field->value.size));
        break;
    case IMA_FIELD_DIGEST_MAYBE:
        if (field->label.size == 0 && field->value.size == 0) {
            write_size(writer, 0);
            break;
        }
        /* fall through */
    case IMA_FIELD_DIGEST:
    case IMA_FIELD_DIGEST_TYPED:
        write_digest(writer, field);
        break;
    case IMA_FIELD_NAMES_MAYBE:
        if (field->value.size == 0) {
            write_size(writer, 0);
            break;
        }
        /* fall through */
    case IMA_FIELD_NAME:
        write_size(writer, field->value.size + 1);
        write_bytes(writer, field->value);
        write_bytes(writer, bytes_of(zeros, 1));
        break;
    case IMA_FIELD_SIGNATURE:
    case IMA_FIELD_BYTES:
    case IMA_FIELD_UINT32:
    case IMA_FIELD_UINT16:
        write_size(writer, field->value.size);
        write_bytes(writer, field->value);
        break;
    case IMA_FIELD_END:
        break;
    }
}

static bool write_entry(TemplateWriter *writer, const ImaEntry *entry)
{
    for (size_t i = 0; i < entry->field_count; i++)
        write_field(writer, &entry->field[i]);
    flush(writer);
    return !writer->failed;
}

static bool put_in_array(void *target, Bytes bytes)
{
    bytes_append(target, bytes);
    return true;
}

void ima_template_append(const ImaEntry *entry, GByteArray *out)
{
    TemplateWriter writer;
    writer.put = put_in_array;
    writer.target = out;
    writer.failed = false;
    writer.used = 0;
    write_entry(&writer, entry);
}

struct ImaHasher {
    EVP_MD_CTX *column; /* NULL when the bank has the same algorithm */
    EVP_MD_CTX *bank;
    size_t bank_size;
    TemplateWriter writer;
};

static bool put_in_digests(void *target, Bytes bytes)
{
    ImaHasher *hasher = target;
    return EVP_DigestUpdate(hasher->bank, bytes.data, bytes.size) == 1 &&
           (!hasher->column || EVP_DigestUpdate(hasher->column, bytes.data, bytes.size) == 1);
}

static EVP_MD_CTX *context_of(uint16_t algorithm)
{
    const EVP_MD *md = tpm_hash_md(algorithm);
    EVP_MD_CTX *context = md ? EVP_MD_CTX_new() : NULL;
    if (context && EVP_DigestInit_ex2(context, md, NULL) != 1)
        g_clear_pointer(&context, EVP_MD_CTX_free);
    return context;
}

ImaHasher *ima_hasher_new(uint16_t log_algorithm, uint16_t bank)
{
    g_autoptr(ImaHasher) hasher = g_new0(ImaHasher, 1);
    hasher->bank = context_of(bank);
    hasher->bank_size = tpm_hash_size(bank);
    if (!hasher->bank)
        return NULL;
    if (log_algorithm != bank && !(hasher->column = context_of(log_algorithm)))
        return NULL;
    hasher->writer.put = put_in_digests;
    hasher->writer.target = hasher;
    return g_steal_pointer(&hasher);
}

void ima_hasher_free(ImaHasher *hasher)
{
    if (!hasher)
        return;
    EVP_MD_CTX_free(hasher->column);
    EVP_MD_CTX_free(hasher->bank);
    g_free(hasher);
}

/* A context that was set up once takes its algorithm again without a search for it. */
static bool restart(EVP_MD_CTX *context)
{
    return EVP_DigestInit_ex2(context, NULL, NULL) == 1;
}

bool ima_hasher_entry(ImaHasher *hasher, const ImaEntry *entry, ImaTemplateDigests *out)
{
    hasher->writer.failed = false;
    if (!restart(hasher->bank) || (hasher->column && !restart(hasher->column)) ||
        !write_entry(&hasher->writer, entry) ||
        EVP_DigestFinal_ex(hasher->bank, out->extended, NULL) != 1)
        return false;
    if (hasher->column)
        return EVP_DigestFinal_ex(hasher->column, out->column, NULL) == 1;
    memcpy(out->column, out->extended, hasher->bank_size);
    return true;
}

bool ima_hasher_extend(ImaHasher *hasher, uint8_t *pcr, const uint8_t *value)
{
    uint8_t both[2 * TPM_MAX_DIGEST];
    memcpy(both, pcr, hasher->bank_size);
    memcpy(both + hasher->bank_size, value, hasher->bank_size);
    return restart(hasher->bank) &&
           EVP_DigestUpdate(hasher->bank, both, 2 * hasher->bank_size) == 1 &&
           EVP_DigestFinal_ex(hasher->bank, pcr, NULL) == 1;
}
