/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/key_template.h"

#include "tpm/key.h"

#include <string.h>

#define ATTRIBUTES_IAK 0x000500F2u
#define ATTRIBUTES_IDEVID 0x000400F2u

/* The key of the words "rsa2048", "ecc384", ...: tpm/template.h owns them. */
static void key_word(const KeyTemplate *keys, char out[16])
{
    g_snprintf(out, 16, "%s%u", keys->type == TPM_ALG_RSA ? "rsa" : "ecc", keys->bits);
}

TpmTemplate key_template_ek(const KeyTemplate *keys)
{
    char word[16];
    TpmTemplate out = {0};
    key_word(keys, word);
    bool known = tpm_template_ek(word, &out);
    g_assert(known); /* key_template_from_words() makes no other */
    return out;
}

TpmTemplate key_template_ak(const KeyTemplate *keys)
{
    char word[16];
    TpmTemplate out = {0};
    key_word(keys, word);
    bool known = tpm_template_ak(word, keys->hash, keys->scheme, &out);
    g_assert(known);
    return out;
}

uint32_t key_template_ek_certificate_index(const KeyTemplate *keys)
{
    static const struct {
        uint16_t type, bits;
        uint32_t index;
    } certificates[] = {
        {TPM_ALG_RSA, 2048, 0x01C00002}, {TPM_ALG_RSA, 3072, 0x01C0001C},
        {TPM_ALG_RSA, 4096, 0x01C0001E}, {TPM_ALG_ECC, 256, 0x01C0000A},
        {TPM_ALG_ECC, 384, 0x01C00016},  {TPM_ALG_ECC, 521, 0x01C00018},
    };
    for (guint i = 0; i < G_N_ELEMENTS(certificates); i++) {
        if (certificates[i].type == keys->type && certificates[i].bits == keys->bits)
            return certificates[i].index;
    }
    g_assert_not_reached(); /* key_template_from_words() makes no other */
}

static bool key_from_word(const char *word, KeyTemplate *out)
{
    TpmTemplate ek;
    if (!tpm_template_ek(word, &ek))
        return false;
    out->type = ek.type;
    out->bits = ek.key_bits;
    return true;
}

static uint16_t agent_hash(const char *word)
{
    uint16_t hash = tpm_hash_from_name(word);
    return hash == TPM_ALG_SHA256 || hash == TPM_ALG_SHA384 || hash == TPM_ALG_SHA512 ? hash : 0;
}

bool key_template_from_words(const char *encryption, const char *signing, const char *hash,
                             KeyTemplate *out, const char **problem)
{
    KeyTemplate keys = {0};
    keys.hash = agent_hash(hash);
    if (!keys.hash) {
        *problem = "tpm_hash_alg must be sha256, sha384 or sha512";
        return false;
    }
    keys.scheme = tpm_scheme_from_name(signing);
    if (!keys.scheme) {
        *problem = "tpm_signing_alg must be rsassa, rsapss or ecdsa";
        return false;
    }
    uint16_t wanted = keys.scheme == TPM_ALG_ECDSA ? TPM_ALG_ECC : TPM_ALG_RSA;
    if (!encryption)
        encryption = wanted == TPM_ALG_ECC ? "ecc" : "rsa";
    if (!key_from_word(encryption, &keys)) {
        *problem =
            "tpm_encryption_alg must be rsa, rsa2048, rsa3072, rsa4096, ecc, ecc256, ecc384 or "
            "ecc521";
        return false;
    }
    if (keys.type != wanted) {
        *problem =
            "tpm_signing_alg and tpm_encryption_alg do not fit: rsassa and rsapss need an rsa "
            "key, ecdsa an ecc key";
        return false;
    }
    *out = keys;
    return true;
}

typedef struct {
    const char *name;
    KeyTemplate key;
} DeviceTemplate;

static const DeviceTemplate device_templates[] = {
    {"H-1", {TPM_ALG_RSA, 2048, TPM_ALG_RSAPSS, TPM_ALG_SHA256}},
    {"H-2", {TPM_ALG_ECC, 256, TPM_ALG_ECDSA, TPM_ALG_SHA256}},
    {"H-3", {TPM_ALG_ECC, 384, TPM_ALG_ECDSA, TPM_ALG_SHA384}},
    {"H-4", {TPM_ALG_ECC, 521, TPM_ALG_ECDSA, TPM_ALG_SHA512}},
};

