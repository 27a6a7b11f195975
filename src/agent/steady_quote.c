/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.agent.tpm"

#include "agent/steady_quote.h"

#include "base/log.h"

/* The quote's digest is that of the values read beside it. */
static bool quote_matches(GBytes *message, const PcrValues *values, uint16_t hash)
{
    TpmAttest attest;
    uint8_t digest[TPM_MAX_DIGEST];
    return tpm_attest_parse(bytes_of_gbytes(message), &attest, NULL) &&
           pcr_values_digest(values, hash, digest) &&
           bytes_equal(attest.pcr_digest, bytes_of(digest, tpm_hash_size(hash)));
}

bool steady_quote(const QuoteCommands *commands, const PcrSelection *selection, Bytes nonce,
                  GBytes **message, GBytes **signature, PcrValues *values, GError **error)
{
    for (int attempt = 1; attempt <= QUOTE_TRIES; attempt++) {
        g_autoptr(GBytes) quoted = NULL;
        g_autoptr(GBytes) signed_by = NULL;
        if (!commands->read(commands->device, selection, values, error) ||
            !commands->quote(commands->device, selection, nonce, &quoted, &signed_by, error))
            return false;
        if (quote_matches(quoted, values, commands->hash)) {
            *message = g_steal_pointer(&quoted);
            *signature = g_steal_pointer(&signed_by);
            return true;
        }
        log_info("PCR data and attestation data mismatched on attempt %d", attempt);
    }
    g_set_error(error, TPM_DEVICE_ERROR, TPM_DEVICE_ERROR_REFUSED,
                "the PCRs changed during each of %d quotes", QUOTE_TRIES);
    return false;
}
