/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/marshal.h"

#include "tpm/key.h"
#include "tpm/openssl.h"

#include <openssl/rsa.h>

#define SELECT_BYTES 3

static void append_selection(GByteArray *out, const PcrSelection *selection)
{
    append_u32_be(out, (uint32_t)selection->count);
    for (size_t i = 0; i < selection->count; i++) {
        append_u16_be(out, selection->bank[i].hash);
        append_u8(out, SELECT_BYTES);
        for (unsigned byte = 0; byte < SELECT_BYTES; byte++)
            append_u8(out, (uint8_t)(selection->bank[i].pcrs >> (8 * byte)));
    }
}

GBytes *tpm_attest_marshal(const TpmAttest *attest)
{
    GByteArray *out = g_byte_array_new();
    append_u32_be(out, TPM_ATTEST_MAGIC);
    append_u16_be(out, attest->type);
    append_tpm2b(out, attest->qualified_signer);
    append_tpm2b(out, attest->extra_data);
    append_u64_be(out, attest->clock.clock);
    append_u32_be(out, attest->clock.reset_count);
    append_u32_be(out, attest->clock.restart_count);
    append_u8(out, attest->clock.safe);
    append_u64_be(out, attest->firmware_version);
    if (attest->type == TPM_ATTEST_QUOTE) {
        append_selection(out, &attest->selection);
        append_tpm2b(out, attest->pcr_digest);
    } else {
        append_tpm2b(out, attest->certified_name);
        append_tpm2b(out, attest->certified_qualified_name);
    }
    return g_byte_array_free_to_bytes(out);
}

GBytes *tpm_signature_marshal(const TpmSignature *signature)
{
    GByteArray *out = g_byte_array_new();
    append_u16_be(out, signature->scheme);
    append_u16_be(out, signature->hash);
    if (signature->scheme == TPM_ALG_ECDSA) {
        append_tpm2b(out, signature->r);
        append_tpm2b(out, signature->s);
    } else {
        append_tpm2b(out, signature->rsa);
    }
    return g_byte_array_free_to_bytes(out);
}

/* OpenSSL's form of the signature: the raw number of RSA, the DER pair of ECDSA. */
static GBytes *sign(EVP_PKEY *key, uint16_t scheme, uint16_t hash, Bytes message)
{
    g_autoptr(EVP_MD_CTX) context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *parameters = NULL; /* owned by `context` */
    const EVP_MD *md = tpm_hash_md(hash);
    size_t size = 0;
    if (!context || !md || EVP_DigestSignInit(context, &parameters, md, NULL, key) != 1)
        return NULL;
    if (scheme == TPM_ALG_RSAPSS &&
        (EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) != 1 ||
         EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST) != 1))
        return NULL;
    if (EVP_DigestSign(context, NULL, &size, message.data, message.size) != 1)
        return NULL;
    g_autofree uint8_t *raw = g_malloc(size);
    if (EVP_DigestSign(context, raw, &size, message.data, message.size) != 1)
        return NULL;
    return g_bytes_new_take(g_steal_pointer(&raw), size);
}

/* r and s at full length, as most TPMs give them. */
static GBytes *marshal_ecdsa(EVP_PKEY *key, uint16_t hash, Bytes der)
{
    const TpmCurve *curve = tpm_curve_of_bits((unsigned)EVP_PKEY_get_bits(key));
    const uint8_t *position = der.data;
    g_autoptr(ECDSA_SIG) pair = d2i_ECDSA_SIG(NULL, &position, (long)der.size);
    uint8_t r[TPM_MAX_COORDINATE], s[TPM_MAX_COORDINATE];
    if (!curve || !pair || BN_bn2binpad(ECDSA_SIG_get0_r(pair), r, curve->size) < 0 ||
        BN_bn2binpad(ECDSA_SIG_get0_s(pair), s, curve->size) < 0)
        return NULL;
    const TpmSignature signature = {
        .scheme = TPM_ALG_ECDSA,
        .hash = hash,
        .r = bytes_of(r, curve->size),
        .s = bytes_of(s, curve->size),
    };
    return tpm_signature_marshal(&signature);
}

GBytes *tpm_signature_make(EVP_PKEY *key, uint16_t scheme, uint16_t hash, Bytes message,
                           GError **error)
{
    bool ecdsa = scheme == TPM_ALG_ECDSA;
    bool rsa = scheme == TPM_ALG_RSASSA || scheme == TPM_ALG_RSAPSS;
    bool fits = (ecdsa && EVP_PKEY_is_a(key, "EC")) || (rsa && EVP_PKEY_is_a(key, "RSA"));
    g_autoptr(GBytes) raw = fits ? sign(key, scheme, hash, message) : NULL;
    GBytes *made = NULL;
    if (raw && ecdsa) {
        made = marshal_ecdsa(key, hash, bytes_of_gbytes(raw));
    } else if (raw) {
        const TpmSignature signature = {
            .scheme = scheme, .hash = hash, .rsa = bytes_of_gbytes(raw)};
        made = tpm_signature_marshal(&signature);
    }
    if (!made)
        g_set_error(error, TPM_ERROR, TPM_ERROR_UNSUITABLE,
                    "key cannot sign by scheme 0x%04x with hash 0x%04x", scheme, hash);
    return made;
}
