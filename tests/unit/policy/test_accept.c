/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of accepted algorithms (decisions D6, D7). */
#include "policy/accept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_known_words(void **state)
{
    assert_true(accept_hash_is_known("sha256"));
    assert_true(accept_hash_is_known("sm3_256"));
    assert_false(accept_hash_is_known("md5"));
    assert_false(accept_hash_is_known(NULL));
    assert_true(accept_signing_is_known("ecschnorr"));
    assert_false(accept_signing_is_known("rsa"));
    assert_false(accept_signing_is_known(NULL));
    assert_true(accept_encryption_is_known("rsa"));
    assert_true(accept_encryption_is_known("ecc_nist_p521"));
    assert_false(accept_encryption_is_known("rsa512"));
    assert_false(accept_encryption_is_known(NULL));
}

static bool allows(const char *word, const char *family, unsigned bits)
{
    const char *const words[] = {word, NULL};
    return accept_allows_key(&(AcceptLists){.encryption = words}, family, bits);
}

static void test_keys(void **state)
{
    assert_true(allows("ecc", "ecc", 256));
    assert_true(allows("ecc", "ecc", 521));
    assert_true(allows("ecc256", "ecc", 256));
    assert_true(allows("ecc_nist_p384", "ecc", 384));
    assert_false(allows("ecc256", "ecc", 384));
    assert_true(allows("rsa", "rsa", 4096));
    assert_true(allows("rsa2048", "rsa", 2048));
    assert_false(allows("rsa2048", "rsa", 3072));
    assert_false(allows("rsa", "ecc", 256));
    assert_false(allows("ecc_sm2", "ecc", 256));
    assert_false(allows("nonsense", "rsa", 2048));
    assert_false(accept_allows_key(&(AcceptLists){0}, "rsa", 2048));
}

static void test_words_match_whole(void **state)
{
    static const char *const signing[] = {"ecschnorr", "rsassa", NULL};
    static const char *const hashes[] = {"sha256", NULL};
    const AcceptLists lists = {.hashes = hashes, .signing = signing};
    assert_true(accept_allows_signing(&lists, "rsassa"));
    assert_false(accept_allows_signing(&lists, "ecdsa"));
    assert_false(accept_allows_signing(&lists, "ec"));
    assert_false(accept_allows_signing(&lists, NULL));
    assert_true(accept_allows_hash(&lists, "sha256"));
    assert_false(accept_allows_hash(&lists, "sha1"));
    assert_false(accept_allows_hash(&(AcceptLists){0}, "sha256"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_words),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_words_match_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
