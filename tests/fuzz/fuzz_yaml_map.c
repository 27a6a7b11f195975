/* SPDX-License-Identifier: Apache-2.0 */
/* The key store's YAML (pki/yaml_map.h). */
#include "pki/yaml_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup(size ? (const char *)data : "", size);
    const char *reason = NULL;
    g_autoptr(GHashTable) map = yaml_map_parse(text, &reason);
    g_assert((map == NULL) == (reason != NULL));
    return 0;
}
