/* SPDX-License-Identifier: Apache-2.0 */
/* Forms of log lines, and the texts in them: whatever the bytes, one line of UTF-8 comes out. */
#include "base/bytes.h"
#include "base/log_line.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    /* The bytes up to a zero are the form, the others the message. */
    g_autofree char *format = g_strndup((const char *)data, size);
    size_t used = MIN(size, strlen(format) + 1);
    g_autofree char *message = g_strndup((const char *)data + used, size - used);
    g_autoptr(GPtrArray) unknown = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *reason = NULL;
    g_autoptr(LogLine) line = log_line_parse(format, "%H", unknown, &reason);
    g_assert((line == NULL) == (reason != NULL));
    g_autoptr(GString) text = g_string_new(NULL);
    log_line_append_text(text, message);
    g_assert(g_utf8_validate(text->str, (gssize)text->len, NULL));
    g_assert(!memchr(text->str, '\n', text->len));
    g_autofree char *valid = g_utf8_make_valid(message, -1);
    g_autoptr(GString) json = g_string_new(NULL);
    log_line_append_json(json, valid);
    g_assert(g_utf8_validate(json->str, (gssize)json->len, NULL));
    g_assert(!memchr(json->str, '\n', json->len));
    LogRecord record = {.name = "a", .level = "INFO", .message = message, .request_id = ""};
    if (line)
        log_line_append(line, &record, text);
    return 0;
}
