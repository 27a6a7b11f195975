/* SPDX-License-Identifier: Apache-2.0 */
/* The INI reader: whatever the bytes, entries are complete, and lines lie within the text. */
#include "config/ini.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_auto(IniFile) file = {0};
    ini_parse(bytes_of(data, size), &file);
    for (guint i = 0; i < file.entries->len; i++) {
        const IniEntry *entry = file.entries->pdata[i];
        g_assert(entry->section && entry->name && entry->value && *entry->name);
        g_assert(entry->line >= 1 && entry->line <= size + 1);
        g_assert(g_utf8_validate(entry->value, -1, NULL));
    }
    return 0;
}
