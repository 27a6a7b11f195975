/* SPDX-License-Identifier: Apache-2.0 */
/* Measurement lists: every entry's template data have the size that its fields say, and all views
 * lie where they may. */
#include "evidence/ima/log.h"
#include "evidence/ima/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Characters: what upstream counts. */
static size_t size_of_label(Bytes label)
{
    size_t size = 0;
    for (size_t i = 0; i < label.size; i++)
        size += (label.data[i] & 0xc0) != 0x80;
    return size;
}

static size_t size_of_field(const ImaField *field)
{
    switch (field->kind) {
    case IMA_FIELD_DIGEST_BARE:
        return field->value.size;
    case IMA_FIELD_NAME_PADDED:
        return 256;
    case IMA_FIELD_DIGEST:
    case IMA_FIELD_DIGEST_TYPED:
        return 4 + size_of_label(field->label) + 2 + field->value.size;
    case IMA_FIELD_DIGEST_MAYBE:
        return 4 + (field->label.size + field->value.size > 0
                        ? size_of_label(field->label) + 2 + field->value.size
                        : 0);
    case IMA_FIELD_NAME:
        return 4 + field->value.size + 1;
    case IMA_FIELD_NAMES_MAYBE:
        return 4 + (field->value.size > 0 ? field->value.size + 1 : 0);
    default:
        return 4 + field->value.size;
    }
}

static void check_entry(const ImaLog *log, const ImaEntry *entry)
{
    size_t expected = 0, decoded = entry->template_hash.size;
    for (size_t i = 0; i < entry->field_count; i++) {
        expected += size_of_field(&entry->field[i]);
        ImaFieldKind kind = entry->field[i].kind;
        if (kind != IMA_FIELD_NAME && kind != IMA_FIELD_NAME_PADDED &&
            kind != IMA_FIELD_NAMES_MAYBE)
            decoded += entry->field[i].value.size;
    }
    g_assert(decoded <= ima_entry_memory(entry->line.size) && decoded <= log->memory_size);
    g_autoptr(GByteArray) out = g_byte_array_new();
    ima_template_append(entry, out);
    g_assert(out->len == expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_auto(ImaLog) log;
    ima_log_init(&log, bytes_of(data, size), size % 2 == 0);
    ImaEntry entry;
    const char *reason;
    for (ImaLogItem item; (item = ima_log_next(&log, &entry, &reason)) != IMA_LOG_END;) {
        g_assert((item == IMA_LOG_BROKEN) == (item != IMA_LOG_BLANK && reason != NULL));
        if (item == IMA_LOG_ENTRY)
            check_entry(&log, &entry);
    }
    g_assert(log.line <= ima_log_count(bytes_of(data, size)) + 1 && log.entry <= log.line);
    return 0;
}
