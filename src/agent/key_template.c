/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/key_template.h"

#include "base/encoding.h"

#include <string.h>

#define ATTRIBUTES_AK 0x00050072u
#define ATTRIBUTES_EK_LOW 0x000300B2u
#define ATTRIBUTES_EK_HIGH 0x000300F2u
#define ATTRIBUTES_IAK 0x000500F2u
#define ATTRIBUTES_IDEVID 0x000400F2u

/* Policies of tpm-formats §4.2. */
static const char policy_a_sha256[] =
    "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa";
static const char policy_b_sha384[] =
    "b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419ca"
    "cb47ba09699646150f9fc000f3f80e12";
static const char policy_b_sha512[] =
    "b8221ca69e8550a4914de3faa6a18c072cc01208073a928d5d66d59ef79e49a4"
    "29c41a6b269571d57edb25fbdb1838425608b413cd616a5f6db5b6071af99bea";

typedef struct {
    uint16_t type, bits, name_alg;
    uint32_t attributes;
    const char *policy;
    uint16_t symmetric_bits;
    uint16_t unique_zeros; /* bytes of the template's unique field(s) */
    uint32_t certificate_index;
} EkProfile;

static const EkProfile ek_profiles[] = {
    {TPM_ALG_RSA, 2048, TPM_ALG_SHA256, ATTRIBUTES_EK_LOW, policy_a_sha256, 128, 256, 0x01C00002},
    {TPM_ALG_RSA, 3072, TPM_ALG_SHA384, ATTRIBUTES_EK_HIGH, policy_b_sha384, 256, 0, 0x01C0001C},
    {TPM_ALG_RSA, 4096, TPM_ALG_SHA384, ATTRIBUTES_EK_HIGH, policy_b_sha384, 256, 0, 0x01C0001E},
    {TPM_ALG_ECC, 256, TPM_ALG_SHA256, ATTRIBUTES_EK_LOW, policy_a_sha256, 128, 32, 0x01C0000A},
    {TPM_ALG_ECC, 384, TPM_ALG_SHA384, ATTRIBUTES_EK_HIGH, policy_b_sha384, 256, 0, 0x01C00016},
    {TPM_ALG_ECC, 521, TPM_ALG_SHA512, ATTRIBUTES_EK_HIGH, policy_b_sha512, 256, 0, 0x01C00018},
};

static const EkProfile *ek_profile(const KeyTemplate *keys)
{
    for (guint i = 0; i < G_N_ELEMENTS(ek_profiles); i++) {
        if (ek_profiles[i].type == keys->type && ek_profiles[i].bits == keys->bits)
            return &ek_profiles[i];
    }
    g_assert_not_reached(); /* key_template_from_words() makes no other */
}

uint16_t key_curve(uint16_t bits)
{
    switch (bits) {
    case 256:
        return 0x0003;
    case 384:
        return 0x0004;
    case 521:
        return 0x0005;
    default:
        return 0;
    }
}

static void append_policy(GByteArray *out, const char *hex)
{
    if (!hex) {
        append_u16_be(out, 0);
        return;
    }
    g_autoptr(GBytes) policy = hex_decode(hex);
    append_tpm2b(out, bytes_of_gbytes(policy));
}

static void append_zeros(GByteArray *out, uint16_t size)
{
    append_u16_be(out, size);
    for (uint16_t i = 0; i < size; i++)
        append_u8(out, 0);
}

/* keyBits and exponent, or curve and kdf, in front of the unique field(s). */
static void append_key_kind(GByteArray *out, const KeyTemplate *keys)
{
    if (keys->type == TPM_ALG_RSA) {
        append_u16_be(out, keys->bits);
        append_u32_be(out, 0); /* 65537 */
    } else {
        append_u16_be(out, key_curve(keys->bits));
        append_u16_be(out, TPM_ALG_NULL); /* kdf */
    }
}

GByteArray *key_template_ek(const KeyTemplate *keys, Bytes x, Bytes y)
{
    const EkProfile *profile = ek_profile(keys);
    GByteArray *out = g_byte_array_new();
    append_u16_be(out, keys->type);
    append_u16_be(out, profile->name_alg);
    append_u32_be(out, profile->attributes);
    append_policy(out, profile->policy);
    append_u16_be(out, TPM_ALG_AES);
    append_u16_be(out, profile->symmetric_bits);
    append_u16_be(out, TPM_ALG_CFB);
    append_u16_be(out, TPM_ALG_NULL); /* scheme */
    append_key_kind(out, keys);
    if (x.size == 0) {
        append_zeros(out, profile->unique_zeros);
        if (keys->type == TPM_ALG_ECC)
            append_zeros(out, profile->unique_zeros);
        return out;
    }
    append_tpm2b(out, x);
    if (keys->type == TPM_ALG_ECC)
        append_tpm2b(out, y);
    return out;
}

GByteArray *key_template_ak(const KeyTemplate *keys, Bytes x, Bytes y)
{
    GByteArray *out = g_byte_array_new();
    append_u16_be(out, keys->type);
    append_u16_be(out, keys->hash);
    append_u32_be(out, ATTRIBUTES_AK);
    append_policy(out, NULL);
    append_u16_be(out, TPM_ALG_NULL); /* symmetric */
    append_u16_be(out, keys->scheme);
    append_u16_be(out, keys->hash);
    append_key_kind(out, keys);
    append_tpm2b(out, x);
    if (keys->type == TPM_ALG_ECC)
        append_tpm2b(out, y);
    return out;
}

