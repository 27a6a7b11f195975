/* SPDX-License-Identifier: Apache-2.0 */
/* PCR selections, values and the little-endian blob. */
#include "tpm/pcr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Two banks; PCR n holds bytes n + 1 (sha256) and n + 101 (sha1). */
static PcrValues *two_banks(uint32_t sha256_pcrs, uint32_t sha1_pcrs)
{
    PcrValues *values = g_new0(PcrValues, 1);
    assert_true(pcr_selection_add(&values->selection, TPM_ALG_SHA256, sha256_pcrs));
    assert_true(pcr_selection_add(&values->selection, TPM_ALG_SHA1, sha1_pcrs));
    for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++) {
        memset(values->value[0][pcr], (int)pcr + 1, 32);
        memset(values->value[1][pcr], (int)pcr + 101, 20);
    }
    return values;
}

static void test_selection_add(void **state)
{
    PcrSelection selection = {0};
    assert_true(pcr_selection_add(&selection, TPM_ALG_SHA256, 0xffffff));
    assert_false(pcr_selection_add(&selection, TPM_ALG_SHA256, 1));
    assert_false(pcr_selection_add(&selection, 0x0099, 1));
    assert_false(pcr_selection_add(&selection, TPM_ALG_SHA1, 1u << 24));
    assert_int_equal(selection.count, 1);
}

static void test_selection_order_counts(void **state)
{
    PcrSelection a = {0}, b = {0};
    pcr_selection_add(&a, TPM_ALG_SHA1, 1);
    pcr_selection_add(&a, TPM_ALG_SHA256, 2);
    pcr_selection_add(&b, TPM_ALG_SHA256, 2);
    assert_false(pcr_selection_equal(&a, &b));
    pcr_selection_add(&b, TPM_ALG_SHA1, 1);
    assert_false(pcr_selection_equal(&a, &b));
    assert_true(pcr_selection_equal(&a, &a));
}

static void test_values_by_bank(void **state)
{
    g_autofree PcrValues *values = two_banks(0x0401, 0x0001);
    static const uint8_t other[32] = {9};
    assert_int_equal(pcr_values_in_bank(values, TPM_ALG_SHA256), 0x0401);
    assert_int_equal(pcr_values_in_bank(values, TPM_ALG_SHA384), 0);
    assert_int_equal(pcr_values_get(values, TPM_ALG_SHA256, 10).size, 32);
    assert_int_equal(pcr_values_get(values, TPM_ALG_SHA256, 10).data[0], 11);
    assert_int_equal(pcr_values_get(values, TPM_ALG_SHA1, 0).size, 20);
    assert_int_equal(pcr_values_get(values, TPM_ALG_SHA1, 10).size, 0);
    assert_int_equal(pcr_values_get(values, TPM_ALG_SHA256, 24).size, 0);
    assert_int_equal(pcr_values_get(values, TPM_ALG_SHA384, 0).size, 0);
    assert_true(pcr_values_set(values, TPM_ALG_SHA256, 10, BYTES_OF_ARRAY(other)));
    assert_int_equal(pcr_values_get(values, TPM_ALG_SHA256, 10).data[0], 9);
    assert_false(pcr_values_set(values, TPM_ALG_SHA256, 11, BYTES_OF_ARRAY(other)));
    assert_false(pcr_values_set(values, TPM_ALG_SHA1, 0, BYTES_OF_ARRAY(other)));
}

static void test_blob_sizes_and_round_trip(void **state)
{
    static const struct {
        uint32_t sha256, sha1;
        size_t size; /* tpm-formats §7.4 */
    } cases[] = {
        {0, 0, 136},      {1, 0, 668},         {0xff, 0, 668},
        {0x1ff, 0, 1200}, {0xffffff, 0, 1732}, {0x0f, 0x1f, 1200},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree PcrValues *values = two_banks(cases[i].sha256, cases[i].sha1);
        g_autoptr(GBytes) blob = pcr_blob_make(values);
        assert_int_equal(g_bytes_get_size(blob), cases[i].size);
        g_autofree PcrValues *read = pcr_blob_parse(bytes_of_gbytes(blob), NULL);
        assert_non_null(read);
        assert_true(pcr_selection_equal(&read->selection, &values->selection));
        for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++) {
            assert_true(bytes_equal(pcr_values_get(read, TPM_ALG_SHA256, pcr),
                                    pcr_values_get(values, TPM_ALG_SHA256, pcr)));
            assert_true(bytes_equal(pcr_values_get(read, TPM_ALG_SHA1, pcr),
                                    pcr_values_get(values, TPM_ALG_SHA1, pcr)));
        }
    }
}

