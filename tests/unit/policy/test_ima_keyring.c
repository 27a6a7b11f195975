/* SPDX-License-Identifier: Apache-2.0 */
/* Keys in their encodings, rings of them, and which of several keys with one id are found. */
#include "policy/ima_keyring.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static GBytes *bytes_of_bio(BIO *bio)
{
    char *data;
    long size = BIO_get_mem_data(bio, &data);
    GBytes *bytes = g_bytes_new(data, (gsize)size);
    BIO_free(bio);
    return bytes;
}

static GBytes *public_der(EVP_PKEY *pkey)
{
    BIO *bio = BIO_new(BIO_s_mem());
    i2d_PUBKEY_bio(bio, pkey);
    return bytes_of_bio(bio);
}

static ImaKey *new_key(void)
{
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    g_autoptr(GBytes) der = public_der(pkey);
    EVP_PKEY_free(pkey);
    ImaKey *key = ima_key_parse(bytes_of_gbytes(der), NULL);
    assert_non_null(key);
    return key;
}

/* Private forms give the public key; nothing of the private half is left in it. */
static void test_private_keys(void **state)
{
    EVP_PKEY *pkey = EVP_EC_gen("P-384");
    g_autoptr(GBytes) der = public_der(pkey);
    g_autoptr(ImaKey) public = ima_key_parse(bytes_of_gbytes(der), NULL);
    BIO *pem = BIO_new(BIO_s_mem()), *binary = BIO_new(BIO_s_mem()), *locked = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(pem, pkey, NULL, NULL, 0, NULL, NULL);
    i2d_PrivateKey_bio(binary, pkey);
    PEM_write_bio_PrivateKey(locked, pkey, EVP_aes_128_cbc(), (const unsigned char *)"word", 4,
                             NULL, NULL);
    EVP_PKEY_free(pkey);
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    g_ptr_array_add(texts, bytes_of_bio(pem));
    g_ptr_array_add(texts, bytes_of_bio(binary));
    g_ptr_array_add(texts, bytes_of_bio(locked));
    for (guint i = 0; i < 2; i++) {
        g_autoptr(ImaKey) key = ima_key_parse(bytes_of_gbytes(texts->pdata[i]), NULL);
        assert_non_null(key);
        assert_true(bytes_equal(ima_key_identity(key), ima_key_identity(public)));
        assert_int_equal(ima_key_id(key), ima_key_id(public));
        unsigned char *private = NULL;
        assert_true(i2d_PrivateKey(ima_key_pkey(key), &private) <= 0);
    }
    g_autoptr(GError) error = NULL;
    assert_null(ima_key_parse(bytes_of_gbytes(texts->pdata[2]), &error));
    assert_true(g_error_matches(error, IMA_KEY_ERROR, IMA_KEY_ERROR_NOT_A_KEY));
}

static void test_no_keys(void **state)
{
    static const char *const texts[] = {"", "x", "-----BEGIN PUBLIC KEY-----\n",
                                        "\x30\x03\x02\x01"};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        assert_null(ima_key_parse(bytes_of_text(texts[i]), &error));
        assert_true(g_error_matches(error, IMA_KEY_ERROR, IMA_KEY_ERROR_NOT_A_KEY));
    }
    g_autofree char *long_text = g_strnfill(IMA_KEY_MAX_SIZE + 1, 'x');
    assert_null(ima_key_parse(bytes_of_text(long_text), NULL));
}

/* Decision D44: all keys with an id are tried, and a new one takes no other's place. */
static void test_keys_with_one_id(void **state)
{
    g_autoptr(ImaKey) first = new_key();
    g_autoptr(ImaKey) second = new_key();
    Bytes spki[] = {ima_key_spki(first), ima_key_spki(second)};
    g_autofree char *one = g_base64_encode(spki[0].data, spki[0].size);
    g_autofree char *two = g_base64_encode(spki[1].data, spki[1].size);
    g_autofree char *text =
        g_strdup_printf("{\"pubkeys\":[\"%s\",\"%s\",\"%s\"],\"keyids\":[7,7,7]}", one, two, one);
    g_autoptr(ImaKeyring) ring =
        ima_keyring_parse(bytes_of_text(text), &ima_keyring_rules_default, NULL);
    assert_int_equal(ima_keyring_size(ring), 2);
    g_autoptr(ImaKeyrings) rings = ima_keyrings_new();
    ima_keyrings_set(rings, bytes_of_text("a"), ring);
    ima_keyrings_set(rings, bytes_of_text("b"), ring);
    ImaKeyCursor cursor = {0};
    const ImaKey *found[5];
    for (size_t i = 0; i < G_N_ELEMENTS(found); i++)
        found[i] = ima_keyrings_next(rings, 7, &cursor);
    assert_true(bytes_equal(ima_key_identity(found[0]), ima_key_identity(first)));
    assert_true(bytes_equal(ima_key_identity(found[1]), ima_key_identity(second)));
    assert_ptr_equal(found[2], found[0]);
    assert_ptr_equal(found[3], found[1]);
    assert_null(found[4]);
    cursor = (ImaKeyCursor){0};
    assert_null(ima_keyrings_next(rings, 8, &cursor));
}