uint32_t key_template_ek_certificate_index(const KeyTemplate *keys)
{
    return ek_profile(keys)->certificate_index;
}

static const struct {
    const char *word;
    uint16_t type, bits;
} key_words[] = {
    {"rsa", TPM_ALG_RSA, 2048},          {"rsa2048", TPM_ALG_RSA, 2048},
    {"rsa3072", TPM_ALG_RSA, 3072},      {"rsa4096", TPM_ALG_RSA, 4096},
    {"ecc", TPM_ALG_ECC, 256},           {"ecc256", TPM_ALG_ECC, 256},
    {"ecc384", TPM_ALG_ECC, 384},        {"ecc521", TPM_ALG_ECC, 521},
    {"ecc_nist_p256", TPM_ALG_ECC, 256}, {"ecc_nist_p384", TPM_ALG_ECC, 384},
    {"ecc_nist_p521", TPM_ALG_ECC, 521},
};

static bool key_from_word(const char *word, KeyTemplate *out)
{
    for (guint i = 0; i < G_N_ELEMENTS(key_words); i++) {
        if (strcmp(word, key_words[i].word) == 0) {
            out->type = key_words[i].type;
            out->bits = key_words[i].bits;
            return true;
        }
    }
    return false;
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

bool key_template_device_from_words(const char *template_name, const char *asymmetric,
                                    const char *name_hash, KeyTemplate *out, const char **problem)
{
    for (guint i = 0; i < G_N_ELEMENTS(device_templates); i++) {
        if (strcmp(template_name, device_templates[i].name) == 0) {
            *out = device_templates[i].key;
            return true;
        }
    }
    if (strcmp(template_name, "detect") == 0 || strcmp(template_name, "default") == 0 ||
        *template_name == '\0') {
        *out = device_templates[0].key;
        return true;
    }
    if (strcmp(template_name, "manual") != 0) {
        *problem = "iak_idevid_template must be H-1, H-2, H-3, H-4, manual or detect";
        return false;
    }
    KeyTemplate key = {0};
    key.hash = agent_hash(name_hash);
    if (!key.hash || !key_from_word(asymmetric, &key)) {
        *problem =
            "iak_idevid_asymmetric_alg must be rsa or ecc, iak_idevid_name_alg sha256, sha384 "
            "or sha512";
        return false;
    }
    /* The key's size follows the hash (tpm-formats §4.4). */
    bool rsa = key.type == TPM_ALG_RSA;
    key.bits = key.hash == TPM_ALG_SHA256   ? (rsa ? 2048 : 256)
               : key.hash == TPM_ALG_SHA384 ? (rsa ? 3072 : 384)
                                            : (rsa ? 4096 : 521);
    key.scheme = rsa ? TPM_ALG_RSAPSS : TPM_ALG_ECDSA;
    *out = key;
    return true;
}

/* Policies of tpm-formats §4.4, by nameAlg. */
static const char *device_policy(DeviceKey which, uint16_t hash)
{
    static const char *const iak[] = {
        "5437182326e414fca797d5f174615a1641f61255797c3a2b22c21d120b2d1e07",
        "129d94ebf84556652c6eef43bbb757512ac87e52be7b349ca6ce4d826f749fcf672f51716c5cbb605f313bf345"
        "aab312",
        "8060d1fb31716a29e48a6e5fece088bcfc1b278fc162255e81c3eca3544cd44af94410c3715d561cccd9e39a6c"
        "b2646d"
        "43535bb54ea88710deb5f7836bd9b586",
    };
    static const char *const idevid[] = {
        "ad6b3a2284fd698a0710bf5cc1b9bdf15e2532e3f601fa4b93a6a8fa8de579ea",
        "4db1aa836d0b5615df6ee53a40ef70c61c217f4303d44695925972bc927006cfa5cbdf6dc18c4dbe329b2f1542"
        "c3dd33",
        "7dd7500fd6c1b94f97a6af910da147301ef28f662fee06f225a4ccadda3b4e6b38e66b2f3ad5dee1a0503cd2da"
        "edb1e6"
        "8cfe4f84b03a8cd22bb6a976f071a72f",
    };
    guint row = hash == TPM_ALG_SHA256 ? 0 : hash == TPM_ALG_SHA384 ? 1 : 2;
    return which == DEVICE_KEY_IAK ? iak[row] : idevid[row];
}

GByteArray *key_template_device(DeviceKey which, const KeyTemplate *key)
{
    GByteArray *out = g_byte_array_new();
    append_u16_be(out, key->type);
    append_u16_be(out, key->hash);
    append_u32_be(out, which == DEVICE_KEY_IAK ? ATTRIBUTES_IAK : ATTRIBUTES_IDEVID);
    append_policy(out, device_policy(which, key->hash));
    append_u16_be(out, TPM_ALG_NULL);
    if (key->type == TPM_ALG_RSA && which == DEVICE_KEY_IDEVID) {
        append_u16_be(out, TPM_ALG_NULL);
    } else {
        append_u16_be(out, key->type == TPM_ALG_RSA ? TPM_ALG_RSAPSS : TPM_ALG_ECDSA);
        append_u16_be(out, key->hash);
    }
    append_key_kind(out, key);
    Bytes unique = bytes_of_text(which == DEVICE_KEY_IAK ? "IAK" : "IDEVID");
    append_tpm2b(out, unique);
    if (key->type == TPM_ALG_ECC)
        append_tpm2b(out, unique);
    return out;
}
