/* SPDX-License-Identifier: Apache-2.0 */
/* The templates behind the words of the configuration (tpm-formats §4.1, §4.3, §4.4). A byte more
 * or less and the TPM derives another EK than its certificate names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/key_template.h"
#include "base/encoding.h"
#include "base/secret.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <string.h>

static void assert_digest(const TpmTemplate *kind, const char *expected)
{
    uint8_t digest[SHA256_SIZE];
    g_autoptr(GBytes) tpmt = tpm_template_to_tpmt(kind);
    sha256(bytes_of_gbytes(tpmt), digest);
    g_autofree char *hex = hex_encode(BYTES_OF_ARRAY(digest));
    assert_string_equal(hex, expected);
}

static KeyTemplate keys_of(const char *word, const char *hash)
{
    KeyTemplate keys;
    const char *problem = NULL;
    const char *signing = word[0] == 'r' ? "rsassa" : "ecdsa";
    assert_true(key_template_from_words(word, signing, hash, &keys, &problem));
    return keys;
}

static void test_endorsement_keys(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        uint32_t certificate;
        const char *digest;
    } rows[] = {
        {"rsa", 0x01C00002, "32503929a1287eedaa3e89d932f9b51a6f92abd0fa57721ffa6fc041e04f7498"},
        {"rsa3072", 0x01C0001C, "6791531884658a2cfec52152268c1a4a4b456e0ba1d1230bcad43c17bdd045d8"},
        {"rsa4096", 0x01C0001E, "431e2184a740ef06a43c4992acc2fad5e556e6c6c32bf471b8c558ed99d3882b"},
        {"ecc", 0x01C0000A, "0f1277a2f3f382e7f75db466fac234182a8d62f97dfbaae7b06fdf52bda51467"},
        {"ecc384", 0x01C00016, "07a006fac337f6b3451362be5f925bb9c121b9d3cd44470f4bbf14f6387b9168"},
        {"ecc521", 0x01C00018, "e109ba26dc37352244caf3590b043dd9acf2330207218099200023b0c17c1750"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        KeyTemplate keys = keys_of(rows[i].word, "sha256");
        TpmTemplate kind = key_template_ek(&keys);
        assert_digest(&kind, rows[i].digest);
        assert_int_equal(key_template_ek_certificate_index(&keys), rows[i].certificate);
    }
}

static void test_attestation_keys(void **state)
{
    (void)state;
    static const struct {
        const char *word, *hash, *digest;
    } rows[] = {
        {"rsa", "sha256", "1e60188db7ff1d3ba644a29a79da5f3ed3c4ced03a0b768b277fb922d8887719"},
        {"rsa", "sha512", "d41d4f46bb54b8aed86bd2255ed99705a8b1eaff4c0fe9309cbc0ce2d88bd9ba"},
        {"rsa3072", "sha256", "b129198f27de6f8801d399a56c066fab2274658ea3e054ab4aa5741cd43f37ab"},
        {"rsa3072", "sha512", "e3f35b98f480c81de3a39a71313ac80ad7658c8739aa24b797bbbc06d6804a03"},
        {"rsa4096", "sha256", "b7cec98108f1b058fccc1053285b8bf561626c4f1e0f94bef7371ceb9eb252c4"},
        {"rsa4096", "sha512", "3179c9c630703970f41c8e47503ad720edda7084ae2372e52ab737d69fdf0a2b"},
        {"ecc", "sha256", "93ae0fab650536912a8736ce08ca9b16d0a5ba6f85eb4f04d32470eb113073ce"},
        {"ecc", "sha512", "8765254ac043b8005c38d8842331f6b5c10e64a942441f82821bfb17f3d425d2"},
        {"ecc384", "sha256", "f1f5e9c6b2274ca9bb9cddc81bc7db83887cb8000130b1f5d11b3b03d960bf62"},
        {"ecc384", "sha512", "266b1c8b52dbcd6aba7fc73e4401bee8c35b69561491995a2d3b7b80441abedf"},
        {"ecc521", "sha256", "8c082c21a582daff615531f86a891fd764ed84b228c5132f5e914a642fee8cb8"},
        {"ecc521", "sha512", "208be59cbd0feb4ca88d9b1f4bc49a3c54d5c86b264da0cbe5f6b8fd5799093c"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        KeyTemplate keys = keys_of(rows[i].word, rows[i].hash);
        TpmTemplate kind = key_template_ak(&keys);
        assert_digest(&kind, rows[i].digest);
    }
}

static void test_device_keys(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        DeviceKey which;
        const char *digest;
    } rows[] = {
        {"H-1", DEVICE_KEY_IAK, "10ca3f39bf69fe4f682ded6b78cbe70437a653b803affd90939ce8a5da86048b"},
        {"H-1", DEVICE_KEY_IDEVID,
         "c6c5281791b49ffcc29b7ca83bb3d7c73f6a6b8bfd2a0080457662c7c64f0ac5"},
        {"H-2", DEVICE_KEY_IAK, "59e68f5e39564aec1f707e5d17a630dfa4ee7a66e3c7496b007dd5acf035c841"},
        {"H-2", DEVICE_KEY_IDEVID,
         "2959f5f3ccd301d9dd8341ffb55e5cc9e9a74e64804acc60f180773033350b3c"},
        {"H-3", DEVICE_KEY_IAK, "d7da16226ebda3472c94494123ffe1855ab739fc001c6348bfb8dc1c1da9465f"},
        {"H-3", DEVICE_KEY_IDEVID,
         "c1d525e8b610a87a61679b5f31ccadfbc8cd5c17465647b5659f91c5237b14dc"},
        {"H-4", DEVICE_KEY_IAK, "9932a90b4ad3e8eda8764869442a6a14c89c0ea6de1af2f503c02756abd900a9"},
        {"H-4", DEVICE_KEY_IDEVID,
         "1c732ce79209824e76628c4cfbdebeca2c05b2c41884348de906eef975e749ff"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        KeyTemplate keys;
        const char *problem = NULL;
        assert_true(key_template_device_from_words(rows[i].name, "", "", NULL, &keys, &problem));
        TpmTemplate kind = key_template_device(rows[i].which, &keys);
        assert_digest(&kind, rows[i].digest);
    }
}

/* By hand: the size follows the hash. */
static void test_manual_device_keys(void **state)
{
    (void)state;
    KeyTemplate keys;
    const char *problem = NULL;
    assert_true(key_template_device_from_words("manual", "rsa", "sha384", NULL, &keys, &problem));
    assert_int_equal(keys.bits, 3072);
    assert_true(key_template_device_from_words("manual", "ecc", "sha512", NULL, &keys, &problem));
    assert_int_equal(keys.bits, 521);
    assert_false(key_template_device_from_words("manual", "dsa", "sha256", NULL, &keys, &problem));
    assert_non_null(strstr(problem, "iak_idevid_asymmetric_alg"));
    assert_false(key_template_device_from_words("H-5", "", "", NULL, &keys, &problem));
    assert_non_null(strstr(problem, "H-4"));
}

