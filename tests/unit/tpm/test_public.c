/* SPDX-License-Identifier: Apache-2.0 */
/* Public areas: strict reading, roles, names, and the templates they are written from. */
#include "tpm/public.h"

#include "base/encoding.h"
#include "software_ak.h"
#include "tpm/key.h"
#include "tpm/template.h"

#include <openssl/core_names.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static GByteArray *bytes_of_key(const TpmPublic *public)
{
    GByteArray *out = g_byte_array_new();
    bytes_append(out, bytes_of_gbytes(public->tpmt));
    return out;
}

static void assert_refused(Bytes tpmt, TpmError code)
{
    g_autoptr(GError) error = NULL;
    assert_null(tpm_public_from_tpmt(tpmt, &error));
    assert_true(g_error_matches(error, TPM_ERROR, (gint)code));
    assert_true(strlen(error->message) > 0);
}

static void test_every_truncation_is_refused(void **state)
{
    static const char *const words[] = {"rsa2048", "ecc256"};
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        SoftwareAk ak =
            software_ak_new(words[i], i ? TPM_ALG_ECDSA : TPM_ALG_RSASSA, TPM_ALG_SHA256);
        Bytes whole = bytes_of_gbytes(ak.public->tpmt);
        for (size_t size = 0; size < whole.size; size++) {
            /* A copy of its own, so that a read beyond it is seen by the sanitizers. */
            g_autofree uint8_t *cut = g_memdup2(whole.data, size);
            assert_null(tpm_public_from_tpmt(bytes_of(cut, size), NULL));
            assert_null(tpm_public_from_tpm2b(bytes_of(cut, size), NULL));
        }
        software_ak_clear(&ak);
    }
}

static void test_trailing_byte_is_refused(void **state)
{
    SoftwareAk ak = software_ak_new("ecc384", TPM_ALG_ECDSA, TPM_ALG_SHA384);
    g_autoptr(GByteArray) longer = bytes_of_key(ak.public);
    append_u8(longer, 0);
    assert_refused(bytes_of_array(longer), TPM_ERROR_MALFORMED);
    software_ak_clear(&ak);
}

/* Offsets of tpm-formats §3.1, less the size prefix. */
enum {
    AT_TYPE = 0,
    AT_NAME_ALG = 2,
    AT_ATTRIBUTES = 4,
    AT_POLICY = 8,
    AT_SYMMETRIC = 10,
    AT_SCHEME = 12,
    AT_HASH = 14,
    AT_KEY_BITS = 16,
    AT_EXPONENT = 18,
    AT_MODULUS = 24,
};

static void test_fields_out_of_range(void **state)
{
    static const struct {
        size_t offset;
        uint16_t value;
        TpmError code;
    } changes[] = {
        {AT_TYPE, 0x0008, TPM_ERROR_UNSUPPORTED},
        {AT_NAME_ALG, 0x0012, TPM_ERROR_UNSUPPORTED},
        {AT_POLICY, 1, TPM_ERROR_MALFORMED},
        {AT_SYMMETRIC, 0x0013, TPM_ERROR_UNSUPPORTED},
        {AT_SCHEME, TPM_ALG_ECDSA, TPM_ERROR_UNSUPPORTED},
        {AT_HASH, 0x0099, TPM_ERROR_UNSUPPORTED},
        {AT_KEY_BITS, 1024, TPM_ERROR_MALFORMED},
        {AT_KEY_BITS, 2056, TPM_ERROR_UNSUPPORTED},
        {AT_EXPONENT + 2, 3, TPM_ERROR_MALFORMED},
        {AT_EXPONENT, 0x0100, TPM_ERROR_MALFORMED},
        {AT_MODULUS, 0x0001, TPM_ERROR_MALFORMED},
    };
    SoftwareAk ak = software_ak_new("rsa2048", TPM_ALG_RSASSA, TPM_ALG_SHA256);
    for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
        g_autoptr(GByteArray) changed = bytes_of_key(ak.public);
        changed->data[changes[i].offset] = (uint8_t)(changes[i].value >> 8);
        changed->data[changes[i].offset + 1] = (uint8_t)changes[i].value;
        assert_refused(bytes_of_array(changed), changes[i].code);
    }
    software_ak_clear(&ak);
}

static void test_even_modulus_is_refused(void **state)
{
    SoftwareAk ak = software_ak_new("rsa2048", TPM_ALG_RSASSA, TPM_ALG_SHA256);
    g_autoptr(GByteArray) changed = bytes_of_key(ak.public);
    changed->data[changed->len - 1] &= 0xfe;
    assert_refused(bytes_of_array(changed), TPM_ERROR_MALFORMED);
    software_ak_clear(&ak);
}

