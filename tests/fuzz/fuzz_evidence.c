/* SPDX-License-Identifier: Apache-2.0 */
/* Evidence of an agent: whatever the bytes, what is taken is whole and holds the PCRs asked for.
 * Once as the answer to a quote alone, once with both logs. */
#include "verifier/attestation/evidence_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_taken(const Evidence *evidence, const AskedLogs *logs)
{
    g_autofree PcrValues *values = pcr_blob_parse(bytes_of_gbytes(evidence->pcr_blob), NULL);
    g_assert(values && (pcr_values_in_bank(values, TPM_ALG_SHA256) & 1));
    json_unref(quote_data_to_json(bytes_of_gbytes(evidence->message),
                                  bytes_of_gbytes(evidence->signature),
                                  bytes_of_gbytes(evidence->pcr_blob)));
    g_assert((evidence->log[LOG_IMA] != NULL) == logs->log[LOG_IMA].asked);
    for (unsigned kind = 0; kind < LOG_KINDS; kind++)
        json_unref(log_data_to_json((LogKind)kind, &logs->log[kind], evidence->log[kind]));
}

static void read_once(Bytes text, const AskedLogs *logs)
{
    g_autoptr(Json) attributes = json_parse(text, NULL);
    g_autoptr(GPtrArray) errors = api_errors_new();
    g_auto(Evidence) evidence;
    AskedEvidence asked = {TPM_ALG_SHA256, 1, logs};
    if (evidence_read(attributes, &asked, &evidence, errors)) {
        g_assert(errors->len == 0);
        check_taken(&evidence, logs);
    } else {
        g_assert(errors->len > 0 && !evidence.message && !evidence.log[LOG_IMA]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AskedLogs none = {0};
    AskedLogs both = {.log = {[LOG_UEFI] = {.asked = true},
                              [LOG_IMA] = {.asked = true, .announced = 3, .offset = 2}}};
    read_once(bytes_of(data, size), &none);
    read_once(bytes_of(data, size), &both);
    return 0;
}
