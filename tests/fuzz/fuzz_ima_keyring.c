/* SPDX-License-Identifier: Apache-2.0 */
/* Keyring texts: what is written again is read as the same keys. */
#include "policy/ima_keyring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Bytes text = bytes_of(data, size);
    g_autoptr(GError) error = NULL;
    g_autoptr(ImaKeyring) ring = ima_keyring_parse(text, &ima_keyring_rules_default, &error);
    g_assert((ring == NULL) == (error != NULL));
    g_autoptr(ImaKeyring) strict = ima_keyring_parse(text, &ima_keyring_rules_enrolment, NULL);
    g_assert(ring || !strict);
    ima_keyring_check_form(text, NULL);
    if (!ring)
        return 0;
    g_autofree char *written = ima_keyring_to_text(ring);
    g_autoptr(ImaKeyring) again =
        ima_keyring_parse(bytes_of_text(written), &ima_keyring_rules_default, NULL);
    g_assert(again && ima_keyring_size(again) == ima_keyring_size(ring));
    return 0;
}
