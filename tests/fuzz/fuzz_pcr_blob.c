/* SPDX-License-Identifier: Apache-2.0 */
/* PCR blob: what is accepted, written and read again, is the same selection with the same values.
 */
#include "tpm/pcr.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autofree PcrValues *values = pcr_blob_parse(bytes_of(data, size), &error);
    g_assert((values == NULL) == (error != NULL));
    if (!values)
        return 0;
    g_autoptr(GBytes) written = pcr_blob_make(values);
    g_autofree PcrValues *again = pcr_blob_parse(bytes_of_gbytes(written), NULL);
    g_assert(again && memcmp(values, again, sizeof *values) == 0);
    uint8_t digest[TPM_MAX_DIGEST];
    g_assert(pcr_values_digest(values, TPM_ALG_SHA256, digest));
    return 0;
}
