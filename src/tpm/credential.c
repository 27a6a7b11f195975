/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/credential.h"

#include "base/encoding.h"
#include "base/secret.h"
#include "tpm/openssl.h"
#include "tpm/seed.h"

#include <openssl/core_names.h>
#include <openssl/hmac.h>
#include <string.h>

#define BLOB_MAGIC 0xBADCC0DEu
#define BLOB_VERSION 1
#define MAX_ENCRYPTED (2 + TPM_MAX_DIGEST)

static bool fail(GError **error, const char *what)
{
    g_set_error(error, TPM_ERROR, TPM_ERROR_MALFORMED, "credential: %s", what);
    return false;
}

/* AES-CFB under a zero IV, as the TPM's secret sharing defines it: every key is used once. */
static bool crypt_identity(const TpmPublic *ek, const uint8_t *key, bool encrypt, Bytes in,
                           uint8_t *out)
{
    static const uint8_t iv[16];
    const EVP_CIPHER *cipher = ek->symmetric_bits == 128   ? EVP_aes_128_cfb128()
                               : ek->symmetric_bits == 192 ? EVP_aes_192_cfb128()
                                                           : EVP_aes_256_cfb128();
    g_autoptr(EVP_CIPHER_CTX) context = EVP_CIPHER_CTX_new();
    int size = 0;
    return context && EVP_CipherInit_ex(context, cipher, NULL, key, iv, encrypt) == 1 &&
           EVP_CipherUpdate(context, out, &size, in.data, (int)in.size) == 1 &&
           (size_t)size == in.size;
}

static bool outer_hmac(const TpmPublic *ek, const CredentialSeed *seed, Bytes encrypted, Bytes name,
                       uint8_t out[TPM_MAX_DIGEST])
{
    uint8_t key[TPM_MAX_DIGEST];
    if (!tpm_kdfa(ek->name_alg, bytes_of(seed->data, seed->size), "INTEGRITY", BYTES_EMPTY,
                  BYTES_EMPTY, (unsigned)seed->size * 8, key))
        return false;
    g_autoptr(GByteArray) data = g_byte_array_new();
    bytes_append(data, encrypted);
    bytes_append(data, name);
    bool made = HMAC(tpm_hash_md(ek->name_alg), key, (int)seed->size, data->data, data->len, out,
                     NULL) != NULL;
    secret_wipe(key, sizeof key);
    return made;
}

static bool identity_key(const TpmPublic *ek, const CredentialSeed *seed, Bytes name,
                         uint8_t key[32])
{
    return tpm_kdfa(ek->name_alg, bytes_of(seed->data, seed->size), "STORAGE", name, BYTES_EMPTY,
                    ek->symmetric_bits, key);
}

/* TPMS_ID_OBJECT: outer HMAC and encrypted credential (tpm-formats §6.2 steps 3 to 7). */
static bool seal(const TpmPublic *ek, const CredentialSeed *seed, Bytes name, Bytes credential,
                 GByteArray *id_object)
{
    uint8_t key[32], encrypted[MAX_ENCRYPTED], hmac[TPM_MAX_DIGEST];
    g_autoptr(GByteArray) plain = g_byte_array_new();
    append_tpm2b(plain, credential);
    Bytes body = bytes_of(encrypted, plain->len);
    bool sealed = identity_key(ek, seed, name, key) &&
                  crypt_identity(ek, key, true, bytes_of_array(plain), encrypted) &&
                  outer_hmac(ek, seed, body, name, hmac);
    secret_wipe(key, sizeof key);
    secret_wipe(plain->data, plain->len);
    if (!sealed)
        return false;
    append_tpm2b(id_object, bytes_of(hmac, seed->size));
    bytes_append(id_object, body);
    return true;
}

