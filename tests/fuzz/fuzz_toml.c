/* SPDX-License-Identifier: Apache-2.0 */
/* toml++ and the flattening of its tree: entries or a problem, never both. */
#include "config/toml.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *problem = NULL;
    g_autoptr(GPtrArray) entries = toml_read(data, size, &problem);
    g_assert((entries != NULL) == (problem == NULL));
    for (guint i = 0; entries && i < entries->len; i++) {
        const TomlEntry *entry = entries->pdata[i];
        g_assert(entry->table && entry->name && entry->text);
        g_assert((entry->type == TOML_LIST) == (entry->list != NULL));
    }
    return 0;
}
