/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/software_key.h"

#include "base/secret.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_MD_CTX, EVP_MD_CTX_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ECDSA_SIG, ECDSA_SIG_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BIGNUM, BN_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free)

static void set_openssl_error(GError **error, const char *what)
{
    char reason[256];
    ERR_error_string_n(ERR_get_error(), reason, sizeof reason);
    g_set_error(error, TPM_ERROR, TPM_ERROR_UNSUPPORTED, "%s: %s", what, reason);
    ERR_clear_error();
}

static const char *curve_name(uint16_t bits)
{
    return bits == 256 ? "P-256" : bits == 384 ? "P-384" : "P-521";
}

EVP_PKEY *software_key_generate(const KeyTemplate *keys, GError **error)
{
    EVP_PKEY *key =
        keys->type == TPM_ALG_RSA ? EVP_RSA_gen(keys->bits) : EVP_EC_gen(curve_name(keys->bits));
    if (!key)
        set_openssl_error(error, "cannot make a key");
    return key;
}

GBytes *software_key_write(EVP_PKEY *key)
{
    g_autoptr(PKCS8_PRIV_KEY_INFO) info = EVP_PKEY2PKCS8(key);
    unsigned char *der = NULL;
    int size = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : -1;
    g_assert(size > 0); /* a key in memory always has this form */
    GBytes *out = g_bytes_new(der, (gsize)size);
    OPENSSL_clear_free(der, (size_t)size);
    return out;
}

EVP_PKEY *software_key_read(const KeyTemplate *keys, Bytes pkcs8, GError **error)
{
    const unsigned char *cursor = pkcs8.data;
    g_autoptr(PKCS8_PRIV_KEY_INFO) info =
        pkcs8.size > 0 && pkcs8.size <= 65536
            ? d2i_PKCS8_PRIV_KEY_INFO(NULL, &cursor, (long)pkcs8.size)
            : NULL;
    EVP_PKEY *key = info && cursor == pkcs8.data + pkcs8.size ? EVP_PKCS82PKEY(info) : NULL;
    if (!key) {
        ERR_clear_error();
        g_set_error_literal(error, TPM_ERROR, TPM_ERROR_MALFORMED,
                            "the kept private key cannot be read");
        return NULL;
    }
    bool fits = EVP_PKEY_is_a(key, keys->type == TPM_ALG_RSA ? "RSA" : "EC") &&
                EVP_PKEY_get_bits(key) == keys->bits;
    if (!fits) {
        EVP_PKEY_free(key);
        g_set_error_literal(error, TPM_ERROR, TPM_ERROR_UNSUITABLE,
                            "the kept private key is of another kind");
        return NULL;
    }
    return key;
}

static GBytes *number_of(EVP_PKEY *key, const char *name, size_t size, GError **error)
{
    BIGNUM *value = NULL;
    if (EVP_PKEY_get_bn_param(key, name, &value) != 1) {
        set_openssl_error(error, "cannot read a key's public part");
        return NULL;
    }
    g_autoptr(BIGNUM) owned = value;
    uint8_t *bytes = g_malloc(size);
    if (BN_bn2binpad(owned, bytes, (int)size) < 0) {
        g_free(bytes);
        set_openssl_error(error, "cannot write a key's public part");
        return NULL;
    }
    return g_bytes_new_take(bytes, size);
}

bool software_key_point(EVP_PKEY *key, const KeyTemplate *keys, GBytes **x, GBytes **y,
                        GError **error)
{
    size_t size = (keys->bits + 7u) / 8;
    if (keys->type == TPM_ALG_RSA) {
        *y = NULL;
        return (*x = number_of(key, OSSL_PKEY_PARAM_RSA_N, size, error)) != NULL;
    }
    *x = number_of(key, OSSL_PKEY_PARAM_EC_PUB_X, size, error);
    *y = *x ? number_of(key, OSSL_PKEY_PARAM_EC_PUB_Y, size, error) : NULL;
    return *y != NULL;
}

/* r and s at the curve's full length, as libtpms and most TPMs write them. */
static bool append_ecdsa(GByteArray *out, const KeyTemplate *keys, Bytes der)
{
    const unsigned char *cursor = der.data;
    g_autoptr(ECDSA_SIG) signature = d2i_ECDSA_SIG(NULL, &cursor, (long)der.size);
    if (!signature)
        return false;
    uint8_t number[66];
    size_t size = (keys->bits + 7u) / 8;
    const BIGNUM *parts[] = {ECDSA_SIG_get0_r(signature), ECDSA_SIG_get0_s(signature)};
    for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
        if (BN_bn2binpad(parts[i], number, (int)size) < 0)
            return false;
        append_tpm2b(out, bytes_of(number, size));
    }
    return true;
}

GBytes *software_key_sign(EVP_PKEY *key, const KeyTemplate *keys, Bytes message, GError **error)
{
    g_autoptr(EVP_MD_CTX) context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *sign = NULL;
    const EVP_MD *md = tpm_hash_md(keys->hash);
    bool ready = EVP_DigestSignInit(context, &sign, md, NULL, key) == 1;
    if (ready && keys->scheme == TPM_ALG_RSAPSS)
        ready = EVP_PKEY_CTX_set_rsa_padding(sign, RSA_PKCS1_PSS_PADDING) == 1 &&
                EVP_PKEY_CTX_set_rsa_pss_saltlen(sign, RSA_PSS_SALTLEN_DIGEST) == 1;
    uint8_t raw[1024];
    size_t size = sizeof raw;
    if (!ready || EVP_DigestSign(context, raw, &size, message.data, message.size) != 1) {
        set_openssl_error(error, "cannot sign");
        return NULL;
    }
    g_autoptr(GByteArray) out = g_byte_array_new();
    append_u16_be(out, keys->scheme);
    append_u16_be(out, keys->hash);
    if (keys->scheme != TPM_ALG_ECDSA) {
        append_tpm2b(out, bytes_of(raw, size));
    } else if (!append_ecdsa(out, keys, bytes_of(raw, size))) {
        set_openssl_error(error, "cannot write a signature");
        return NULL;
    }
    return g_byte_array_free_to_bytes(g_steal_pointer(&out));
}
