/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and certificates: what is read is RSA or EC, and its public form is read as the same key. */
#include "policy/ima_key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ImaKey) key = ima_key_parse(bytes_of(data, size), &error);
    g_assert((key == NULL) == (error != NULL));
    if (!key)
        return 0;
    g_autoptr(ImaKey) again = ima_key_parse_public(ima_key_spki(key), NULL);
    g_assert(again && bytes_equal(ima_key_identity(key), ima_key_identity(again)));
    g_assert(ima_key_kind(key) == ima_key_kind(again) && ima_key_pkey(key));
    return 0;
}