static bool device_key_from_certified(EVP_PKEY *certified, KeyTemplate *out)
{
    const TpmCurve *curve = tpm_curve_of_key(certified);
    bool rsa = EVP_PKEY_is_a(certified, "RSA");
    uint16_t type = rsa ? TPM_ALG_RSA : TPM_ALG_ECC;
    int bits = rsa ? EVP_PKEY_get_bits(certified) : curve ? curve->bits : 0;
    for (guint i = 0; i < G_N_ELEMENTS(device_templates); i++) {
        if (device_templates[i].key.type == type && device_templates[i].key.bits == bits) {
            *out = device_templates[i].key;
            return true;
        }
    }
    return false;
}

static bool device_key_from_algorithms(const char *asymmetric, const char *name_hash,
                                       KeyTemplate *out)
{
    KeyTemplate key = {.hash = agent_hash(name_hash)};
    if (!key.hash || !key_from_word(asymmetric, &key))
        return false;
    /* The key's size follows the hash (tpm-formats §4.4). */
    bool rsa = key.type == TPM_ALG_RSA;
    key.bits = key.hash == TPM_ALG_SHA256   ? (rsa ? 2048 : 256)
               : key.hash == TPM_ALG_SHA384 ? (rsa ? 3072 : 384)
                                            : (rsa ? 4096 : 521);
    key.scheme = rsa ? TPM_ALG_RSAPSS : TPM_ALG_ECDSA;
    *out = key;
    return true;
}

bool key_template_device_from_words(const char *template_name, const char *asymmetric,
                                    const char *name_hash, EVP_PKEY *certified, KeyTemplate *out,
                                    const char **problem)
{
    for (guint i = 0; i < G_N_ELEMENTS(device_templates); i++) {
        if (strcmp(template_name, device_templates[i].name) == 0) {
            *out = device_templates[i].key;
            return true;
        }
    }
    bool detect = strcmp(template_name, "detect") == 0 || strcmp(template_name, "default") == 0 ||
                  *template_name == '\0';
    if (!detect && strcmp(template_name, "manual") != 0) {
        *problem = "must be H-1, H-2, H-3, H-4, manual or detect";
        return false;
    }
    if (detect && certified && device_key_from_certified(certified, out))
        return true;
    if (device_key_from_algorithms(asymmetric, name_hash, out))
        return true;
    *problem = "needs iak_idevid_asymmetric_alg = rsa or ecc, and iak_idevid_name_alg = sha256, "
               "sha384 or sha512";
    return false;
}

/* Policies of tpm-formats §4.4. */
static const uint8_t iak_policy_sha256[] = {
    0x54, 0x37, 0x18, 0x23, 0x26, 0xe4, 0x14, 0xfc, 0xa7, 0x97, 0xd5, 0xf1, 0x74, 0x61, 0x5a, 0x16,
    0x41, 0xf6, 0x12, 0x55, 0x79, 0x7c, 0x3a, 0x2b, 0x22, 0xc2, 0x1d, 0x12, 0x0b, 0x2d, 0x1e, 0x07};
static const uint8_t iak_policy_sha384[] = {
    0x12, 0x9d, 0x94, 0xeb, 0xf8, 0x45, 0x56, 0x65, 0x2c, 0x6e, 0xef, 0x43, 0xbb, 0xb7, 0x57, 0x51,
    0x2a, 0xc8, 0x7e, 0x52, 0xbe, 0x7b, 0x34, 0x9c, 0xa6, 0xce, 0x4d, 0x82, 0x6f, 0x74, 0x9f, 0xcf,
    0x67, 0x2f, 0x51, 0x71, 0x6c, 0x5c, 0xbb, 0x60, 0x5f, 0x31, 0x3b, 0xf3, 0x45, 0xaa, 0xb3, 0x12};
static const uint8_t iak_policy_sha512[] = {
    0x80, 0x60, 0xd1, 0xfb, 0x31, 0x71, 0x6a, 0x29, 0xe4, 0x8a, 0x6e, 0x5f, 0xec, 0xe0, 0x88, 0xbc,
    0xfc, 0x1b, 0x27, 0x8f, 0xc1, 0x62, 0x25, 0x5e, 0x81, 0xc3, 0xec, 0xa3, 0x54, 0x4c, 0xd4, 0x4a,
    0xf9, 0x44, 0x10, 0xc3, 0x71, 0x5d, 0x56, 0x1c, 0xcc, 0xd9, 0xe3, 0x9a, 0x6c, 0xb2, 0x64, 0x6d,
    0x43, 0x53, 0x5b, 0xb5, 0x4e, 0xa8, 0x87, 0x10, 0xde, 0xb5, 0xf7, 0x83, 0x6b, 0xd9, 0xb5, 0x86};
