/* SPDX-License-Identifier: Apache-2.0 */
/* Credential blob: parts lie within it, and no made-up blob opens under a fixed key. */
#include "tpm/credential.h"

#include "tpm/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static EVP_PKEY *key;
    static TpmPublic *ek;
    static const uint8_t name[34] = {0, 0x0b};
    if (!ek) {
        TpmTemplate keys;
        g_assert(tpm_template_ek("ecc256", &keys));
        key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
        g_autoptr(GBytes) tpmt = tpm_template_public(&keys, key, NULL);
        ek = tpm_public_from_tpmt(bytes_of_gbytes(tpmt), NULL);
    }
    Bytes id_object, secret;
    Bytes blob = bytes_of(data, size);
    if (credential_parse(blob, &id_object, &secret, NULL))
        g_assert(12 + id_object.size + secret.size == size);
    g_autoptr(GError) error = NULL;
    g_assert(!credential_open(ek, key, BYTES_OF_ARRAY(name), blob, &error) && error);
    return 0;
}
