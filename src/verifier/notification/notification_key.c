/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/notification/notification_key.h"

#include "base/encoding.h"

#include <openssl/rsa.h>
#include <string.h>

/* Shorter ones are too weak; longer ones take too long. */
#define KEY_BITS_MIN 2048
#define KEY_BITS_MAX 8192
/* An RSA key of the largest size in PKCS #8 has some 6,500 bytes. */
#define PEM_MAX 16384

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_MD_CTX, EVP_MD_CTX_free)

bool notification_key_check(EVP_PKEY *key, GError **error)
{
    int bits = EVP_PKEY_get_bits(key);
    if (EVP_PKEY_is_a(key, "RSA") && bits >= KEY_BITS_MIN && bits <= KEY_BITS_MAX)
        return true;
    g_set_error(error, PKI_ERROR, PKI_ERROR_MALFORMED,
                "must be an RSA private key of %d to %d bits: receivers verify RSASSA-PSS",
                KEY_BITS_MIN, KEY_BITS_MAX);
    return false;
}

EVP_PKEY *notification_key_parse(const char *pem, GError **error)
{
    if (strlen(pem) > PEM_MAX) {
        g_set_error(error, PKI_ERROR, PKI_ERROR_MALFORMED, "is longer than %d bytes", PEM_MAX);
        return NULL;
    }
    g_autoptr(EVP_PKEY) key = pem_private_key_from_text(pem, error);
    return key && notification_key_check(key, error) ? g_steal_pointer(&key) : NULL;
}

char *notification_sign(EVP_PKEY *key, const char *message, GError **error)
{
    g_autoptr(EVP_MD_CTX) context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *parameters = NULL; /* the context's own */
    const uint8_t *data = (const uint8_t *)message;
    size_t size = (size_t)EVP_PKEY_get_size(key);
    g_autofree uint8_t *signature = g_malloc(size);
    if (EVP_DigestSignInit_ex(context, &parameters, "SHA256", NULL, NULL, key, NULL) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) != 1 ||
        EVP_PKEY_CTX_set_rsa_mgf1_md_name(parameters, "SHA256", NULL) != 1 ||
        EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_MAX) != 1 ||
        EVP_DigestSign(context, signature, &size, data, strlen(message)) != 1) {
        pki_set_openssl_error(error, "cannot sign a notification");
        return NULL;
    }
    return base64_encode(bytes_of(signature, size));
}
