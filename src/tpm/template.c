/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/template.h"

#include "tpm/key.h"

#include <string.h>

/* TPMA_OBJECT of the keys (tpm-formats §3.2). */
#define ATTRIBUTES_EK_LOW 0x000300B2
#define ATTRIBUTES_EK_HIGH 0x000300F2
#define ATTRIBUTES_AK 0x00050072

static const uint8_t policy_a_sha256[] = {
    0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24,
    0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa};
static const uint8_t policy_a_sha384[] = {
    0x8b, 0xbf, 0x22, 0x66, 0x53, 0x7c, 0x17, 0x1c, 0xb5, 0x6e, 0x40, 0x3c, 0x4d, 0xc1, 0xd4, 0xb6,
    0x4f, 0x43, 0x26, 0x11, 0xdc, 0x38, 0x6e, 0x6f, 0x53, 0x20, 0x50, 0xc3, 0x27, 0x8c, 0x93, 0x0e,
    0x14, 0x3e, 0x8b, 0xb1, 0x13, 0x38, 0x24, 0xcc, 0xb4, 0x31, 0x05, 0x38, 0x71, 0xc6, 0xdb, 0x53};
static const uint8_t policy_a_sha512[] = {
    0x1e, 0x3b, 0x76, 0x50, 0x2c, 0x8a, 0x14, 0x25, 0xaa, 0x0b, 0x7b, 0x3f, 0xc6, 0x46, 0xa1, 0xb0,
    0xfa, 0xe0, 0x63, 0xb0, 0x3b, 0x53, 0x68, 0xf9, 0xc4, 0xcd, 0xde, 0xca, 0xff, 0x08, 0x91, 0xdd,
    0x68, 0x2b, 0xac, 0x1a, 0x85, 0xd4, 0xd8, 0x32, 0xb7, 0x81, 0xea, 0x45, 0x19, 0x15, 0xde, 0x5f,
    0xc5, 0xbf, 0x0d, 0xc4, 0xa1, 0x91, 0x7c, 0xd4, 0x2f, 0xa0, 0x41, 0xe3, 0xf9, 0x98, 0xe0, 0xee};
static const uint8_t policy_b_sha256[] = {
    0xca, 0x3d, 0x0a, 0x99, 0xa2, 0xb9, 0x39, 0x06, 0xf7, 0xa3, 0x34, 0x24, 0x14, 0xef, 0xcf, 0xb3,
    0xa3, 0x85, 0xd4, 0x4c, 0xd1, 0xfd, 0x45, 0x90, 0x89, 0xd1, 0x9b, 0x50, 0x71, 0xc0, 0xb7, 0xa0};
static const uint8_t policy_b_sha384[] = {
    0xb2, 0x6e, 0x7d, 0x28, 0xd1, 0x1a, 0x50, 0xbc, 0x53, 0xd8, 0x82, 0xbc, 0xf5, 0xfd, 0x3a, 0x1a,
    0x07, 0x41, 0x48, 0xbb, 0x35, 0xd3, 0xb4, 0xe4, 0xcb, 0x1c, 0x0a, 0xd9, 0xbd, 0xe4, 0x19, 0xca,
    0xcb, 0x47, 0xba, 0x09, 0x69, 0x96, 0x46, 0x15, 0x0f, 0x9f, 0xc0, 0x00, 0xf3, 0xf8, 0x0e, 0x12};
static const uint8_t policy_b_sha512[] = {
    0xb8, 0x22, 0x1c, 0xa6, 0x9e, 0x85, 0x50, 0xa4, 0x91, 0x4d, 0xe3, 0xfa, 0xa6, 0xa1, 0x8c, 0x07,
    0x2c, 0xc0, 0x12, 0x08, 0x07, 0x3a, 0x92, 0x8d, 0x5d, 0x66, 0xd5, 0x9e, 0xf7, 0x9e, 0x49, 0xa4,
    0x29, 0xc4, 0x1a, 0x6b, 0x26, 0x95, 0x71, 0xd5, 0x7e, 0xdb, 0x25, 0xfb, 0xdb, 0x18, 0x38, 0x42,
    0x56, 0x08, 0xb4, 0x13, 0xcd, 0x61, 0x6a, 0x5f, 0x6d, 0xb5, 0xb6, 0x07, 0x1a, 0xf9, 0x9b, 0xea};
static const uint8_t policy_c_sha256[] = {
    0x37, 0x67, 0xe2, 0xed, 0xd4, 0x3f, 0xf4, 0x5a, 0x3a, 0x7e, 0x1e, 0xae, 0xfc, 0xef, 0x78, 0x64,
    0x3d, 0xca, 0x96, 0x46, 0x32, 0xe7, 0xaa, 0xd8, 0x2c, 0x67, 0x3a, 0x30, 0xd8, 0x63, 0x3f, 0xde};