/* A TPM that strips leading zeros sends shorter coordinates: the same key, another name. */
static void test_short_coordinate_is_padded(void **state)
{
    TpmTemplate keys;
    assert_true(tpm_template_ak("ecc256", TPM_ALG_SHA256, TPM_ALG_ECDSA, &keys));
    uint8_t x[TPM_MAX_COORDINATE], y[TPM_MAX_COORDINATE];
    EVP_PKEY *key = NULL;
    do {
        EVP_PKEY_free(key);
        key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
        assert_true(tpm_key_get_point(key, tpm_curve_find(keys.curve), x, y));
    } while (x[0] != 0);
    g_autoptr(GBytes) full = tpm_template_public(&keys, key, NULL);
    Bytes head = bytes_of_gbytes(full);
    g_autoptr(GByteArray) shorter = g_byte_array_new();
    bytes_append(shorter, bytes_of(head.data, head.size - 68));
    append_tpm2b(shorter, bytes_of(x + 1, 31));
    append_tpm2b(shorter, bytes_of(y, 32));
    g_autoptr(TpmPublic) a = tpm_public_from_tpmt(head, NULL);
    g_autoptr(TpmPublic) b = tpm_public_from_tpmt(bytes_of_array(shorter), NULL);
    assert_non_null(a);
    assert_non_null(b);
    g_autofree char *pem_a = tpm_public_to_pem(a);
    g_autofree char *pem_b = tpm_public_to_pem(b);
    assert_string_equal(pem_a, pem_b);
    assert_false(bytes_equal(tpm_public_name(a), tpm_public_name(b)));
    EVP_PKEY_free(key);
}

static void test_attestation_key_needs_each_attribute(void **state)
{
    SoftwareAk ak = software_ak_new("ecc256", TPM_ALG_ECDSA, TPM_ALG_SHA256);
    assert_true(tpm_public_check_attestation_key(ak.public, NULL));
    for (unsigned bit = 0; bit < 32; bit++) {
        g_autoptr(GByteArray) changed = bytes_of_key(ak.public);
        changed->data[AT_ATTRIBUTES + 3 - bit / 8] ^= (uint8_t)(1 << bit % 8);
        g_autoptr(TpmPublic) other = tpm_public_from_tpmt(bytes_of_array(changed), NULL);
        g_autoptr(GError) error = NULL;
        assert_non_null(other);
        assert_false(tpm_public_check_attestation_key(other, &error));
        assert_true(g_error_matches(error, TPM_ERROR, TPM_ERROR_UNSUITABLE));
    }
    software_ak_clear(&ak);
}

static void test_attestation_key_of_1024_bits_is_too_weak(void **state)
{
    TpmTemplate keys;
    assert_true(tpm_template_ak("rsa2048", TPM_ALG_SHA256, TPM_ALG_RSASSA, &keys));
    keys.key_bits = 1024;
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
    g_autoptr(GBytes) tpmt = tpm_template_public(&keys, key, NULL);
    g_autoptr(TpmPublic) public = tpm_public_from_tpmt(bytes_of_gbytes(tpmt), NULL);
    assert_non_null(public);
    assert_false(tpm_public_check_attestation_key(public, NULL));
    EVP_PKEY_free(key);
}

static void test_endorsement_templates_make_endorsement_keys(void **state)
{
    static const struct {
        const char *word;
        size_t tpm2b_size; /* tpm-formats §3.1 */
    } kinds[] = {
        {"rsa2048", 316}, {"rsa3072", 460}, {"ecc256", 124}, {"ecc384", 172}, {"ecc521", 224}};
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        TpmTemplate keys;
        assert_true(tpm_template_ek(kinds[i].word, &keys));
        EVP_PKEY *key =
            keys.type == TPM_ALG_RSA
                ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)keys.key_bits)
                : EVP_PKEY_Q_keygen(NULL, NULL, "EC", tpm_curve_find(keys.curve)->group);
        g_autoptr(GBytes) tpmt = tpm_template_public(&keys, key, NULL);
        g_autoptr(TpmPublic) public = tpm_public_from_tpmt(bytes_of_gbytes(tpmt), NULL);
        assert_non_null(public);
        assert_true(tpm_public_check_endorsement_key(public, NULL));
        assert_false(tpm_public_check_attestation_key(public, NULL));
        assert_false(tpm_public_check_identity_key(public, NULL));
        g_autoptr(GBytes) tpm2b = tpm_public_to_tpm2b(public);
        assert_int_equal(g_bytes_get_size(tpm2b), kinds[i].tpm2b_size);
        g_autofree char *id = tpm_public_hash_ek(public);
        assert_int_equal(strlen(id), 64);
        EVP_PKEY_free(key);
    }
}

/* The unique field takes part in the key's derivation: zeros in L-1 and L-2, empty elsewhere. */
static void test_template_unique(void **state)
{
    static const struct {
        const char *word;
        size_t size;
    } kinds[] = {{"rsa", 58 + 256}, {"ecc", 58 + 64}, {"ecc384", 74}, {"rsa4096", 74}};
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        TpmTemplate keys;
        assert_true(tpm_template_ek(kinds[i].word, &keys));
        g_autoptr(GBytes) tpmt = tpm_template_to_tpmt(&keys);
        assert_int_equal(g_bytes_get_size(tpmt), kinds[i].size);
    }
}

