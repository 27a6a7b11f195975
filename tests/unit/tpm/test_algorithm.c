/* SPDX-License-Identifier: Apache-2.0 */
/* Names, sizes and OpenSSL counterparts of tpm/algorithm.h. */
#include "tpm/algorithm.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void test_hashes(void **state)
{
    static const struct {
        const char *name;
        uint16_t id;
        size_t size;
    } known[] = {{"sha1", 0x0004, 20},
                 {"sha256", 0x000B, 32},
                 {"sha384", 0x000C, 48},
                 {"sha512", 0x000D, 64}};
    for (size_t i = 0; i < G_N_ELEMENTS(known); i++) {
        assert_int_equal(tpm_hash_from_name(known[i].name), known[i].id);
        assert_int_equal(tpm_hash_size(known[i].id), known[i].size);
        assert_string_equal(tpm_algorithm_name(known[i].id), known[i].name);
        assert_non_null(tpm_hash_md(known[i].id));
        assert_int_equal(EVP_MD_get_size(tpm_hash_md(known[i].id)), known[i].size);
        assert_ptr_equal(tpm_hash_md(known[i].id), tpm_hash_md(known[i].id));
    }
}

static void test_sm3_is_named_but_never_verified_with(void **state)
{
    assert_int_equal(tpm_hash_from_name("sm3_256"), TPM_ALG_SM3_256);
    assert_int_equal(tpm_hash_size(TPM_ALG_SM3_256), 32);
    assert_null(tpm_hash_md(TPM_ALG_SM3_256));
}

static void test_schemes(void **state)
{
    assert_int_equal(tpm_scheme_from_name("rsassa"), TPM_ALG_RSASSA);
    assert_int_equal(tpm_scheme_from_name("rsapss"), TPM_ALG_RSAPSS);
    assert_int_equal(tpm_scheme_from_name("ecdsa"), TPM_ALG_ECDSA);
    assert_string_equal(tpm_algorithm_name(TPM_ALG_RSA), "rsa");
    assert_string_equal(tpm_algorithm_name(TPM_ALG_ECC), "ecc");
}

static void test_unknown(void **state)
{
    static const char *const words[] = {"", "SHA256", "sha-256", "sha256 ", "md5", "rsassa"};
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        assert_int_equal(tpm_hash_from_name(words[i]), 0);
    assert_int_equal(tpm_hash_from_name(NULL), 0);
    assert_int_equal(tpm_scheme_from_name("ecschnorr"), 0);
    assert_int_equal(tpm_scheme_from_name(NULL), 0);
    assert_int_equal(tpm_hash_size(0x0099), 0);
    assert_null(tpm_hash_md(0));
    assert_null(tpm_algorithm_name(0x0099));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_sm3_is_named_but_never_verified_with),
        cmocka_unit_test(test_schemes),
        cmocka_unit_test(test_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
