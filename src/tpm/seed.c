/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/seed.h"

#include "base/secret.h"
#include "tpm/credential.h"
#include "tpm/key.h"
#include "tpm/openssl.h"

#include <openssl/rsa.h>
#include <string.h>

#define LABEL "IDENTITY"

/* OAEP with the name algorithm in both places and the label's NUL as part of it. */
static bool set_oaep(EVP_PKEY_CTX *context, const EVP_MD *md)
{
    void *label = OPENSSL_memdup(LABEL, sizeof LABEL);
    if (!label || EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) != 1 ||
        EVP_PKEY_CTX_set_rsa_oaep_md(context, md) != 1 ||
        EVP_PKEY_CTX_set_rsa_mgf1_md(context, md) != 1 ||
        EVP_PKEY_CTX_set0_rsa_oaep_label(context, label, sizeof LABEL) != 1) {
        OPENSSL_free(label);
        return false;
    }
    return true;
}

static bool make_rsa(const TpmPublic *ek, CredentialSeed *seed, GBytes **secret)
{
    secret_random(seed->data, seed->size);
    uint8_t out[TPM_MAX_RSA_BYTES];
    size_t size = sizeof out;
    g_autoptr(EVP_PKEY_CTX) context = EVP_PKEY_CTX_new_from_pkey(NULL, ek->key, NULL);
    if (!context || EVP_PKEY_encrypt_init(context) != 1 ||
        !set_oaep(context, tpm_hash_md(ek->name_alg)) ||
        EVP_PKEY_encrypt(context, out, &size, seed->data, seed->size) != 1)
        return false;
    *secret = bytes_copy(bytes_of(out, size));
    return true;
}

static bool recover_rsa(const TpmPublic *ek, EVP_PKEY *ek_private, Bytes secret,
                        CredentialSeed *seed)
{
    uint8_t out[TPM_MAX_RSA_BYTES];
    size_t size = sizeof out;
    g_autoptr(EVP_PKEY_CTX) context = EVP_PKEY_CTX_new_from_pkey(NULL, ek_private, NULL);
    bool opened = context && EVP_PKEY_decrypt_init(context) == 1 &&
                  set_oaep(context, tpm_hash_md(ek->name_alg)) &&
                  EVP_PKEY_decrypt(context, out, &size, secret.data, secret.size) == 1 &&
                  size == seed->size;
    if (opened)
        memcpy(seed->data, out, size);
    secret_wipe(out, sizeof out);
    return opened;
}

/* Seed from the shared point of `own` private and `peer` public; party U is the ephemeral key. */
static bool agree(const TpmPublic *ek, const TpmCurve *curve, EVP_PKEY *own, EVP_PKEY *peer,
                  EVP_PKEY *ephemeral, CredentialSeed *seed)
{
    uint8_t z[TPM_MAX_COORDINATE], x_ephemeral[TPM_MAX_COORDINATE], x_ek[TPM_MAX_COORDINATE];
    uint8_t y[TPM_MAX_COORDINATE];
    size_t size = sizeof z;
    g_autoptr(EVP_PKEY_CTX) context = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
    bool agreed = context && EVP_PKEY_derive_init(context) == 1 &&
                  EVP_PKEY_derive_set_peer_ex(context, peer, 0) == 1 &&
                  EVP_PKEY_derive(context, z, &size) == 1 && size == curve->size &&
                  tpm_key_get_point(ephemeral, curve, x_ephemeral, y) &&
                  tpm_key_get_point(ek->key, curve, x_ek, y) &&
                  tpm_kdfe(ek->name_alg, bytes_of(z, size), LABEL, bytes_of(x_ephemeral, size),
                           bytes_of(x_ek, size), (unsigned)seed->size * 8, seed->data);
    secret_wipe(z, sizeof z);
    return agreed;
}

static bool make_ecc(const TpmPublic *ek, CredentialSeed *seed, GBytes **secret)
{
    const TpmCurve *curve = tpm_curve_find(ek->curve);
    g_autoptr(EVP_PKEY) ephemeral = EVP_PKEY_Q_keygen(NULL, NULL, "EC", curve->group);
    uint8_t x[TPM_MAX_COORDINATE], y[TPM_MAX_COORDINATE];
    if (!ephemeral || !agree(ek, curve, ephemeral, ek->key, ephemeral, seed) ||
        !tpm_key_get_point(ephemeral, curve, x, y))
        return false;
    GByteArray *point = g_byte_array_new();
    append_tpm2b(point, bytes_of(x, curve->size));
    append_tpm2b(point, bytes_of(y, curve->size));
    *secret = g_byte_array_free_to_bytes(point);
    return true;
}

static bool recover_ecc(const TpmPublic *ek, EVP_PKEY *ek_private, Bytes secret,
                        CredentialSeed *seed)
{
    const TpmCurve *curve = tpm_curve_find(ek->curve);
    Reader reader = reader_of(secret);
    Bytes x, y;
    if (!reader_tpm2b(&reader, &x) || !reader_tpm2b(&reader, &y) || !reader_at_end(&reader))
        return false;
    g_autoptr(EVP_PKEY) ephemeral = tpm_key_ecc(curve, x, y);
    return ephemeral && agree(ek, curve, ek_private, ephemeral, ephemeral, seed);
}

bool credential_seed_make(const TpmPublic *ek, CredentialSeed *seed, GBytes **secret)
{
    seed->size = tpm_hash_size(ek->name_alg);
    return ek->type == TPM_ALG_RSA ? make_rsa(ek, seed, secret) : make_ecc(ek, seed, secret);
}

bool credential_seed_recover(const TpmPublic *ek, EVP_PKEY *ek_private, Bytes secret,
                             CredentialSeed *seed)
{
    seed->size = tpm_hash_size(ek->name_alg);
    return ek->type == TPM_ALG_RSA ? recover_rsa(ek, ek_private, secret, seed)
                                   : recover_ecc(ek, ek_private, secret, seed);
}