static const uint8_t policy_c_sha384[] = {
    0xd6, 0x03, 0x2c, 0xe6, 0x1f, 0x2f, 0xb3, 0xc2, 0x40, 0xeb, 0x3c, 0xf6, 0xa3, 0x32, 0x37, 0xef,
    0x2b, 0x6a, 0x16, 0xf4, 0x29, 0x3c, 0x22, 0xb4, 0x55, 0xe2, 0x61, 0xcf, 0xfd, 0x21, 0x7a, 0xd5,
    0xb4, 0x94, 0x7c, 0x2d, 0x73, 0xe6, 0x30, 0x05, 0xee, 0xd2, 0xdc, 0x2b, 0x35, 0x93, 0xd1, 0x65};
static const uint8_t policy_c_sha512[] = {
    0x58, 0x9e, 0xe1, 0xe1, 0x46, 0x54, 0x47, 0x16, 0xe8, 0xde, 0xaf, 0xe6, 0xdb, 0x24, 0x7b, 0x01,
    0xb8, 0x1e, 0x9f, 0x9c, 0x7d, 0xd1, 0x6b, 0x81, 0x4a, 0xa1, 0x59, 0x13, 0x87, 0x49, 0x10, 0x5f,
    0xba, 0x53, 0x88, 0xdd, 0x1d, 0xea, 0x70, 0x2f, 0x35, 0x24, 0x0c, 0x18, 0x49, 0x33, 0x12, 0x1e,
    0x2c, 0x61, 0xb8, 0xf5, 0x0d, 0x3e, 0xf9, 0x13, 0x93, 0xa4, 0x9a, 0x38, 0xc3, 0xf7, 0x3f, 0xc8};

static const struct {
    uint16_t hash;
    Bytes digest[3]; /* by TpmEkPolicy */
} policies[] = {
    {TPM_ALG_SHA256,
     {{policy_a_sha256, sizeof policy_a_sha256},
      {policy_b_sha256, sizeof policy_b_sha256},
      {policy_c_sha256, sizeof policy_c_sha256}}},
    {TPM_ALG_SHA384,
     {{policy_a_sha384, sizeof policy_a_sha384},
      {policy_b_sha384, sizeof policy_b_sha384},
      {policy_c_sha384, sizeof policy_c_sha384}}},
    {TPM_ALG_SHA512,
     {{policy_a_sha512, sizeof policy_a_sha512},
      {policy_b_sha512, sizeof policy_b_sha512},
      {policy_c_sha512, sizeof policy_c_sha512}}},
};

/* The words of tpm_encryption_alg with the EK each stands for (tpm-formats §4.1). */
static const struct {
    const char *words[3];
    uint16_t type, bits, name_alg, symmetric_bits;
    bool low_range; /* L-1, L-2: policy A, zeros as unique */
} kinds[] = {
    {{"rsa", "rsa2048"}, TPM_ALG_RSA, 2048, TPM_ALG_SHA256, 128, true},
    {{"rsa3072"}, TPM_ALG_RSA, 3072, TPM_ALG_SHA384, 256, false},
    {{"rsa4096"}, TPM_ALG_RSA, 4096, TPM_ALG_SHA384, 256, false},
    {{"ecc", "ecc256", "ecc_nist_p256"}, TPM_ALG_ECC, 256, TPM_ALG_SHA256, 128, true},
    {{"ecc384", "ecc_nist_p384"}, TPM_ALG_ECC, 384, TPM_ALG_SHA384, 256, false},
    {{"ecc521", "ecc_nist_p521"}, TPM_ALG_ECC, 521, TPM_ALG_SHA512, 256, false},
};

static const uint8_t zeros[TPM_MAX_RSA_BYTES];

static int kind_index(const char *word)
{
    for (size_t i = 0; word && i < G_N_ELEMENTS(kinds); i++)
        for (size_t j = 0; j < G_N_ELEMENTS(kinds[i].words) && kinds[i].words[j]; j++)
            if (strcmp(kinds[i].words[j], word) == 0)
                return (int)i;
    return -1;
}

Bytes tpm_template_ek_policy(TpmEkPolicy policy, uint16_t hash)
{
    for (size_t i = 0; i < G_N_ELEMENTS(policies); i++)
        if (policies[i].hash == hash)
            return policies[i].digest[policy];
    return BYTES_EMPTY;
}