static const uint8_t idevid_policy_sha256[] = {
    0xad, 0x6b, 0x3a, 0x22, 0x84, 0xfd, 0x69, 0x8a, 0x07, 0x10, 0xbf, 0x5c, 0xc1, 0xb9, 0xbd, 0xf1,
    0x5e, 0x25, 0x32, 0xe3, 0xf6, 0x01, 0xfa, 0x4b, 0x93, 0xa6, 0xa8, 0xfa, 0x8d, 0xe5, 0x79, 0xea};
static const uint8_t idevid_policy_sha384[] = {
    0x4d, 0xb1, 0xaa, 0x83, 0x6d, 0x0b, 0x56, 0x15, 0xdf, 0x6e, 0xe5, 0x3a, 0x40, 0xef, 0x70, 0xc6,
    0x1c, 0x21, 0x7f, 0x43, 0x03, 0xd4, 0x46, 0x95, 0x92, 0x59, 0x72, 0xbc, 0x92, 0x70, 0x06, 0xcf,
    0xa5, 0xcb, 0xdf, 0x6d, 0xc1, 0x8c, 0x4d, 0xbe, 0x32, 0x9b, 0x2f, 0x15, 0x42, 0xc3, 0xdd, 0x33};
static const uint8_t idevid_policy_sha512[] = {
    0x7d, 0xd7, 0x50, 0x0f, 0xd6, 0xc1, 0xb9, 0x4f, 0x97, 0xa6, 0xaf, 0x91, 0x0d, 0xa1, 0x47, 0x30,
    0x1e, 0xf2, 0x8f, 0x66, 0x2f, 0xee, 0x06, 0xf2, 0x25, 0xa4, 0xcc, 0xad, 0xda, 0x3b, 0x4e, 0x6b,
    0x38, 0xe6, 0x6b, 0x2f, 0x3a, 0xd5, 0xde, 0xe1, 0xa0, 0x50, 0x3c, 0xd2, 0xda, 0xed, 0xb1, 0xe6,
    0x8c, 0xfe, 0x4f, 0x84, 0xb0, 0x3a, 0x8c, 0xd2, 0x2b, 0xb6, 0xa9, 0x76, 0xf0, 0x71, 0xa7, 0x2f};

static Bytes device_policy(DeviceKey which, uint16_t hash)
{
    bool iak = which == DEVICE_KEY_IAK;
    switch (hash) {
    case TPM_ALG_SHA256:
        return iak ? BYTES_OF_ARRAY(iak_policy_sha256) : BYTES_OF_ARRAY(idevid_policy_sha256);
    case TPM_ALG_SHA384:
        return iak ? BYTES_OF_ARRAY(iak_policy_sha384) : BYTES_OF_ARRAY(idevid_policy_sha384);
    case TPM_ALG_SHA512:
        return iak ? BYTES_OF_ARRAY(iak_policy_sha512) : BYTES_OF_ARRAY(idevid_policy_sha512);
    default:
        g_assert_not_reached(); /* key_template_device_from_words() makes no other */
    }
}

TpmTemplate key_template_device(DeviceKey which, const KeyTemplate *key)
{
    bool rsa = key->type == TPM_ALG_RSA, iak = which == DEVICE_KEY_IAK;
    uint16_t scheme = !rsa ? TPM_ALG_ECDSA : iak ? TPM_ALG_RSAPSS : TPM_ALG_NULL;
    return (TpmTemplate){
        .type = key->type,
        .name_alg = key->hash,
        .attributes = iak ? ATTRIBUTES_IAK : ATTRIBUTES_IDEVID,
        .policy = device_policy(which, key->hash),
        .scheme = scheme,
        .scheme_hash = scheme == TPM_ALG_NULL ? TPM_ALG_NULL : key->hash,
        .key_bits = key->bits,
        .curve = rsa ? 0 : tpm_curve_of_bits(key->bits)->id,
        .unique = bytes_of_text(iak ? "IAK" : "IDEVID"),
    };
}
