/* SPDX-License-Identifier: Apache-2.0 */
/* Bearer tokens (decision D34). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/encoding.h"
#include "base/secret.h"
#include "verifier/session/token.h"

#include <string.h>

#define SESSION "0b9f9a0e-7d0b-4f0e-8a55-2f9b0b1d4c77"

static void a_token_is_its_session_and_a_secret_whose_hash_is_kept(void **state)
{
    uint8_t kept[TOKEN_HASH_SIZE], shown[TOKEN_HASH_SIZE];
    for (unsigned i = 0; i < 200; i++) {
        g_autofree char *token = token_make(SESSION, kept), *session = NULL;
        assert_int_equal(strlen(token), 80);
        assert_true(g_str_has_prefix(token, SESSION "."));
        assert_int_equal(strspn(token + 37, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                            "0123456789-_"),
                         43);
        assert_true(token_parse(token, &session, shown));
        assert_string_equal(session, SESSION);
        assert_memory_equal(kept, shown, TOKEN_HASH_SIZE);
    }
}

static void the_hash_is_sha256_of_the_secret_bytes(void **state)
{
    /* 32 zero bytes. */
    uint8_t hash[TOKEN_HASH_SIZE];
    g_autofree char *session = NULL;
    assert_true(
        token_parse(SESSION ".AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &session, hash));
    g_autofree char *hex = hex_encode(BYTES_OF_ARRAY(hash));
    assert_string_equal(hex, "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925");
}

static void anything_else_is_no_token(void **state)
{
    static const char *const texts[] = {
        "",
        ".",
        SESSION,
        SESSION ".",
        "x." SESSION,
        SESSION ".AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",   /* too short */
        SESSION ".AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", /* too long */
        SESSION ".AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB",  /* trailing bits */
        SESSION ".AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        SESSION ".AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA+A", /* standard alphabet */
        SESSION ".AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/A",
        SESSION ".AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA A",
        "0b9f9a0e7d0b4f0e8a552f9b0b1d4c77.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "0b9f9a0e-7d0b-4f0e-8a55-2f9b0b1d4c7g.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
        uint8_t hash[TOKEN_HASH_SIZE];
        g_autofree char *session = NULL;
        if (token_parse(texts[i], &session, hash))
            fail_msg("taken for a token: %s", texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_its_session_and_a_secret_whose_hash_is_kept),
        cmocka_unit_test(the_hash_is_sha256_of_the_secret_bytes),
        cmocka_unit_test(anything_else_is_no_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