static EVP_PKEY *group_key(const char *group)
{
    EVP_PKEY *key = EVP_EC_gen(group);
    assert_non_null(key);
    return key;
}

/* The certificate's key decides, by its real curve; another kind of key leaves it to the words. */
static void test_detected_device_keys(void **state)
{
    (void)state;
    struct {
        EVP_PKEY *certified;
        uint16_t type, bits, hash;
    } rows[] = {
        {EVP_RSA_gen(2048), TPM_ALG_RSA, 2048, TPM_ALG_SHA256},
        {group_key("P-256"), TPM_ALG_ECC, 256, TPM_ALG_SHA256},
        {group_key("P-384"), TPM_ALG_ECC, 384, TPM_ALG_SHA384},
        {group_key("P-521"), TPM_ALG_ECC, 521, TPM_ALG_SHA512},
        {group_key("secp256k1"), TPM_ALG_RSA, 3072, TPM_ALG_SHA384},
        {EVP_RSA_gen(3072), TPM_ALG_RSA, 3072, TPM_ALG_SHA384},
        {NULL, TPM_ALG_RSA, 3072, TPM_ALG_SHA384},
    };
    static const char *const words[] = {"detect", "default", ""};
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        for (size_t word = 0; word < G_N_ELEMENTS(words); word++) {
            KeyTemplate keys;
            const char *problem = NULL;
            assert_true(key_template_device_from_words(words[word], "rsa", "sha384",
                                                       rows[i].certified, &keys, &problem));
            assert_int_equal(keys.type, rows[i].type);
            assert_int_equal(keys.bits, rows[i].bits);
            assert_int_equal(keys.hash, rows[i].hash);
        }
        EVP_PKEY_free(rows[i].certified);
    }
}

static void test_words_that_do_not_fit(void **state)
{
    (void)state;
    static const struct {
        const char *encryption, *signing, *hash, *named;
    } rows[] = {
        {"rsa", "ecdsa", "sha256", "do not fit"},
        {"ecc", "rsassa", "sha256", "do not fit"},
        {"rsa1024", "rsassa", "sha256", "tpm_encryption_alg"},
        {"rsa", "ecdaa", "sha256", "tpm_signing_alg"},
        {"rsa", "rsassa", "sha1", "tpm_hash_alg"},
        {"rsa", "rsassa", "sm3_256", "tpm_hash_alg"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        KeyTemplate keys;
        const char *problem = NULL;
        assert_false(key_template_from_words(rows[i].encryption, rows[i].signing, rows[i].hash,
                                             &keys, &problem));
        assert_non_null(strstr(problem, rows[i].named));
    }
    KeyTemplate keys;
    const char *problem = NULL;
    assert_true(key_template_from_words(NULL, "ecdsa", "sha384", &keys, &problem));
    assert_int_equal(keys.type, TPM_ALG_ECC);
    assert_int_equal(keys.bits, 256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_endorsement_keys),     cmocka_unit_test(test_attestation_keys),
        cmocka_unit_test(test_device_keys),          cmocka_unit_test(test_manual_device_keys),
        cmocka_unit_test(test_detected_device_keys), cmocka_unit_test(test_words_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
