/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/attest.h"
#include "tpm/key.h"
#include "tpm/openssl.h"

#include <openssl/rsa.h>

static bool malformed(GError **error, const char *what)
{
    g_set_error(error, TPM_ERROR, TPM_ERROR_MALFORMED, "signature: %s", what);
    return false;
}

bool tpm_signature_parse(Bytes signature, TpmSignature *out, GError **error)
{
    *out = (TpmSignature){0};
    Reader reader = reader_of(signature);
    if (!reader_u16_be(&reader, &out->scheme) || !reader_u16_be(&reader, &out->hash))
        return malformed(error, "ends before its algorithms");
    bool whole;
    switch (out->scheme) {
    case TPM_ALG_RSASSA:
    case TPM_ALG_RSAPSS:
        whole = reader_tpm2b(&reader, &out->rsa);
        break;
    case TPM_ALG_ECDSA:
        whole = reader_tpm2b(&reader, &out->r) && reader_tpm2b(&reader, &out->s);
        break;
    default:
        g_set_error(error, TPM_ERROR, TPM_ERROR_UNSUPPORTED,
                    "signature: scheme 0x%04x is none of RSASSA, RSAPSS, ECDSA", out->scheme);
        return false;
    }
    if (tpm_hash_size(out->hash) == 0) {
        g_set_error(error, TPM_ERROR, TPM_ERROR_UNSUPPORTED, "signature: unknown hash 0x%04x",
                    out->hash);
        return false;
    }
    if (!whole || !reader_at_end(&reader))
        return malformed(error, "length does not fit its scheme");
    return true;
}

/* One verification. Every result but 1 of OpenSSL is a failure, its negative ones too. */
static bool digest_verify(EVP_PKEY *key, const TpmSignature *signature, Bytes raw, Bytes message)
{
    g_autoptr(EVP_MD_CTX) context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *parameters = NULL; /* owned by `context` */
    const EVP_MD *md = tpm_hash_md(signature->hash);
    if (!context || !md || EVP_DigestVerifyInit(context, &parameters, md, NULL, key) != 1)
        return false;
    /* The salt is as long as the digest on some TPMs and as long as the key allows on others
     * (tpm-formats §7.2). */
    if (signature->scheme == TPM_ALG_RSAPSS &&
        (EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) != 1 ||
         EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_AUTO) != 1))
        return false;
    return EVP_DigestVerify(context, raw.data, raw.size, message.data, message.size) == 1;
}

static bool verify_ecdsa(const TpmPublic *public, const TpmSignature *signature, Bytes message)
{
    const TpmCurve *curve = tpm_curve_find(public->curve);
    if (!curve || signature->r.size == 0 || signature->s.size == 0 ||
        signature->r.size > curve->size || signature->s.size > curve->size)
        return false;
    g_autoptr(ECDSA_SIG) pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature->r.data, (int)signature->r.size, NULL);
    BIGNUM *s = BN_bin2bn(signature->s.data, (int)signature->s.size, NULL);
    if (!pair || !r || !s || ECDSA_SIG_set0(pair, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        return false;
    }
    uint8_t *der = NULL;
    int size = i2d_ECDSA_SIG(pair, &der);
    bool good =
        size > 0 && digest_verify(public->key, signature, bytes_of(der, (size_t)size), message);
    OPENSSL_free(der);
    return good;
}

bool tpm_signature_verify(const TpmPublic *public, const TpmSignature *signature, Bytes message)
{
    if (signature->scheme == TPM_ALG_ECDSA)
        return public->type == TPM_ALG_ECC && verify_ecdsa(public, signature, message);
    if (signature->scheme != TPM_ALG_RSASSA && signature->scheme != TPM_ALG_RSAPSS)
        return false;
    return public->type == TPM_ALG_RSA && signature->rsa.size * 8 == public->key_bits &&
           digest_verify(public->key, signature, signature->rsa, message);
}
