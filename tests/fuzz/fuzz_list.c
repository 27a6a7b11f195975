/* SPDX-License-Identifier: Apache-2.0 */
/* The list reader: a list or a reason, never both, and elements are valid text. */
#include "config/list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *reason = NULL;
    g_auto(GStrv) elements = list_parse(bytes_of(data, size), &reason);
    g_assert((elements != NULL) == (reason == NULL));
    for (guint i = 0; elements && elements[i]; i++)
        g_assert(g_utf8_validate(elements[i], -1, NULL));
    return 0;
}
