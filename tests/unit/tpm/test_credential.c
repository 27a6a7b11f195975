/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials: sealed, opened, and refused for anyone else. */
#include "tpm/credential.h"

#include "tpm/key.h"
#include "tpm/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    EVP_PKEY *key;
    TpmPublic *public;
} SoftwareEk;

static SoftwareEk software_ek_new(const char *word)
{
    TpmTemplate keys;
    assert_true(tpm_template_ek(word, &keys));
    SoftwareEk ek = {
        .key = keys.type == TPM_ALG_RSA
                   ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)keys.key_bits)
                   : EVP_PKEY_Q_keygen(NULL, NULL, "EC", tpm_curve_find(keys.curve)->group)};
    g_autoptr(GBytes) tpmt = tpm_template_public(&keys, ek.key, NULL);
    ek.public = tpm_public_from_tpmt(bytes_of_gbytes(tpmt), NULL);
    assert_non_null(ek.public);
    return ek;
}

static void software_ek_clear(SoftwareEk *ek)
{
    EVP_PKEY_free(ek->key);
    tpm_public_free(ek->public);
}

static const uint8_t name[34] = {0, 0x0b, 1, 2, 3};
static const uint8_t other_name[34] = {0, 0x0b, 1, 2, 4};
static const uint8_t secret[CREDENTIAL_SIZE] = {42, 43, 44};

static void test_round_trip(void **state)
{
    static const struct {
        const char *word;
        size_t blob_size; /* tpm-formats §6.1 */
    } kinds[] = {
        {"rsa2048", 336}, {"rsa3072", 480}, {"ecc256", 148}, {"ecc384", 196}, {"ecc521", 248}};
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        SoftwareEk ek = software_ek_new(kinds[i].word);
        g_autoptr(GBytes) blob =
            credential_make(ek.public, BYTES_OF_ARRAY(name), BYTES_OF_ARRAY(secret), NULL);
        assert_non_null(blob);
        assert_int_equal(g_bytes_get_size(blob), kinds[i].blob_size);
        g_autoptr(GBytes) opened =
            credential_open(ek.public, ek.key, BYTES_OF_ARRAY(name), bytes_of_gbytes(blob), NULL);
        assert_true(bytes_equal(bytes_of_gbytes(opened), BYTES_OF_ARRAY(secret)));
        g_autoptr(GBytes) again =
            credential_make(ek.public, BYTES_OF_ARRAY(name), BYTES_OF_ARRAY(secret), NULL);
        assert_false(g_bytes_equal(blob, again));
        software_ek_clear(&ek);
    }
}

static void test_only_the_named_object_and_key_open_it(void **state)
{
    static const char *const words[] = {"rsa2048", "ecc256"};
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        SoftwareEk ek = software_ek_new(words[i]), other = software_ek_new(words[i]);
        g_autoptr(GBytes) blob =
            credential_make(ek.public, BYTES_OF_ARRAY(name), BYTES_OF_ARRAY(secret), NULL);
        g_autoptr(GError) error = NULL;
        assert_null(credential_open(ek.public, ek.key, BYTES_OF_ARRAY(other_name),
                                    bytes_of_gbytes(blob), &error));
        assert_non_null(error);
        assert_null(credential_open(other.public, other.key, BYTES_OF_ARRAY(name),
                                    bytes_of_gbytes(blob), NULL));
        software_ek_clear(&ek);
        software_ek_clear(&other);
    }
}

static void test_every_changed_byte_is_refused(void **state)
{
    SoftwareEk ek = software_ek_new("ecc256");
    g_autoptr(GBytes) blob =
        credential_make(ek.public, BYTES_OF_ARRAY(name), BYTES_OF_ARRAY(secret), NULL);
    Bytes whole = bytes_of_gbytes(blob);
    g_autofree uint8_t *changed = g_memdup2(whole.data, whole.size);
    for (size_t i = 0; i < whole.size; i++) {
        changed[i] ^= 1;
        assert_null(credential_open(ek.public, ek.key, BYTES_OF_ARRAY(name),
                                    bytes_of(changed, whole.size), NULL));
        changed[i] ^= 1;
        g_autofree uint8_t *cut = g_memdup2(whole.data, i);
        Bytes id_object, sealed;
        assert_false(credential_parse(bytes_of(cut, i), &id_object, &sealed, NULL));
    }
    software_ek_clear(&ek);
}

static void test_size_limits(void **state)
{
    SoftwareEk ek = software_ek_new("ecc256");
    static const uint8_t longer[33];
    g_autoptr(GError) error = NULL;
    assert_null(credential_make(ek.public, BYTES_OF_ARRAY(name), BYTES_OF_ARRAY(longer), &error));
    assert_non_null(error);
    assert_null(credential_make(ek.public, BYTES_OF_ARRAY(name), BYTES_EMPTY, NULL));
    software_ek_clear(&ek);
}

static void test_kdf_arguments(void **state)
{
    uint8_t out[32];
    assert_false(tpm_kdfa(TPM_ALG_SM3_256, BYTES_OF_ARRAY(secret), "STORAGE", BYTES_EMPTY,
                          BYTES_EMPTY, 128, out));
    assert_false(tpm_kdfa(TPM_ALG_SHA256, BYTES_OF_ARRAY(secret), "STORAGE", BYTES_EMPTY,
                          BYTES_EMPTY, 12, out));
    assert_false(tpm_kdfe(TPM_ALG_SHA256, BYTES_OF_ARRAY(secret), "IDENTITY", BYTES_EMPTY,
                          BYTES_EMPTY, 0, out));
}

static void test_auth_tag(void **state)
{
    uint8_t credential[32];
    memset(credential, 0x41, sizeof credential);
    g_autofree char *tag =
        credential_auth_tag(BYTES_OF_ARRAY(credential), "d432fbb3-d2f1-4a97-9ef7-75bd81c00000");
    assert_int_equal(strlen(tag), 96);
    assert_int_equal(strncmp(tag, "7b1230247cf3b45b97c8ab3af3743e495468f1a03c846b57", 48), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_only_the_named_object_and_key_open_it),
        cmocka_unit_test(test_every_changed_byte_is_refused),
        cmocka_unit_test(test_size_limits),
        cmocka_unit_test(test_kdf_arguments),
        cmocka_unit_test(test_auth_tag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