/* tpm2-tools writes one list per answer of the TPM, which may hold fewer than eight values. */
static void test_lists_may_be_short(void **state)
{
    g_autofree PcrValues *values = two_banks(0x03, 0);
    g_autoptr(GBytes) blob = pcr_blob_make(values);
    Bytes whole = bytes_of_gbytes(blob);
    g_autoptr(GByteArray) split = g_byte_array_new();
    bytes_append(split, bytes_of(whole.data, 132));
    append_u32_le(split, 2);
    for (size_t i = 0; i < 2; i++) {
        append_u32_le(split, 1);
        bytes_append(split, bytes_of(whole.data + 140 + 66 * i, 66));
        guint length = split->len;
        g_byte_array_set_size(split, length + 7 * 66);
        memset(split->data + length, 0, 7 * 66);
    }
    g_autofree PcrValues *read = pcr_blob_parse(bytes_of_array(split), NULL);
    assert_non_null(read);
    assert_int_equal(pcr_values_get(read, TPM_ALG_SHA256, 1).data[0], 2);
}

static void assert_refused(GByteArray *blob)
{
    g_autoptr(GError) error = NULL;
    assert_null(pcr_blob_parse(bytes_of_array(blob), &error));
    assert_true(g_error_matches(error, TPM_ERROR, TPM_ERROR_MALFORMED));
}

static void test_single_changes_are_refused(void **state)
{
    static const struct {
        size_t offset;
        uint8_t value;
    } changes[] = {
        {0, 1},            /* fewer selections: the second is not empty */
        {0, 3},            /* the third has no three bytes */
        {0, 17},           /* more than there is room for */
        {3, 1},            /* count beyond 2^24 */
        {4, 0x99},         /* unknown bank */
        {6, 2},            /* sizeofSelect */
        {7, 0x07},         /* one PCR more than values */
        {7, 0x01},         /* one less */
        {10, 1},           /* fourth bitmap byte */
        {11, 1},           /* padding */
        {12, 0x0b},        /* the first bank again */
        {60, 1},           /* unused selection */
        {132, 2},          /* lists */
        {135, 0xff},       /* very many lists */
        {136, 9},          /* more values than a list holds */
        {136, 2},          /* fewer than selected */
        {140, 20},         /* size of another bank's digest */
        {140, 65},         /* size beyond the buffer */
        {140 + 2 + 32, 1}, /* padding of a value */
        {140 + 66 * 3, 1}, /* unused value */
    };
    g_autofree PcrValues *values = two_banks(0x03, 0x01);
    g_autoptr(GBytes) blob = pcr_blob_make(values);
    for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
        g_autoptr(GByteArray) changed = g_byte_array_new();
        bytes_append(changed, bytes_of_gbytes(blob));
        assert_int_not_equal(changed->data[changes[i].offset], changes[i].value);
        changed->data[changes[i].offset] = changes[i].value;
        assert_refused(changed);
    }
}

static void test_every_truncation_is_refused(void **state)
{
    g_autofree PcrValues *values = two_banks(0x1ff, 0);
    g_autoptr(GBytes) blob = pcr_blob_make(values);
    Bytes whole = bytes_of_gbytes(blob);
    for (size_t size = 0; size < whole.size; size++) {
        g_autofree uint8_t *cut = g_memdup2(whole.data, size);
        assert_null(pcr_blob_parse(bytes_of(cut, size), NULL));
    }
}

static void test_digest_of_nothing_and_of_values(void **state)
{
    g_autofree PcrValues *values = two_banks(0x02, 0x04);
    uint8_t digest[TPM_MAX_DIGEST], expected[32], data[52];
    memset(data, 2, 32);
    memset(data + 32, 103, 20);
    assert_true(pcr_values_digest(values, TPM_ALG_SHA256, digest));
    EVP_Digest(data, sizeof data, expected, NULL, tpm_hash_md(TPM_ALG_SHA256), NULL);
    assert_memory_equal(digest, expected, 32);
    assert_false(pcr_values_digest(values, TPM_ALG_SM3_256, digest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_selection_add),
        cmocka_unit_test(test_selection_order_counts),
        cmocka_unit_test(test_values_by_bank),
        cmocka_unit_test(test_blob_sizes_and_round_trip),
        cmocka_unit_test(test_lists_may_be_short),
        cmocka_unit_test(test_single_changes_are_refused),
        cmocka_unit_test(test_every_truncation_is_refused),
        cmocka_unit_test(test_digest_of_nothing_and_of_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
