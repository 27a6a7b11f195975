/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/public.h"

/* TPMA_OBJECT (tpm-formats §3.2). */
enum {
    FIXED_TPM = 0x00000002,
    FIXED_PARENT = 0x00000010,
    SENSITIVE_DATA_ORIGIN = 0x00000020,
    RESTRICTED = 0x00010000,
    DECRYPT = 0x00020000,
    SIGN = 0x00040000,

    /* Exactly what TPM2_Create is given for an AK by every known agent; a key with any bit more or
     * less could have been made outside a TPM or sign what a TPM did not produce (decision D5). */
    ATTESTATION_KEY = 0x00050072,
};

#define MINIMUM_RSA_BITS 2048

static bool unsuitable(GError **error, const char *reason)
{
    g_set_error_literal(error, TPM_ERROR, TPM_ERROR_UNSUITABLE, reason);
    return false;
}

/* A scheme that is open, or one that we verify, with a hash that we verify. */
static bool is_signature_scheme(const TpmPublic *public)
{
    if (public->scheme == TPM_ALG_NULL)
        return true;
    bool known = public->type == TPM_ALG_RSA
                     ? public->scheme == TPM_ALG_RSASSA || public->scheme == TPM_ALG_RSAPSS
                     : public->scheme == TPM_ALG_ECDSA;
    return known && tpm_hash_md(public->scheme_hash) != NULL;
}

static bool is_strong(const TpmPublic *public)
{
    return public->type == TPM_ALG_ECC || public->key_bits >= MINIMUM_RSA_BITS;
}

bool tpm_public_check_attestation_key(const TpmPublic *public, GError **error)
{
    if (public->attributes != ATTESTATION_KEY) {
        g_set_error(error, TPM_ERROR, TPM_ERROR_UNSUITABLE,
                    "not an attestation key: object attributes are 0x%08x and must be 0x%08x "
                    "(a restricted signing key that never leaves its TPM)",
                    public->attributes, (unsigned)ATTESTATION_KEY);
        return false;
    }
    if (g_bytes_get_size(public->policy) != 0)
        return unsuitable(error, "not an attestation key: it has an authorisation policy");
    if (public->symmetric_alg != TPM_ALG_NULL)
        return unsuitable(error, "not an attestation key: it has a symmetric algorithm");
    if (!is_signature_scheme(public))
        return unsuitable(error, "not an attestation key that can be verified: its scheme must be "
                                 "RSASSA, RSAPSS or ECDSA with a SHA hash");
    if (!is_strong(public))
        return unsuitable(error, "attestation key is too weak: RSA needs 2048 bits");
    return true;
}

bool tpm_public_check_identity_key(const TpmPublic *public, GError **error)
{
    const uint32_t needed = FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN | RESTRICTED | SIGN;
    if ((public->attributes & (needed | DECRYPT)) != needed)
        return unsuitable(error, "not an initial attestation key: it must be a restricted signing "
                                 "key that never leaves its TPM");
    if (!is_signature_scheme(public))
        return unsuitable(error, "not an initial attestation key that can be verified: its scheme "
                                 "must be RSASSA, RSAPSS or ECDSA with a SHA hash");
    if (!is_strong(public))
        return unsuitable(error, "initial attestation key is too weak: RSA needs 2048 bits");
    return true;
}

bool tpm_public_check_endorsement_key(const TpmPublic *public, GError **error)
{
    const uint32_t needed = FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN | RESTRICTED | DECRYPT;
    if ((public->attributes & (needed | SIGN)) != needed)
        return unsuitable(error, "not an endorsement key: it must be a restricted decryption key "
                                 "that never leaves its TPM");
    if (public->name_alg == TPM_ALG_SHA1)
        return unsuitable(error,
                          "not an endorsement key: its name algorithm is none of the templates");
    if (public->symmetric_alg != TPM_ALG_AES ||
        (public->symmetric_bits != 128 && public->symmetric_bits != 256))
        return unsuitable(error, "not an endorsement key: symmetric definition is not AES-CFB");
    if (public->scheme != TPM_ALG_NULL)
        return unsuitable(error, "not an endorsement key: it names a scheme");
    if (!is_strong(public))
        return unsuitable(error, "endorsement key is too weak: RSA needs 2048 bits");
    return true;
}
