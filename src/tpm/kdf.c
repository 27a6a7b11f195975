/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/credential.h"
#include "tpm/openssl.h"

#include <openssl/core_names.h>
#include <string.h>

static EVP_KDF *fetch_kdf(const char *name, gsize *once)
{
    if (g_once_init_enter(once)) {
        EVP_KDF *kdf = EVP_KDF_fetch(NULL, name, NULL);
        if (!kdf)
            g_error("OpenSSL provides no %s", name);
        g_once_init_leave(once, (gsize)kdf);
    }
    return (EVP_KDF *)*once;
}

static OSSL_PARAM octets(const char *name, Bytes bytes)
{
    return OSSL_PARAM_construct_octet_string(name, (void *)bytes.data, bytes.size);
}

static OSSL_PARAM text(const char *name, const char *value)
{
    return OSSL_PARAM_construct_utf8_string(name, (char *)value, 0);
}

static bool derive(EVP_KDF *kdf, const OSSL_PARAM *parameters, unsigned bits, uint8_t *out)
{
    g_autoptr(EVP_KDF_CTX) context = EVP_KDF_CTX_new(kdf);
    return context && EVP_KDF_derive(context, out, bits / 8, parameters) == 1;
}

bool tpm_kdfa(uint16_t hash, Bytes key, const char *label, Bytes context_u, Bytes context_v,
              unsigned bits, uint8_t *out)
{
    static gsize once;
    const EVP_MD *md = tpm_hash_md(hash);
    if (!md || bits == 0 || bits % 8 != 0)
        return false;
    g_autoptr(GByteArray) contexts = g_byte_array_new();
    bytes_append(contexts, context_u);
    bytes_append(contexts, context_v);
    /* Counter mode with HMAC; the separating zero and the 32-bit counter and length are its
     * defaults. */
    OSSL_PARAM parameters[7];
    size_t count = 0;
    parameters[count++] = text(OSSL_KDF_PARAM_MODE, "counter");
    parameters[count++] = text(OSSL_KDF_PARAM_MAC, "HMAC");
    parameters[count++] = text(OSSL_KDF_PARAM_DIGEST, EVP_MD_get0_name(md));
    parameters[count++] = octets(OSSL_KDF_PARAM_KEY, key);
    parameters[count++] = octets(OSSL_KDF_PARAM_SALT, bytes_of_text(label));
    if (contexts->len > 0)
        parameters[count++] = octets(OSSL_KDF_PARAM_INFO, bytes_of_array(contexts));
    parameters[count] = OSSL_PARAM_construct_end();
    return derive(fetch_kdf("KBKDF", &once), parameters, bits, out);
}

bool tpm_kdfe(uint16_t hash, Bytes z, const char *label, Bytes party_u, Bytes party_v,
              unsigned bits, uint8_t *out)
{
    static gsize once;
    const EVP_MD *md = tpm_hash_md(hash);
    if (!md || bits == 0 || bits % 8 != 0)
        return false;
    g_autoptr(GByteArray) info = g_byte_array_new();
    bytes_append(info, bytes_of(label, strlen(label) + 1));
    bytes_append(info, party_u);
    bytes_append(info, party_v);
    const OSSL_PARAM parameters[] = {
        text(OSSL_KDF_PARAM_DIGEST, EVP_MD_get0_name(md)),
        octets(OSSL_KDF_PARAM_KEY, z),
        octets(OSSL_KDF_PARAM_INFO, bytes_of_array(info)),
        OSSL_PARAM_construct_end(),
    };
    return derive(fetch_kdf("SSKDF", &once), parameters, bits, out);
}
