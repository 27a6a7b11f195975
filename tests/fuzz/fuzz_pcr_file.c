/* SPDX-License-Identifier: Apache-2.0 */
/* Files of PCR values: an error or values, and each value has its bank's size. */
#include "policy-tool/pcr_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autofree PcrValues *values = pcr_file_parse(bytes_of(data, size), &error);
    g_assert((values == NULL) == (error != NULL));
    for (size_t i = 0; values && i < values->selection.count; i++) {
        uint16_t hash = values->selection.bank[i].hash;
        g_assert(values->selection.bank[i].pcrs != 0);
        for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++) {
            bool there = (values->selection.bank[i].pcrs >> pcr & 1) != 0;
            g_assert(pcr_values_get(values, hash, pcr).size == (there ? tpm_hash_size(hash) : 0));
        }
    }
    return 0;
}
