/* SPDX-License-Identifier: Apache-2.0 */
/* Template data, byte by byte, and the digests made of it. */
#include "evidence/ima/template.h"

#include "base/encoding.h"
#include "evidence/ima/algorithm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SHA1_TEXT "1111111111111111111111111111111111111111"

static uint8_t memory[4096];

static ImaEntry parse(const char *line)
{
    ImaEntry entry;
    assert_true(ima_entry_memory(strlen(line)) <= sizeof memory);
    assert_null(ima_entry_parse(bytes_of_text(line), true, memory, &entry));
    return entry;
}

static void assert_template(const char *line, const char *expected)
{
    ImaEntry entry = parse(line);
    g_autoptr(GByteArray) data = g_byte_array_new();
    ima_template_append(&entry, data);
    g_autofree char *hex = hex_encode(bytes_of_array(data));
    assert_string_equal(hex, expected);
}

static void test_forms(void **state)
{
    assert_template("10 00 ima-ng sha1:" SHA1_TEXT " /x",
                    "1a000000736861313a00" SHA1_TEXT "030000002f7800");
    /* The algorithm is hashed also where the text leaves it out. */
    assert_template("10 00 ima-ng " SHA1_TEXT " /x",
                    "1a000000736861313a00" SHA1_TEXT "030000002f7800");
    assert_template("10 00 ima-sig sha1:" SHA1_TEXT " /x ",
                    "1a000000736861313a00" SHA1_TEXT "030000002f780000000000");
    assert_template("10 00 ima-sig sha1:" SHA1_TEXT " /x 030204aabbccdd0001ee",
                    "1a000000736861313a00" SHA1_TEXT "030000002f78000a000000030204aabbccdd0001ee");
    assert_template("10 00 ima-buf sha1:" SHA1_TEXT " n 0102",
                    "1a000000736861313a00" SHA1_TEXT "020000006e00020000000102");
    assert_template("10 00 ima-ngv2 verity:sha1:" SHA1_TEXT " /x",
                    "210000007665726974793a736861313a00" SHA1_TEXT "030000002f7800");
    assert_template("10 00 ima-modsig sha1:" SHA1_TEXT " /x   ",
                    "1a000000736861313a00" SHA1_TEXT "030000002f7800"
                    "00000000"
                    "00000000"
                    "00000000");
    assert_template("10 00 ima-modsig sha1:" SHA1_TEXT " /x  sha1:" SHA1_TEXT " 0a0b",
                    "1a000000736861313a00" SHA1_TEXT "030000002f7800"
                    "00000000"
                    "1a000000736861313a00" SHA1_TEXT "020000000a0b");
    assert_template("10 00 evm-sig sha1:" SHA1_TEXT " /x 05 a|b 01 aa 1 258 33261",
                    "1a000000736861313a00" SHA1_TEXT "030000002f7800"
                    "0100000005"
                    "04000000617c6200"
                    "0100000001"
                    "01000000aa"
                    "0400000001000000"
                    "0400000002010000"
                    "02000000ed81");
    assert_template("10 00 evm-sig sha1:" SHA1_TEXT " /x     0 0 0",
                    "1a000000736861313a00" SHA1_TEXT "030000002f7800"
                    "00000000000000000000000000000000"
                    "0400000000000000"
                    "0400000000000000"
                    "020000000000");
}

static void test_legacy_form_is_padded(void **state)
{
    ImaEntry entry = parse("10 00 ima " SHA1_TEXT " /x");
    g_autoptr(GByteArray) data = g_byte_array_new();
    ima_template_append(&entry, data);
    assert_int_equal(data->len, 20 + 256);
    assert_memory_equal(data->data + 20, "/x\0\0", 4);
    assert_true(bytes_are_zero(bytes_of(data->data + 22, 254)));
}

/* The streamed digests are those of the whole data, also where it is longer than the writer's
 * memory, and a hasher is as good as new after each entry. */
static void test_digests(void **state)
{
    g_autofree char *large = g_strnfill(3000, 'a');
    g_autofree char *line = g_strdup_printf("10 00 ima-buf sha1:" SHA1_TEXT " n %s", large);
    static const uint16_t banks[] = {TPM_ALG_SHA1, TPM_ALG_SHA256, TPM_ALG_SHA384, TPM_ALG_SHA512};
    for (size_t i = 0; i < G_N_ELEMENTS(banks); i++) {
        g_autoptr(ImaHasher) hasher = ima_hasher_new(TPM_ALG_SHA1, banks[i]);
        for (int round = 0; round < 2; round++) {
            ImaEntry entry = parse(round == 0 ? "10 00 ima-ng sha1:" SHA1_TEXT " /x" : line);
            g_autoptr(GByteArray) data = g_byte_array_new();
            ima_template_append(&entry, data);
            ImaTemplateDigests got;
            assert_true(ima_hasher_entry(hasher, &entry, &got));
            uint8_t column[EVP_MAX_MD_SIZE], extended[EVP_MAX_MD_SIZE];
            size_t size;
            assert_true(ima_hash_data(bytes_of_text("sha1"), bytes_of_array(data), column, &size));
            assert_memory_equal(got.column, column, size);
            Bytes name = bytes_of_text(tpm_algorithm_name(banks[i]));
            assert_true(ima_hash_data(name, bytes_of_array(data), extended, &size));
            assert_memory_equal(got.extended, extended, size);
        }
    }
}

static void test_replay(void **state)
{
    g_autoptr(ImaHasher) hasher = ima_hasher_new(TPM_ALG_SHA256, TPM_ALG_SHA256);
    uint8_t pcr[TPM_MAX_DIGEST] = {0}, both[64] = {0}, expected[EVP_MAX_MD_SIZE];
    memset(both + 32, 0xff, 32);
    size_t size;
    assert_true(ima_hash_data(bytes_of_text("sha256"), BYTES_OF_ARRAY(both), expected, &size));
    assert_true(ima_hasher_extend(hasher, pcr, both + 32));
    assert_memory_equal(pcr, expected, 32);
}

static void test_algorithms(void **state)
{
    assert_null(ima_hasher_new(TPM_ALG_SHA1, TPM_ALG_SM3_256));
    assert_null(ima_hasher_new(TPM_ALG_SM3_256, TPM_ALG_SHA1));
    assert_null(ima_hash_by_name(bytes_of_text("streebog256")));
    assert_null(ima_hash_by_name(bytes_of_text("SHA256")));
    assert_null(ima_hash_by_name(BYTES_EMPTY));
    assert_int_equal(ima_hash_id(bytes_of_text("sha224")), 7);
    assert_int_equal(ima_hash_id(bytes_of_text("sha3-256")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),      cmocka_unit_test(test_legacy_form_is_padded),
        cmocka_unit_test(test_digests),    cmocka_unit_test(test_replay),
        cmocka_unit_test(test_algorithms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