GBytes *credential_make(const TpmPublic *ek, Bytes name, Bytes credential, GError **error)
{
    if (ek->symmetric_alg != TPM_ALG_AES) {
        fail(error, "the endorsement key has no symmetric algorithm to seal with");
        return NULL;
    }
    if (credential.size == 0 || credential.size > tpm_hash_size(ek->name_alg)) {
        fail(error, "longer than the digest of the endorsement key's name algorithm, or empty");
        return NULL;
    }
    CredentialSeed seed;
    g_autoptr(GBytes) secret = NULL;
    g_autoptr(GByteArray) id_object = g_byte_array_new();
    bool made =
        credential_seed_make(ek, &seed, &secret) && seal(ek, &seed, name, credential, id_object);
    secret_wipe(&seed, sizeof seed);
    if (!made) {
        fail(error, "cannot be sealed to this endorsement key");
        return NULL;
    }
    GByteArray *blob = g_byte_array_new();
    append_u32_be(blob, BLOB_MAGIC);
    append_u32_be(blob, BLOB_VERSION);
    append_tpm2b(blob, bytes_of_array(id_object));
    append_tpm2b(blob, bytes_of_gbytes(secret));
    return g_byte_array_free_to_bytes(blob);
}

bool credential_parse(Bytes blob, Bytes *id_object, Bytes *secret, GError **error)
{
    Reader reader = reader_of(blob);
    uint32_t magic, version;
    if (!reader_u32_be(&reader, &magic) || !reader_u32_be(&reader, &version))
        return fail(error, "shorter than its head");
    if (magic != BLOB_MAGIC || version != BLOB_VERSION)
        return fail(error, "not a credential blob of version 1");
    if (!reader_tpm2b(&reader, id_object) || !reader_tpm2b(&reader, secret) ||
        !reader_at_end(&reader))
        return fail(error, "a length does not fit");
    return true;
}

/* The credential inside an authenticated identity. */
static GBytes *unseal(const TpmPublic *ek, const CredentialSeed *seed, Bytes name, Bytes encrypted)
{
    uint8_t key[32], plain[MAX_ENCRYPTED];
    GBytes *credential = NULL;
    if (encrypted.size <= sizeof plain && identity_key(ek, seed, name, key) &&
        crypt_identity(ek, key, false, encrypted, plain)) {
        Reader reader = reader_of(bytes_of(plain, encrypted.size));
        Bytes content;
        if (reader_tpm2b(&reader, &content) && reader_at_end(&reader))
            credential = secret_bytes_copy(content);
    }
    secret_wipe(key, sizeof key);
    secret_wipe(plain, sizeof plain);
    return credential;
}

GBytes *credential_open(const TpmPublic *ek, EVP_PKEY *ek_private, Bytes name, Bytes blob,
                        GError **error)
{
    Bytes id_object, secret, hmac;
    if (!credential_parse(blob, &id_object, &secret, error))
        return NULL;
    Reader reader = reader_of(id_object);
    if (!reader_tpm2b(&reader, &hmac) || ek->symmetric_alg != TPM_ALG_AES) {
        fail(error, "the sealed identity cannot be read");
        return NULL;
    }
    CredentialSeed seed;
    uint8_t expected[TPM_MAX_DIGEST];
    GBytes *credential = NULL;
    if (credential_seed_recover(ek, ek_private, secret, &seed) &&
        outer_hmac(ek, &seed, reader.rest, name, expected) &&
        secret_equal(hmac, bytes_of(expected, seed.size)))
        credential = unseal(ek, &seed, name, reader.rest);
    secret_wipe(&seed, sizeof seed);
    if (!credential)
        fail(error, "was not made for this endorsement key and this object");
    return credential;
}

char *credential_auth_tag(Bytes credential, const char *agent_id)
{
    /* The key is the base64 text, not the credential itself: so do all peers (tpm-formats §6.4). */
    char *key = base64_encode(credential);
    uint8_t tag[SHA384_SIZE];
    hmac_sha384(bytes_of_text(key), bytes_of_text(agent_id), tag);
    secret_free_text(key);
    return hex_encode(BYTES_OF_ARRAY(tag));
}
