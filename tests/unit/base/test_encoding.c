/* SPDX-License-Identifier: Apache-2.0 */
/* Hexadecimal and base64: RFC 4648 section 10, and what is refused. */
#include "base/encoding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_base64_of_the_rfc(void **state)
{
    static const char *const cases[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = base64_encode(bytes_of_text(cases[i][0]));
        g_autoptr(GBytes) decoded = base64_decode(cases[i][1]);
        assert_string_equal(text, cases[i][1]);
        assert_non_null(decoded);
        assert_true(bytes_equal(bytes_of_gbytes(decoded), bytes_of_text(cases[i][0])));
    }
}

static void test_base64_has_one_text(void **state)
{
    static const char *const refused[] = {
        "Zg", "Zg=",  "Zh==",     "Zm9=", "Zg==\n", " Zg==", "Z g==", "Zg===",
        "=",  "====", "Zg==Zg==", "Z===", "Zm-_",   "Zm9v=", "Z=g=",  "Zm\x80v"};
    for (size_t i = 0; i < G_N_ELEMENTS(refused); i++)
        assert_null(base64_decode(refused[i]));
}

static void test_base64url(void **state)
{
    g_autofree char *text = base64url_encode(bytes_of("\xfb\xff\xfe\x01", 4));
    g_autofree char *empty = base64url_encode(BYTES_EMPTY);
    assert_string_equal(text, "-__-AQ");
    assert_string_equal(empty, "");
}

static void test_hex(void **state)
{
    g_autofree char *text = hex_encode(bytes_of("\x00\xab\xff", 3));
    g_autofree char *empty = hex_encode(BYTES_EMPTY);
    g_autoptr(GBytes) decoded = hex_decode("00aBFf");
    g_autoptr(GBytes) nothing = hex_decode("");
    assert_string_equal(text, "00abff");
    assert_string_equal(empty, "");
    assert_true(bytes_equal(bytes_of_gbytes(decoded), bytes_of("\x00\xab\xff", 3)));
    assert_int_equal(g_bytes_get_size(nothing), 0);
    static const char *const refused[] = {"0", "0g", "0x00", " 00", "00 ", "\xff\xff"};
    uint8_t raw[4];
    for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
        assert_null(hex_decode(refused[i]));
        assert_false(hex_decode_to(bytes_of_text(refused[i]), raw));
    }
    assert_true(hex_decode_to(bytes_of_text("a0Bc"), raw));
    assert_memory_equal(raw, "\xa0\xbc", 2);
    assert_true(hex_decode_to(BYTES_EMPTY, raw));
}

static void test_any_bytes_as_text(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *text;
    } cases[] = {
        {"", 0, ""},
        {"/usr/bin/\xc3\xa9", 11, "/usr/bin/\xc3\xa9"},
        {"a\0b\xff\xc3", 5, "a\\x00b\\xff\\xc3"},
        {"\xed\xa0\x80/", 4, "\\xed\\xa0\\x80/"},
        {"\x1b[2J\r\x7f\xc2\x9b", 8, "\\x1b[2J\\x0d\\x7f\\xc2\\x9b"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = utf8_escape(bytes_of(cases[i].bytes, cases[i].size));
        assert_string_equal(text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64_of_the_rfc), cmocka_unit_test(test_base64_has_one_text),
        cmocka_unit_test(test_base64url),         cmocka_unit_test(test_hex),
        cmocka_unit_test(test_any_bytes_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
