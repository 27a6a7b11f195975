/* SPDX-License-Identifier: Apache-2.0 */
/* TPM2B_PUBLIC: what is accepted is written back as it came, has a name, and plays at most one
 * role. */
#include "tpm/public.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Bytes input = bytes_of(data, size);
    g_autoptr(GError) error = NULL;
    g_autoptr(TpmPublic) public = tpm_public_from_tpm2b(input, &error);
    g_assert((public == NULL) == (error != NULL));
    if (!public)
        return 0;
    g_autoptr(GBytes) written = tpm_public_to_tpm2b(public);
    g_assert(bytes_equal(bytes_of_gbytes(written), input));
    g_assert(public->key && public->name_size == 2 + tpm_hash_size(public->name_alg));
    g_autofree char *pem = tpm_public_to_pem(public);
    g_assert(g_str_has_prefix(pem, "-----BEGIN PUBLIC KEY-----\n"));
    int roles = tpm_public_check_attestation_key(public, NULL) +
                tpm_public_check_endorsement_key(public, NULL);
    g_assert(roles <= 1);
    return 0;
}
