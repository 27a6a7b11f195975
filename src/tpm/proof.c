/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/proof.h"

const char *proof_result_text(ProofResult result)
{
    static const char *const texts[] = {
        [PROOF_UNCHECKED] = "the proof was not checked",
        [PROOF_VERIFIED] = "verified",
        [PROOF_BAD_KEY] = "the attestation key is not a restricted signing key of a TPM",
        [PROOF_MALFORMED_SIGNATURE] = "the signature cannot be read",
        [PROOF_ALGORITHM_NOT_ALLOWED] = "the signature's scheme or hash is not the key's, not the "
                                        "negotiated one or not accepted",
        [PROOF_BAD_SIGNATURE] = "the signature does not verify with the attestation key",
        [PROOF_MALFORMED_MESSAGE] =
            "the signed structure is not the expected one or cannot be read",
        [PROOF_WRONG_NONCE] = "the nonce in the signed structure is not the one that was sent",
        [PROOF_WRONG_OBJECT] = "the signed structure certifies another key",
        [PROOF_MALFORMED_PCRS] = "the PCR values cannot be read",
        [PROOF_SELECTION_DIFFERS] = "the PCR values are not of the PCRs that were signed",
        [PROOF_DIGEST_DIFFERS] = "the PCR values are not the ones that were signed",
        [PROOF_PCRS_MISSING] = "the quote lacks PCRs that were asked for",
    };
    return (size_t)result < G_N_ELEMENTS(texts) ? texts[result] : texts[PROOF_UNCHECKED];
}

/* SHA-1 counts only where a list names it; without a list the three SHA-2 hashes do (decision D6).
 */
static bool rules_allow_hash(const ProofRules *rules, uint16_t hash)
{
    if (!rules->hashes)
        return hash == TPM_ALG_SHA256 || hash == TPM_ALG_SHA384 || hash == TPM_ALG_SHA512;
    return g_strv_contains(rules->hashes, tpm_algorithm_name(hash));
}

static bool rules_allow_scheme(const ProofRules *rules, uint16_t scheme)
{
    return !rules->schemes || g_strv_contains(rules->schemes, tpm_algorithm_name(scheme));
}

static bool fits_key(const TpmPublic *key, const TpmSignature *signature)
{
    return key->scheme == TPM_ALG_NULL ||
           (signature->scheme == key->scheme && signature->hash == key->scheme_hash);
}

ProofResult proof_check_signature(const TpmPublic *key, Bytes message, Bytes signature,
                                  uint16_t scheme, uint16_t hash, const ProofRules *rules,
                                  TpmSignature *used)
{
    if (!tpm_signature_parse(signature, used, NULL))
        return PROOF_MALFORMED_SIGNATURE;
    if (!fits_key(key, used) || (scheme != 0 && used->scheme != scheme) ||
        (hash != 0 && used->hash != hash) || !rules_allow_scheme(rules, used->scheme) ||
        !rules_allow_hash(rules, used->hash))
        return PROOF_ALGORITHM_NOT_ALLOWED;
    return tpm_signature_verify(key, used, message) ? PROOF_VERIFIED : PROOF_BAD_SIGNATURE;
}