static void test_template_refusals(void **state)
{
    TpmTemplate keys;
    static const char *const words[] = {"rsa1024", "ecc192", "ecc_sm2", "", "RSA"};
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        assert_false(tpm_template_ek(words[i], &keys));
    assert_false(tpm_template_ek(NULL, &keys));
    assert_false(tpm_template_ak("rsa", TPM_ALG_SHA256, TPM_ALG_ECDSA, &keys));
    assert_false(tpm_template_ak("ecc", TPM_ALG_SHA256, TPM_ALG_RSAPSS, &keys));
    assert_false(tpm_template_ak("rsa", TPM_ALG_SM3_256, TPM_ALG_RSASSA, &keys));
    assert_true(tpm_template_ak("ecc", TPM_ALG_SHA256, TPM_ALG_ECDSA, &keys));
    EVP_PKEY *rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    EVP_PKEY *p384 = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");
    g_autoptr(GError) error = NULL;
    assert_null(tpm_template_public(&keys, rsa, &error));
    assert_true(g_error_matches(error, TPM_ERROR, TPM_ERROR_UNSUITABLE));
    assert_null(tpm_template_public(&keys, p384, NULL));
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(p384);
}

/* A = H(H(0...0 | 00000151 | 4000000B)); B = H(0...0 | 00000171 | A | C) (tpm-formats §4.2). */
static void test_policy_digests(void **state)
{
    static const uint16_t hashes[] = {TPM_ALG_SHA256, TPM_ALG_SHA384, TPM_ALG_SHA512};
    static const uint8_t secret[] = {0, 0, 1, 0x51, 0x40, 0, 0, 0x0b};
    static const uint8_t either[] = {0, 0, 1, 0x71};
    for (size_t i = 0; i < G_N_ELEMENTS(hashes); i++) {
        size_t size = tpm_hash_size(hashes[i]);
        uint8_t digest[TPM_MAX_DIGEST] = {0}, twice[TPM_MAX_DIGEST];
        g_autoptr(GByteArray) a = g_byte_array_new();
        bytes_append(a, bytes_of(digest, size));
        bytes_append(a, BYTES_OF_ARRAY(secret));
        EVP_Digest(a->data, a->len, twice, NULL, tpm_hash_md(hashes[i]), NULL);
        EVP_Digest(twice, size, twice, NULL, tpm_hash_md(hashes[i]), NULL);
        assert_true(
            bytes_equal(bytes_of(twice, size), tpm_template_ek_policy(TPM_EK_POLICY_A, hashes[i])));
        g_autoptr(GByteArray) b = g_byte_array_new();
        bytes_append(b, bytes_of(digest, size));
        bytes_append(b, BYTES_OF_ARRAY(either));
        bytes_append(b, tpm_template_ek_policy(TPM_EK_POLICY_A, hashes[i]));
        bytes_append(b, tpm_template_ek_policy(TPM_EK_POLICY_C, hashes[i]));
        EVP_Digest(b->data, b->len, digest, NULL, tpm_hash_md(hashes[i]), NULL);
        assert_true(bytes_equal(bytes_of(digest, size),
                                tpm_template_ek_policy(TPM_EK_POLICY_B, hashes[i])));
    }
    assert_int_equal(tpm_template_ek_policy(TPM_EK_POLICY_A, TPM_ALG_SHA1).size, 0);
}

static void test_qualified_name(void **state)
{
    SoftwareAk ak = software_ak_new("ecc256", TPM_ALG_ECDSA, TPM_ALG_SHA256);
    uint8_t parent[TPM_NAME_MAX], child[TPM_NAME_MAX], expected[32];
    size_t parent_size, child_size;
    assert_true(
        tpm_public_qualified_name(ak.public, TPM_ENDORSEMENT_HIERARCHY, parent, &parent_size));
    assert_int_equal(parent_size, 34);
    assert_true(
        tpm_public_qualified_name(ak.public, bytes_of(parent, parent_size), child, &child_size));
    g_autoptr(GByteArray) data = g_byte_array_new();
    append_u32_be(data, 0x4000000B);
    bytes_append(data, tpm_public_name(ak.public));
    EVP_Digest(data->data, data->len, expected, NULL, tpm_hash_md(TPM_ALG_SHA256), NULL);
    assert_memory_equal(parent + 2, expected, 32);
    assert_memory_equal(parent, "\x00\x0b", 2);
    assert_memory_not_equal(parent, child, 34);
    software_ak_clear(&ak);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_truncation_is_refused),
        cmocka_unit_test(test_trailing_byte_is_refused),
        cmocka_unit_test(test_fields_out_of_range),
        cmocka_unit_test(test_even_modulus_is_refused),
        cmocka_unit_test(test_short_coordinate_is_padded),
        cmocka_unit_test(test_attestation_key_needs_each_attribute),
        cmocka_unit_test(test_attestation_key_of_1024_bits_is_too_weak),
        cmocka_unit_test(test_endorsement_templates_make_endorsement_keys),
        cmocka_unit_test(test_template_unique),
        cmocka_unit_test(test_template_refusals),
        cmocka_unit_test(test_policy_digests),
        cmocka_unit_test(test_qualified_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
