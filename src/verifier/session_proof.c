/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/session_proof.h"

#include "base/encoding.h"
#include "tpm/quote.h"

static const char *const sound_hashes[] = {"sha256", "sha384", "sha512", NULL};
static const char *const all_hashes[] = {"sha1", "sha256", "sha384", "sha512", NULL};

static bool names_sha1(const AgentRecord *record)
{
    g_autoptr(Json) list = json_parse(bytes_of_text(record->accept_hashes), NULL);
    if (!json_object_is_type(list, json_type_array))
        return false;
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        if (g_strcmp0(json_text(json_object_array_get_idx(list, i)), "sha1") == 0)
            return true;
    }
    return false;
}

const char *session_proof_check(const AgentRecord *record, const char *message,
                                const char *signature, Bytes challenge)
{
    g_autoptr(GBytes) attest = base64_decode(message);
    g_autoptr(GBytes) signed_by = base64_decode(signature);
    if (!attest || !signed_by)
        return "message or signature is not base64";
    g_autoptr(TpmPublic) ak = tpm_public_from_tpm2b(bytes_of_gbytes(record->ak_tpm), NULL);
    if (!ak || !tpm_public_check_attestation_key(ak, NULL))
        return proof_result_text(PROOF_BAD_KEY);
    ProofRules rules = {.hashes = names_sha1(record) ? all_hashes : sound_hashes};
    ProofResult result = certify_verify_possession(ak, bytes_of_gbytes(attest),
                                                   bytes_of_gbytes(signed_by), challenge, &rules);
    return result == PROOF_VERIFIED ? NULL : proof_result_text(result);
}
