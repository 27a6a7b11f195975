/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/public.h"

#include "base/encoding.h"
#include "base/secret.h"
#include "tpm/key.h"
#include "tpm/openssl.h"

#include <openssl/pem.h>
#include <string.h>

G_DEFINE_QUARK(tpm - error - quark, tpm_error)

/* Schemes that a public area may name besides those we verify with; read over by their real lengths
 * (tpm-formats §2.1, §3.3). */
enum {
    SCHEME_RSAES = 0x0015,
    SCHEME_OAEP = 0x0017,
    SCHEME_ECDH = 0x0019,
    SCHEME_ECDAA = 0x001A,
    SCHEME_SM2 = 0x001B,
    SCHEME_ECSCHNORR = 0x001C,
};

static bool malformed(GError **error, const char *what)
{
    g_set_error(error, TPM_ERROR, TPM_ERROR_MALFORMED, "public area: %s", what);
    return false;
}

static bool unsupported(GError **error, const char *what)
{
    g_set_error(error, TPM_ERROR, TPM_ERROR_UNSUPPORTED, "public area: %s", what);
    return false;
}

static bool read_head(Reader *reader, TpmPublic *public, GError **error)
{
    Bytes policy;
    if (!reader_u16_be(reader, &public->type) || !reader_u16_be(reader, &public->name_alg) ||
        !reader_u32_be(reader, &public->attributes) || !reader_tpm2b(reader, &policy))
        return malformed(error, "ends before the key parameters");
    if (public->type != TPM_ALG_RSA && public->type != TPM_ALG_ECC)
        return unsupported(error, "neither an RSA nor an ECC key");
    if (!tpm_hash_md(public->name_alg))
        return unsupported(error, "name algorithm is not SHA-1, SHA-256, SHA-384 or SHA-512");
    if (policy.size != 0 && policy.size != tpm_hash_size(public->name_alg))
        return malformed(error, "policy does not have the size of the name algorithm's digest");
    public->policy = bytes_copy(policy);
    return true;
}

static bool read_symmetric(Reader *reader, TpmPublic *public, GError **error)
{
    if (!reader_u16_be(reader, &public->symmetric_alg))
        return malformed(error, "ends in the symmetric definition");
    if (public->symmetric_alg == TPM_ALG_NULL)
        return true;
    if (public->symmetric_alg != TPM_ALG_AES)
        return unsupported(error, "symmetric algorithm is not AES");
    if (!reader_u16_be(reader, &public->symmetric_bits) ||
        !reader_u16_be(reader, &public->symmetric_mode))
        return malformed(error, "ends in the symmetric definition");
    if ((public->symmetric_bits != 128 && public->symmetric_bits != 192 &&
         public->symmetric_bits != 256) ||
        public->symmetric_mode != TPM_ALG_CFB)
        return unsupported(error, "symmetric definition is not AES-128, -192 or -256 in CFB mode");
    return true;
}

static bool scheme_fits_type(uint16_t type, uint16_t scheme)
{
    static const uint16_t rsa[] = {TPM_ALG_RSASSA, TPM_ALG_RSAPSS, SCHEME_RSAES, SCHEME_OAEP};
    static const uint16_t ecc[] = {TPM_ALG_ECDSA, SCHEME_ECDH, SCHEME_ECDAA, SCHEME_SM2,
                                   SCHEME_ECSCHNORR};
    const uint16_t *known = type == TPM_ALG_RSA ? rsa : ecc;
    size_t count = type == TPM_ALG_RSA ? G_N_ELEMENTS(rsa) : G_N_ELEMENTS(ecc);
    for (size_t i = 0; i < count; i++)
        if (known[i] == scheme)
            return true;
    return false;
}

static bool read_scheme(Reader *reader, TpmPublic *public, GError **error)
{
    if (!reader_u16_be(reader, &public->scheme))
        return malformed(error, "ends in the scheme");
    if (public->scheme == TPM_ALG_NULL) {
        public->scheme_hash = TPM_ALG_NULL;
        return true;
    }
    if (!scheme_fits_type(public->type, public->scheme))
        return unsupported(error, "scheme does not fit the key type");
    if (public->scheme == SCHEME_RSAES) {
        public->scheme_hash = TPM_ALG_NULL;
        return true;
    }
    uint16_t count;
    if (!reader_u16_be(reader, &public->scheme_hash) ||
        (public->scheme == SCHEME_ECDAA && !reader_u16_be(reader, &count)))
        return malformed(error, "ends in the scheme");
    if (tpm_hash_size(public->scheme_hash) == 0)
        return unsupported(error, "unknown hash in the scheme");
    return true;
}

