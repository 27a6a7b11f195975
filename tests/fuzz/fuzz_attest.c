/* SPDX-License-Identifier: Apache-2.0 */
/* TPMS_ATTEST: what is accepted is written back as it came. */
#include "tpm/marshal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    TpmAttest attest;
    g_autoptr(GError) error = NULL;
    bool read = tpm_attest_parse(bytes_of(data, size), &attest, &error);
    g_assert(read == (error == NULL));
    if (!read)
        return 0;
    g_autoptr(GBytes) written = tpm_attest_marshal(&attest);
    g_assert(bytes_equal(bytes_of_gbytes(written), bytes_of(data, size)));
    return 0;
}