/* What EK and AK of one word share. */
static TpmTemplate sized_template(int kind)
{
    const TpmCurve *curve =
        kinds[kind].type == TPM_ALG_ECC ? tpm_curve_of_bits(kinds[kind].bits) : NULL;
    return (TpmTemplate){
        .type = kinds[kind].type,
        .key_bits = kinds[kind].bits,
        .curve = curve ? curve->id : 0,
        .scheme = TPM_ALG_NULL,
        .scheme_hash = TPM_ALG_NULL,
    };
}

bool tpm_template_ek(const char *encryption_alg, TpmTemplate *out)
{
    int kind = kind_index(encryption_alg);
    if (kind < 0)
        return false;
    bool low = kinds[kind].low_range;
    *out = sized_template(kind);
    out->name_alg = kinds[kind].name_alg;
    out->attributes = low ? ATTRIBUTES_EK_LOW : ATTRIBUTES_EK_HIGH;
    out->policy =
        tpm_template_ek_policy(low ? TPM_EK_POLICY_A : TPM_EK_POLICY_B, kinds[kind].name_alg);
    out->symmetric_bits = kinds[kind].symmetric_bits;
    if (low)
        out->unique = bytes_of(zeros, kinds[kind].bits / 8u);
    return true;
}

bool tpm_template_ak(const char *encryption_alg, uint16_t hash, uint16_t scheme, TpmTemplate *out)
{
    int kind = kind_index(encryption_alg);
    bool fits = kind >= 0 && (kinds[kind].type == TPM_ALG_RSA
                                  ? scheme == TPM_ALG_RSASSA || scheme == TPM_ALG_RSAPSS
                                  : scheme == TPM_ALG_ECDSA);
    if (!fits || !tpm_hash_md(hash))
        return false;
    *out = sized_template(kind);
    out->name_alg = hash;
    out->attributes = ATTRIBUTES_AK;
    out->scheme = scheme;
    out->scheme_hash = hash;
    return true;
}

/* Everything before the unique field. */
static GByteArray *begin_public(const TpmTemplate *keys)
{
    GByteArray *out = g_byte_array_new();
    append_u16_be(out, keys->type);
    append_u16_be(out, keys->name_alg);
    append_u32_be(out, keys->attributes);
    append_tpm2b(out, keys->policy);
    append_u16_be(out, keys->symmetric_bits ? TPM_ALG_AES : TPM_ALG_NULL);
    if (keys->symmetric_bits) {
        append_u16_be(out, keys->symmetric_bits);
        append_u16_be(out, TPM_ALG_CFB);
    }
    append_u16_be(out, keys->scheme);
    if (keys->scheme != TPM_ALG_NULL)
        append_u16_be(out, keys->scheme_hash);
    if (keys->type == TPM_ALG_RSA) {
        append_u16_be(out, keys->key_bits);
        append_u32_be(out, 0); /* exponent 65537 */
    } else {
        append_u16_be(out, keys->curve);
        append_u16_be(out, TPM_ALG_NULL); /* no key derivation scheme */
    }
    return out;
}

GBytes *tpm_template_to_tpmt(const TpmTemplate *key_template)
{
    GByteArray *out = begin_public(key_template);
    append_tpm2b(out, key_template->unique);
    if (key_template->type == TPM_ALG_ECC)
        append_tpm2b(out, key_template->unique);
    return g_byte_array_free_to_bytes(out);
}

static bool append_unique(GByteArray *out, const TpmTemplate *keys, EVP_PKEY *key)
{
    if (keys->type == TPM_ALG_RSA) {
        uint8_t modulus[TPM_MAX_RSA_BYTES];
        size_t size;
        uint32_t exponent;
        if (!tpm_key_get_rsa(key, modulus, &size, &exponent) || size * 8 != keys->key_bits ||
            exponent != 65537)
            return false;
        append_tpm2b(out, bytes_of(modulus, size));
        return true;
    }
    const TpmCurve *curve = tpm_curve_find(keys->curve);
    uint8_t x[TPM_MAX_COORDINATE], y[TPM_MAX_COORDINATE];
    if (!curve || !tpm_key_get_point(key, curve, x, y))
        return false;
    append_tpm2b(out, bytes_of(x, curve->size));
    append_tpm2b(out, bytes_of(y, curve->size));
    return true;
}

GBytes *tpm_template_public(const TpmTemplate *key_template, EVP_PKEY *key, GError **error)
{
    g_autoptr(GByteArray) out = begin_public(key_template);
    if (!append_unique(out, key_template, key)) {
        g_set_error(error, TPM_ERROR, TPM_ERROR_UNSUITABLE,
                    "key is not of the type and size of its template");
        return NULL;
    }
    return g_byte_array_free_to_bytes(g_steal_pointer(&out));
}
