/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"
#include "tpm/proof.h"

/* A certification by `signer` of the object `name`; its qualifying data in `*qualifying`. */
static ProofResult check_certification(const TpmPublic *signer, Bytes name, Bytes message,
                                       Bytes signature, const ProofRules *rules, Bytes *qualifying)
{
    TpmSignature used;
    ProofResult result = proof_check_signature(signer, message, signature, 0, 0, rules, &used);
    if (result != PROOF_VERIFIED)
        return result;
    TpmAttest attest;
    if (!tpm_attest_parse(message, &attest, NULL) || attest.type != TPM_ATTEST_CERTIFY)
        return PROOF_MALFORMED_MESSAGE;
    if (!bytes_equal(attest.certified_name, name))
        return PROOF_WRONG_OBJECT;
    *qualifying = attest.extra_data;
    return PROOF_VERIFIED;
}

ProofResult certify_verify_possession(const TpmPublic *ak, Bytes message, Bytes signature,
                                      Bytes challenge, const ProofRules *rules)
{
    static const ProofRules usual = {NULL, NULL};
    if (!ak || !tpm_public_check_attestation_key(ak, NULL))
        return PROOF_BAD_KEY;
    Bytes qualifying;
    ProofResult result = check_certification(ak, tpm_public_name(ak), message, signature,
                                             rules ? rules : &usual, &qualifying);
    if (result != PROOF_VERIFIED)
        return result;
    /* An empty challenge proves nothing: any old certification would match it. */
    return challenge.size != 0 && secret_equal(qualifying, challenge) ? PROOF_VERIFIED
                                                                      : PROOF_WRONG_NONCE;
}

ProofResult certify_verify_iak(const TpmPublic *iak, const TpmPublic *ak, Bytes message,
                               Bytes signature, const char *agent_id)
{
    static const ProofRules usual = {NULL, NULL};
    if (!iak || !ak || !tpm_public_check_identity_key(iak, NULL))
        return PROOF_BAD_KEY;
    Bytes qualifying;
    ProofResult result =
        check_certification(iak, tpm_public_name(ak), message, signature, &usual, &qualifying);
    if (result != PROOF_VERIFIED)
        return result;
    Bytes id = bytes_of_text(agent_id);
    uint8_t digest[SHA256_SIZE];
    sha256(id, digest);
    bool same = id.size != 0 &&
                (bytes_equal(qualifying, BYTES_OF_ARRAY(digest)) || bytes_equal(qualifying, id));
    return same ? PROOF_VERIFIED : PROOF_WRONG_NONCE;
}
