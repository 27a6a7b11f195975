/* SPDX-License-Identifier: Apache-2.0 */
/* Digests, comparison, wiping, UUIDs. */
#include "base/secret.h"

#include "base/encoding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "../wiped.h"

static void assert_hex(const char *expected, const uint8_t *got, size_t size)
{
    g_autofree char *text = hex_encode(bytes_of(got, size));
    assert_string_equal(text, expected);
}

/* FIPS 180-4 and RFC 4231 test case 2. */
static void test_known_digests(void **state)
{
    uint8_t out[SHA384_SIZE];
    sha256(bytes_of_text("abc"), out);
    assert_hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", out,
               SHA256_SIZE);
    sha256(BYTES_EMPTY, out);
    assert_hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", out,
               SHA256_SIZE);
    Bytes data = bytes_of_text("what do ya want for nothing?");
    hmac_sha256(bytes_of_text("Jefe"), data, out);
    assert_hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", out,
               SHA256_SIZE);
    hmac_sha384(bytes_of_text("Jefe"), data, out);
    assert_hex("af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
               "8e2240ca5e69e2c78b3239ecfab21649",
               out, SHA384_SIZE);
    hmac_sha256(BYTES_EMPTY, BYTES_EMPTY, out);
    assert_hex("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad", out,
               SHA256_SIZE);
}

static void test_equal(void **state)
{
    assert_true(secret_equal(bytes_of_text("abc"), bytes_of_text("abc")));
    assert_false(secret_equal(bytes_of_text("abc"), bytes_of_text("abd")));
    assert_false(secret_equal(bytes_of_text("abc"), bytes_of_text("ab")));
    assert_true(secret_equal(BYTES_EMPTY, BYTES_EMPTY));
}

static void test_wipe(void **state)
{
    char text[] = "secret";
    secret_wipe(text, sizeof text);
    for (size_t i = 0; i < sizeof text; i++)
        assert_int_equal(text[i], 0);
    secret_wipe(NULL, 0);
    secret_free_text(NULL);
}

static void test_bytes_are_wiped(void **state)
{
    forget_wiped();
    Bytes secret = bytes_of_text("correct horse battery");
    GBytes *copy = secret_bytes_copy(secret);
    g_bytes_unref(g_bytes_ref(copy));
    assert_int_equal(times_wiped(secret), 0); /* somebody still reads it */
    assert_true(bytes_equal(bytes_of_gbytes(copy), secret));
    g_bytes_unref(copy);
    assert_int_equal(times_wiped(secret), 1);

    GBytes *taken = secret_bytes_take(bytes_copy(secret));
    assert_true(bytes_equal(bytes_of_gbytes(taken), secret));
    g_bytes_unref(taken);
    assert_int_equal(times_wiped(secret), 2);
    assert_null(secret_bytes_take(NULL));
    g_bytes_unref(secret_bytes_copy(BYTES_EMPTY));
    forget_wiped();
}

static void test_random_differs(void **state)
{
    uint8_t a[16] = {0}, b[16] = {0};
    secret_random(a, sizeof a);
    secret_random(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    g_autofree char *first = uuid_generate();
    g_autofree char *second = uuid_generate();
    assert_string_not_equal(first, second);
    assert_true(g_uuid_string_is_valid(first));
    assert_int_equal(first[14], '4');
    assert_non_null(strchr("89ab", first[19]));
}

static void test_uuid_forms(void **state)
{
    static const char *const forms[] = {
        "d432fbb3-d2f1-4a97-9ef7-75bd81c00000", "D432FBB3-D2F1-4A97-9EF7-75BD81C00000",
        "d432fbb3d2f14a979ef775bd81c00000", "urn:uuid:d432fbb3-d2f1-4a97-9ef7-75bd81c00000",
        "{d432fbb3-d2f1-4a97-9ef7-75bd81c00000}"};
    for (size_t i = 0; i < G_N_ELEMENTS(forms); i++) {
        g_autofree char *uuid = uuid_normalise(forms[i]);
        assert_string_equal(uuid, forms[0]);
    }
    static const char *const refused[] = {"",
                                          "abc",
                                          "d432fbb3-d2f1-4a97-9ef7-75bd81c0000",
                                          "d432fbb3d2f14a979ef775bd81c0000g",
                                          "{}",
                                          "urn:uuid:",
                                          "d432fbb3-d2f1-4a97-9ef7-75bd81c00000 "};
    for (size_t i = 0; i < G_N_ELEMENTS(refused); i++)
        assert_null(uuid_normalise(refused[i]));
}

static void test_fingerprint(void **state)
{
    g_autofree char *text = secret_fingerprint("abc");
    assert_string_equal(text, "ba7816bf");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_digests),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_wipe),
        cmocka_unit_test(test_random_differs),
        cmocka_unit_test(test_uuid_forms),
        cmocka_unit_test(test_fingerprint),
        cmocka_unit_test(test_bytes_are_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
