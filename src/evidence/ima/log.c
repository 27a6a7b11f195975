/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/ima/log.h"

#include <string.h>

void ima_log_init(ImaLog *log, Bytes text, bool all_templates)
{
    *log = (ImaLog){.rest = text, .all_templates = all_templates};
}

void ima_log_clear(ImaLog *log)
{
    g_clear_pointer(&log->memory, g_free);
    log->memory_size = 0;
}

/* Only LF ends a line; the last one may lack it (ima §2.1). */
static Bytes take_line(Bytes *rest)
{
    const uint8_t *end = memchr(rest->data, '\n', rest->size);
    size_t size = end ? (size_t)(end - rest->data) : rest->size;
    Bytes line = bytes_of(rest->data, size);
    size_t taken = end ? size + 1 : size;
    *rest = bytes_of(rest->data + taken, rest->size - taken);
    return line;
}

ImaLogItem ima_log_next(ImaLog *log, ImaEntry *entry, const char **reason)
{
    if (log->rest.size == 0)
        return IMA_LOG_END;
    Bytes line = take_line(&log->rest);
    log->line++;
    if (line.size == 0)
        return IMA_LOG_BLANK;
    log->entry++;
    if (log->memory_size < ima_entry_memory(line.size)) {
        g_free(log->memory);
        log->memory_size = 2 * ima_entry_memory(line.size);
        log->memory = g_malloc(log->memory_size);
    }
    *reason = ima_entry_parse(line, log->all_templates, log->memory, entry);
    entry->line = line;
    return *reason ? IMA_LOG_BROKEN : IMA_LOG_ENTRY;
}

guint64 ima_log_count(Bytes text)
{
    guint64 count = 0;
    while (text.size > 0) {
        const uint8_t *end = memchr(text.data, '\n', text.size);
        if (!end)
            break;
        count++;
        text = bytes_of(end + 1, text.size - (size_t)(end + 1 - text.data));
    }
    return count;
}