/* One key that cannot be read takes no other with it. */
static void test_unusable_keys_are_dropped(void **state)
{
    g_autoptr(ImaKey) key = new_key();
    Bytes spki = ima_key_spki(key);
    g_autofree char *good = g_base64_encode(spki.data, spki.size);
    g_autofree char *text =
        g_strdup_printf("{\"pubkeys\":[\"abc\",\"AAAA\",\"%s\"],\"keyids\":[1,2]}", good);
    g_autoptr(ImaKeyring) ring =
        ima_keyring_parse(bytes_of_text(text), &ima_keyring_rules_default, NULL);
    assert_int_equal(ima_keyring_size(ring), 1);
    gint64 id;
    ima_keyring_at(ring, 0, &id);
    assert_int_equal(id, ima_key_id(key));
}

/* Before memory is taken for them, also within a text of a text. */
static void test_too_many_values(void **state)
{
    g_autoptr(GString) text = g_string_new("[{}");
    for (unsigned value = 0; value < 40000; value++)
        g_string_append(text, ",{}");
    g_string_append_c(text, ']');
    g_autofree char *within = g_strdup_printf("\"%s\"", text->str);
    const char *const texts[] = {text->str, within};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        assert_null(ima_keyring_parse(bytes_of_text(texts[i]), &ima_keyring_rules_default, &error));
        assert_non_null(strstr(error->message, "more values"));
    }
    g_autoptr(GError) error = NULL;
    assert_false(ima_keyring_check_form(bytes_of_text(text->str), &error));
    assert_non_null(strstr(error->message, "more values"));
}

/* Decision D55: an operator's own keys must be usable, and be what they are said to be. */
static void test_strict_rules(void **state)
{
    g_autoptr(ImaKey) key = new_key();
    Bytes spki = ima_key_spki(key);
    g_autofree char *text = g_base64_encode(spki.data, spki.size);
    const struct {
        char *json;
        bool accepted;
    } cases[] = {
        {g_strdup_printf("{\"pubkeys\":[\"%s\"],\"keyids\":[%u]}", text, ima_key_id(key)), true},
        {g_strdup_printf("{\"pubkeys\":[\"%s\"],\"keyids\":[]}", text), true},
        {g_strdup_printf("{\"pubkeys\":[\"%s\"],\"keyids\":[%u]}", text, ima_key_id(key) + 1),
         false},
        {g_strdup("{\"pubkeys\":[\"AAAA\"],\"keyids\":[]}"), false},
        {g_strdup("{\"pubkeys\":[5],\"keyids\":[]}"), false},
        {g_strdup("{}"), false},
        {g_strdup(""), false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(ImaKeyring) ring =
            ima_keyring_parse(bytes_of_text(cases[i].json), &ima_keyring_rules_enrolment, &error);
        assert_int_equal(ring != NULL, cases[i].accepted);
        assert_int_equal(error == NULL, cases[i].accepted);
        g_free(cases[i].json);
    }
}

static void test_learning_and_stored_form(void **state)
{
    g_autoptr(ImaKey) key = new_key();
    g_autoptr(ImaKey) other = new_key();
    g_autoptr(ImaKeyrings) rings = ima_keyrings_new();
    assert_true(ima_keyrings_add(rings, bytes_of_text(IMA_TENANT_KEYRING), other));
    assert_true(ima_keyrings_add(rings, bytes_of_text(".ima"), key));
    assert_false(ima_keyrings_add(rings, bytes_of_text(".ima"), key));
    assert_true(ima_keyrings_add(rings, bytes_of("\xff", 1), key));
    assert_int_equal(ima_keyrings_count(rings), 3);
    g_autoptr(ImaKeyrings) copy = ima_keyrings_copy(rings);
    assert_true(ima_keyrings_add(copy, bytes_of_text(".ima"), other));
    assert_int_equal(ima_keyring_size(ima_keyrings_at(rings, 1, NULL)), 1);
    g_autoptr(Json) stored = ima_keyrings_to_json(rings);
    assert_null(json_member(stored, IMA_TENANT_KEYRING));
    assert_non_null(json_member_text(stored, "\\xff"));
    g_autoptr(ImaKeyrings) read = ima_keyrings_from_json(stored, NULL);
    Bytes name;
    const ImaKeyring *ring = ima_keyrings_at(read, 0, &name);
    assert_true(bytes_equal(name, bytes_of_text(".ima")));
    assert_true(
        bytes_equal(ima_key_identity(ima_keyring_at(ring, 0, NULL)), ima_key_identity(key)));
    g_autoptr(GError) error = NULL;
    g_autoptr(Json) broken = json_parse(bytes_of_text("{\".ima\": \"x\"}"), NULL);
    assert_null(ima_keyrings_from_json(broken, &error));
    assert_non_null(strstr(error->message, ".ima"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_private_keys),
        cmocka_unit_test(test_no_keys),
        cmocka_unit_test(test_keys_with_one_id),
        cmocka_unit_test(test_unusable_keys_are_dropped),
        cmocka_unit_test(test_too_many_values),
        cmocka_unit_test(test_strict_rules),
        cmocka_unit_test(test_learning_and_stored_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
