/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/quote.h"

#include "base/secret.h"
#include "tpm/proof.h"

/* The blob's values against what was signed: same PCRs, same digest (tpm-formats §7.7 steps 7, 8).
 */
static ProofResult check_values(const TpmAttest *attest, const PcrValues *values, uint16_t hash)
{
    uint8_t digest[TPM_MAX_DIGEST];
    if (!pcr_selection_equal(&values->selection, &attest->selection))
        return PROOF_SELECTION_DIFFERS;
    if (!pcr_values_digest(values, hash, digest) ||
        !bytes_equal(bytes_of(digest, tpm_hash_size(hash)), attest->pcr_digest))
        return PROOF_DIGEST_DIFFERS;
    return PROOF_VERIFIED;
}

ProofResult quote_verify(const QuoteInput *input, VerifiedQuote **out)
{
    *out = NULL;
    if (!input->ak || !tpm_public_check_attestation_key(input->ak, NULL))
        return PROOF_BAD_KEY;
    TpmSignature signature;
    ProofResult result =
        proof_check_signature(input->ak, input->message, input->signature, input->scheme,
                              input->hash, &input->rules, &signature);
    if (result != PROOF_VERIFIED)
        return result;

    TpmAttest attest;
    if (!tpm_attest_parse(input->message, &attest, NULL) || attest.type != TPM_ATTEST_QUOTE)
        return PROOF_MALFORMED_MESSAGE;
    if (input->nonce.size == 0 || !secret_equal(attest.extra_data, input->nonce))
        return PROOF_WRONG_NONCE;

    g_autofree PcrValues *values = pcr_blob_parse(input->pcr_blob, NULL);
    if (!values)
        return PROOF_MALFORMED_PCRS;
    result = check_values(&attest, values, signature.hash);
    if (result != PROOF_VERIFIED)
        return result;
    if ((input->required_pcrs & ~pcr_values_in_bank(values, signature.hash)) != 0)
        return PROOF_PCRS_MISSING;

    *out = g_new(VerifiedQuote, 1);
    (*out)->clock = attest.clock;
    (*out)->firmware_version = attest.firmware_version;
    (*out)->hash = signature.hash;
    (*out)->pcrs = *values;
    return PROOF_VERIFIED;
}
