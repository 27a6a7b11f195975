/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/software_key.h"

#include "base/secret.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

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
    GBytes *out = secret_bytes_copy(bytes_of(der, (size_t)size));
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