static bool read_rsa(Reader *reader, TpmPublic *public, GError **error)
{
    uint32_t exponent;
    Bytes modulus;
    if (!reader_u16_be(reader, &public->key_bits) || !reader_u32_be(reader, &exponent) ||
        !reader_tpm2b(reader, &modulus))
        return malformed(error, "ends in the RSA key");
    if (public->key_bits != 1024 && public->key_bits != 2048 && public->key_bits != 3072 &&
        public->key_bits != 4096)
        return unsupported(error, "RSA key is not of 1024, 2048, 3072 or 4096 bits");
    if (modulus.size * 8 != public->key_bits || !(modulus.data[0] & 0x80) ||
        !(modulus.data[modulus.size - 1] & 1))
        return malformed(error, "modulus is not an odd number of the announced size");
    /* A TPM makes no exponent below 2^16 (Part 1, B.9.2); an even or tiny one is no TPM's key. */
    if (exponent != 0 && (exponent < 65537 || exponent % 2 == 0))
        return malformed(error, "RSA exponent is even or too small");
    public->key = tpm_key_rsa(modulus, exponent);
    return public->key || malformed(error, "RSA key is not valid");
}

static bool read_ecc(Reader *reader, TpmPublic *public, GError **error)
{
    uint16_t kdf, kdf_hash;
    Bytes x, y;
    if (!reader_u16_be(reader, &public->curve) || !reader_u16_be(reader, &kdf) ||
        (kdf != TPM_ALG_NULL && !reader_u16_be(reader, &kdf_hash)) || !reader_tpm2b(reader, &x) ||
        !reader_tpm2b(reader, &y))
        return malformed(error, "ends in the ECC key");
    const TpmCurve *curve = tpm_curve_find(public->curve);
    if (!curve)
        return unsupported(error, "curve is not P-256, P-384 or P-521");
    public->key_bits = curve->bits;
    public->key = tpm_key_ecc(curve, x, y);
    return public->key || malformed(error, "ECC point is not on its curve");
}

static bool compute_name(TpmPublic *public, Bytes tpmt, GError **error)
{
    public->name[0] = (uint8_t)(public->name_alg >> 8);
    public->name[1] = (uint8_t) public->name_alg;
    if (EVP_Digest(tpmt.data, tpmt.size, public->name + 2, NULL, tpm_hash_md(public->name_alg),
                   NULL) != 1)
        return unsupported(error, "name cannot be computed");
    public->name_size = 2 + tpm_hash_size(public->name_alg);
    return true;
}

TpmPublic *tpm_public_from_tpmt(Bytes tpmt, GError **error)
{
    g_autoptr(TpmPublic) public = g_new0(TpmPublic, 1);
    Reader reader = reader_of(tpmt);
    if (!read_head(&reader, public, error) || !read_symmetric(&reader, public, error) ||
        !read_scheme(&reader, public, error))
        return NULL;
    bool read = public->type == TPM_ALG_RSA ? read_rsa(&reader, public, error)
                                            : read_ecc(&reader, public, error);
    if (!read)
        return NULL;
    if (!reader_at_end(&reader)) {
        malformed(error, "bytes after the key");
        return NULL;
    }
    if (!compute_name(public, tpmt, error))
        return NULL;
    public->tpmt = bytes_copy(tpmt);
    return g_steal_pointer(&public);
}

TpmPublic *tpm_public_from_tpm2b(Bytes tpm2b, GError **error)
{
    Reader reader = reader_of(tpm2b);
    Bytes tpmt;
    if (!reader_tpm2b(&reader, &tpmt) || !reader_at_end(&reader)) {
        malformed(error, "size prefix is not the length of what follows");
        return NULL;
    }
    return tpm_public_from_tpmt(tpmt, error);
}

void tpm_public_free(TpmPublic *public)
{
    if (!public)
        return;
    g_clear_pointer(&public->policy, g_bytes_unref);
    g_clear_pointer(&public->tpmt, g_bytes_unref);
    EVP_PKEY_free(public->key);
    g_free(public);
}

GBytes *tpm_public_to_tpm2b(const TpmPublic *public)
{
    GByteArray *out = g_byte_array_new();
    append_tpm2b(out, bytes_of_gbytes(public->tpmt));
    return g_byte_array_free_to_bytes(out);
}

char *tpm_public_to_pem(const TpmPublic *public)
{
    g_autoptr(BIO) memory = BIO_new(BIO_s_mem());
    char *text = NULL;
    if (!memory || PEM_write_bio_PUBKEY(memory, public->key) != 1)
        g_error("a public key that was parsed cannot be written");
    long size = BIO_get_mem_data(memory, &text);
    return g_strndup(text, (gsize)size);
}

char *tpm_public_hash_ek(const TpmPublic *public)
{
    g_autofree char *pem = tpm_public_to_pem(public);
    uint8_t digest[SHA256_SIZE];
    sha256(bytes_of_text(pem), digest);
    return hex_encode(BYTES_OF_ARRAY(digest));
}

bool tpm_public_qualified_name(const TpmPublic *public, Bytes parent, uint8_t out[TPM_NAME_MAX],
                               size_t *size)
{
    g_autoptr(EVP_MD_CTX) context = EVP_MD_CTX_new();
    if (!context || EVP_DigestInit_ex2(context, tpm_hash_md(public->name_alg), NULL) != 1 ||
        EVP_DigestUpdate(context, parent.data, parent.size) != 1 ||
        EVP_DigestUpdate(context, public->name, public->name_size) != 1 ||
        EVP_DigestFinal_ex(context, out + 2, NULL) != 1)
        return false;
    memcpy(out, public->name, 2);
    *size = public->name_size;
    return true;
}
