/* SPDX-License-Identifier: Apache-2.0 */
/* Stored states of measurement lists: what is read is written, and read again, the same. */
#include "evidence/ima/push.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ImaPushState) state = ima_push_state_from_text(bytes_of(data, size), &error);
    g_assert((state == NULL) == (error != NULL));
    if (!state)
        return 0;
    g_autofree char *text = ima_push_state_to_text(state);
    g_autoptr(ImaPushState) again = ima_push_state_from_text(bytes_of_text(text), NULL);
    g_assert(again);
    g_autofree char *twice = ima_push_state_to_text(again);
    g_assert(g_str_equal(text, twice));
    return 0;
}
