/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence of an agent: whatever the bytes, what is taken is whole and holds the PCRs asked for. */
#include "verifier/evidence_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(Json) attributes = json_parse(bytes_of(data, size), NULL);
    g_autoptr(GPtrArray) errors = api_errors_new();
    g_auto(QuoteEvidence) evidence;
    if (!quote_evidence_read(attributes, TPM_ALG_SHA256, 1, &evidence, errors)) {
        g_assert(errors->len > 0 && !evidence.message);
        return 0;
    }
    g_assert(errors->len == 0);
    g_autofree PcrValues *values = pcr_blob_parse(bytes_of_gbytes(evidence.pcr_blob), NULL);
    g_assert(values && (pcr_values_in_bank(values, TPM_ALG_SHA256) & 1));
    json_unref(quote_data_to_json(bytes_of_gbytes(evidence.message),
                                  bytes_of_gbytes(evidence.signature),
                                  bytes_of_gbytes(evidence.pcr_blob)));
    return 0;
}
