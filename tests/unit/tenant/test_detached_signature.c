/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures beside files: whose counts, and that nothing else does. Argument: the folder with
 * openpgp/. */
#include "tenant/detached_signature.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char *folder;

static GBytes *load(const char *name)
{
    g_autofree char *path = g_build_filename(folder, "openpgp", name, NULL);
    char *content;
    gsize size;
    assert_true(g_file_get_contents(path, &content, &size, NULL));
    return g_bytes_new_take(content, size);
}

static bool check(GBytes *signer, GBytes *signature, GBytes *data, const char *words)
{
    g_autoptr(GError) error = NULL;
    bool good = detached_signature_check(bytes_of_gbytes(signer), bytes_of_gbytes(signature),
                                         bytes_of_gbytes(data), &error);
    assert_true(good == (error == NULL));
    if (error && words)
        assert_non_null(strstr(error->message, words));
    return good;
}

static bool check_files(const char *signer, const char *signature)
{
    g_autoptr(GBytes) key = load(signer);
    g_autoptr(GBytes) signed_by = load(signature);
    g_autoptr(GBytes) data = load("ima-key.pem");
    return check(key, signed_by, data, "OpenPGP");
}

#ifdef HAVE_RNP
static void test_openpgp(void **state)
{
    assert_true(check_files("signer.asc", "ima-key.pem.signer.asc"));
    assert_true(check_files("signer.asc", "ima-key.pem.signer.sig"));
    assert_true(check_files("other.asc", "ima-key.pem.other.asc"));
    assert_false(check_files("other.asc", "ima-key.pem.signer.asc"));
    assert_false(check_files("signer.asc", "ima-key.pem.other.asc"));
    assert_false(check_files("expired.asc", "ima-key.pem.expired.asc"));
    assert_false(check_files("revoked.asc", "ima-key.pem.revoked.asc"));
    assert_false(check_files("signer.asc", "signer.asc"));
    assert_false(check_files("signer.asc", "ima-key.pem"));
}

/* One signature of two is by a key that is not given. */
static void test_openpgp_needs_every_signature(void **state)
{
    g_autoptr(GBytes) key = load("signer.asc");
    g_autoptr(GBytes) data = load("ima-key.pem");
    g_autoptr(GBytes) good = load("ima-key.pem.signer.sig");
    g_autoptr(GByteArray) both = g_byte_array_new();
    bytes_append(both, bytes_of_gbytes(good));
    bytes_append(both, bytes_of_gbytes(good));
    g_autoptr(GBytes) twice = g_bytes_new(both->data, both->len);
    assert_true(check(key, twice, data, NULL));
    both->data[both->len - 1] ^= 1;
    g_autoptr(GBytes) one_bad = g_bytes_new(both->data, both->len);
    assert_false(check(key, one_bad, data, NULL));
}

static void test_openpgp_of_changed_content(void **state)
{
    g_autoptr(GBytes) key = load("signer.asc");
    g_autoptr(GBytes) signature = load("ima-key.pem.signer.asc");
    g_autoptr(GBytes) data = load("ima-key.pem");
    g_autoptr(GBytes) shorter = g_bytes_new_from_bytes(data, 0, g_bytes_get_size(data) - 1);
    g_autoptr(GBytes) nothing = g_bytes_new(NULL, 0);
    assert_false(check(key, signature, shorter, NULL));
    assert_false(check(key, signature, nothing, NULL));
    assert_false(check(key, nothing, data, NULL));
}
#else
static void test_openpgp(void **state)
{
    assert_false(check_files("signer.asc", "ima-key.pem.signer.asc"));
}
#endif

static GBytes *pem_of(EVP_PKEY *pkey)
{
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(bio, pkey);
    char *text;
    long size = BIO_get_mem_data(bio, &text);
    GBytes *pem = g_bytes_new(text, (gsize)size);
    BIO_free(bio);
    return pem;
}

static GBytes *sign(EVP_PKEY *pkey, GBytes *data)
{
    uint8_t signature[1024];
    size_t size = sizeof signature;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    Bytes content = bytes_of_gbytes(data);
    assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, pkey), 1);
    assert_int_equal(EVP_DigestSign(context, signature, &size, content.data, content.size), 1);
    EVP_MD_CTX_free(context);
    return g_bytes_new(signature, size);
}

static void test_ecdsa(void **state)
{
    g_autoptr(GBytes) data = load("ima-key.pem");
    g_autoptr(GBytes) other = load("signer.asc");
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    g_autoptr(GBytes) pem = pem_of(pkey);
    g_autoptr(GBytes) signature = sign(pkey, data);
    EVP_PKEY_free(pkey);
    g_autoptr(GBytes) cut = g_bytes_new_from_bytes(signature, 0, g_bytes_get_size(signature) - 1);
    assert_true(check(pem, signature, data, NULL));
    assert_false(check(pem, signature, other, "not by the given key"));
    assert_false(check(pem, cut, data, "not by the given key"));
}

/* As at upstream: ECDSA and OpenPGP only. */
static void test_other_keys(void **state)
{
    g_autoptr(GBytes) data = load("ima-key.pem");
    EVP_PKEY *pkey = EVP_RSA_gen(2048);
    g_autoptr(GBytes) pem = pem_of(pkey);
    g_autoptr(GBytes) signature = sign(pkey, data);
    EVP_PKEY_free(pkey);
    g_autoptr(GBytes) nothing = g_bytes_new(NULL, 0);
    assert_false(check(pem, signature, data, "neither"));
    assert_false(check(signature, signature, data, "neither"));
    assert_false(check(nothing, signature, data, "neither"));
}

int main(int argc, char **argv)
{
    assert_int_equal(argc, 2);
    folder = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_openpgp),
#ifdef HAVE_RNP
        cmocka_unit_test(test_openpgp_needs_every_signature),
        cmocka_unit_test(test_openpgp_of_changed_content),
#endif
        cmocka_unit_test(test_ecdsa),
        cmocka_unit_test(test_other_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
