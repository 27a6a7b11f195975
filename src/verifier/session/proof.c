/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/session/proof.h"

#include "base/encoding.h"
#include "tpm/quote.h"

static const char *const sound_hashes[] = {"sha256", "sha384", "sha512", NULL};
static const char *const all_hashes[] = {"sha1", "sha256", "sha384", "sha512", NULL};

static bool names_sha1(const AgentRecord *record, References *references)
{
    g_autoptr(SharedWords) words = references_words(references, record->accept_hashes);
    return g_strv_contains(shared_words_texts(words), "sha1");
}

const char *session_proof_check(const AgentRecord *record, References *references,
                                const char *message, const char *signature, Bytes challenge)
{
    g_autoptr(GBytes) attest = base64_decode(message);
    g_autoptr(GBytes) signed_by = base64_decode(signature);
    if (!attest || !signed_by)
        return "message or signature is not base64";
    g_autoptr(SharedKey) key = references_key(references, record->ak_tpm, NULL);
    const TpmPublic *ak = key ? shared_key_public(key) : NULL;
    if (!ak || !tpm_public_check_attestation_key(ak, NULL))
        return proof_result_text(PROOF_BAD_KEY);
    ProofRules rules = {.hashes = names_sha1(record, references) ? all_hashes : sound_hashes};
    ProofResult result = certify_verify_possession(ak, bytes_of_gbytes(attest),
                                                   bytes_of_gbytes(signed_by), challenge, &rules);
    return result == PROOF_VERIFIED ? NULL : proof_result_text(result);
}
