/* SPDX-License-Identifier: Apache-2.0 */
/* Views, the reader that cannot pass its end, and the writers. */
#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_views(void **state)
{
    assert_int_equal(bytes_of_text(NULL).size, 0);
    assert_int_equal(bytes_of_text("abc").size, 3);
    assert_int_equal(bytes_of_gbytes(NULL).size, 0);
    assert_int_equal(bytes_of_array(NULL).size, 0);
    assert_true(bytes_equal(BYTES_EMPTY, bytes_of("x", 0)));
    assert_true(bytes_equal(bytes_of_text("abc"), bytes_of("abcd", 3)));
    assert_false(bytes_equal(bytes_of_text("abc"), bytes_of_text("abd")));
    assert_false(bytes_equal(bytes_of_text("abc"), bytes_of_text("ab")));
    assert_true(bytes_are_zero(BYTES_EMPTY));
    assert_true(bytes_are_zero(bytes_of("\0\0", 2)));
    assert_false(bytes_are_zero(bytes_of("\0\1", 2)));
    g_autoptr(GBytes) copy = bytes_copy(bytes_of_text("abc"));
    assert_true(bytes_equal(bytes_of_gbytes(copy), bytes_of_text("abc")));
}

static void test_numbers(void **state)
{
    static const uint8_t raw[] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    Reader reader = reader_of(BYTES_OF_ARRAY(raw));
    assert_true(reader_u8(&reader, &u8) && u8 == 1);
    assert_true(reader_u16_be(&reader, &u16) && u16 == 0x0203);
    assert_true(reader_u32_be(&reader, &u32) && u32 == 0x04050607);
    reader = reader_of(BYTES_OF_ARRAY(raw));
    assert_true(reader_u64_be(&reader, &u64) && u64 == G_GUINT64_CONSTANT(0x0102030405060708));
    assert_true(reader_at_end(&reader));
    reader = reader_of(BYTES_OF_ARRAY(raw));
    assert_true(reader_u64_le(&reader, &u64) && u64 == G_GUINT64_CONSTANT(0x0807060504030201));
    reader = reader_of(BYTES_OF_ARRAY(raw));
    assert_true(reader_u16_le(&reader, &u16) && u16 == 0x0201);
    assert_true(reader_u32_le(&reader, &u32) && u32 == 0x06050403);
}

static void test_a_failed_take_moves_nothing(void **state)
{
    static const uint8_t raw[] = {0, 2, 9};
    Reader reader = reader_of(BYTES_OF_ARRAY(raw));
    uint32_t u32;
    uint64_t u64;
    Bytes taken;
    assert_false(reader_u32_be(&reader, &u32));
    assert_false(reader_u64_le(&reader, &u64));
    assert_false(reader_take(&reader, 4, &taken));
    assert_false(reader_take(&reader, SIZE_MAX, &taken));
    assert_false(reader_tpm2b(&reader, &taken));
    assert_int_equal(reader.rest.size, 3);
    assert_ptr_equal(reader.rest.data, raw);
    assert_true(reader_take(&reader, 3, &taken));
    assert_true(reader_at_end(&reader));
    assert_true(reader_take(&reader, 0, &taken));
    uint8_t u8;
    assert_false(reader_u8(&reader, &u8));
}

static void test_tpm2b(void **state)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    append_tpm2b(out, bytes_of_text("ab"));
    append_tpm2b(out, BYTES_EMPTY);
    assert_true(bytes_equal(bytes_of_array(out), bytes_of("\0\2ab\0\0", 6)));
    Reader reader = reader_of(bytes_of_array(out));
    Bytes taken;
    assert_true(reader_tpm2b(&reader, &taken) && bytes_equal(taken, bytes_of_text("ab")));
    assert_true(reader_tpm2b(&reader, &taken) && taken.size == 0);
    assert_false(reader_tpm2b(&reader, &taken));
}

static void test_writers(void **state)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    append_u8(out, 1);
    append_u16_be(out, 0x0203);
    append_u32_be(out, 0x04050607);
    append_u64_be(out, G_GUINT64_CONSTANT(0x08090a0b0c0d0e0f));
    append_u16_le(out, 0x1110);
    append_u32_le(out, 0x15141312);
    assert_int_equal(out->len, 21);
    for (guint i = 0; i < 15; i++)
        assert_int_equal(out->data[i], i + 1);
    for (guint i = 15; i < 21; i++)
        assert_int_equal(out->data[i], i + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_a_failed_take_moves_nothing),
        cmocka_unit_test(test_tpm2b),
        cmocka_unit_test(test_writers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
