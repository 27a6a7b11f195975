/* SPDX-License-Identifier: Apache-2.0 */
#include "base/encoding.h"

#include <string.h>

char *hex_encode(Bytes bytes)
{
    static const char digits[] = "0123456789abcdef";
    char *text = g_malloc(2 * bytes.size + 1);
    for (size_t i = 0; i < bytes.size; i++) {
        text[2 * i] = digits[bytes.data[i] >> 4];
        text[2 * i + 1] = digits[bytes.data[i] & 15];
    }
    text[2 * bytes.size] = '\0';
    return text;
}

/* Digit + 1, so that 0 is none. */
static const uint8_t hex_digits[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

bool hex_decode_to(Bytes text, uint8_t *out)
{
    if (text.size % 2 != 0)
        return false;
    for (size_t i = 0; i < text.size; i += 2) {
        uint8_t high = hex_digits[text.data[i]], low = hex_digits[text.data[i + 1]];
        if (high == 0 || low == 0)
            return false;
        *out++ = (uint8_t)((high - 1) << 4 | (low - 1));
    }
    return true;
}

GBytes *hex_decode(const char *text)
{
    Bytes digits = bytes_of_text(text);
    g_autofree uint8_t *data = g_malloc(digits.size / 2 + 1);
    if (!hex_decode_to(digits, data))
        return NULL;
    return g_bytes_new_take(g_steal_pointer(&data), digits.size / 2);
}

char *utf8_escape(Bytes bytes)
{
    GString *text = g_string_sized_new(bytes.size);
    for (size_t i = 0; i < bytes.size;) {
        const char *at = (const char *)bytes.data + i;
        /* Beyond the last character where it is no UTF-8. */
        gunichar c = g_utf8_get_char_validated(at, (gssize)(bytes.size - i));
        if (c > 0x10ffff || g_unichar_iscntrl(c)) {
            g_string_append_printf(text, "\\x%02x", bytes.data[i]);
            i++;
            continue;
        }
        size_t length = (size_t)(g_utf8_next_char(at) - at);
        g_string_append_len(text, at, (gssize)length);
        i += length;
    }
    return g_string_free(text, FALSE);
}

char *base64_encode(Bytes bytes)
{
    return bytes.size > 0 ? g_base64_encode(bytes.data, bytes.size) : g_strdup("");
}

char *base64url_encode(Bytes bytes)
{
    char *text = base64_encode(bytes);
    for (char *c = text; *c; c++) {
        if (*c == '+')
            *c = '-';
        else if (*c == '/')
            *c = '_';
        else if (*c == '=')
            *c = '\0';
    }
    return text;
}

/* Digit + 1, so that 0 is none. */
static const uint8_t base64_digits[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
};

/* g_base64_decode() skips what it does not know; this decoder refuses it. */
GBytes *base64_decode(const char *text)
{
    size_t length = strlen(text);
    if (length % 4 != 0)
        return NULL;
    size_t padding = length == 0 ? 0 : (text[length - 1] == '=') + (text[length - 2] == '=');
    size_t digits = length - padding;
    size_t size = digits * 6 / 8;
    g_autofree uint8_t *data = g_malloc(size + 1);
    uint32_t bits = 0;
    unsigned held = 0;
    size_t written = 0;
    for (size_t i = 0; i < digits; i++) {
        uint8_t digit = base64_digits[(uint8_t)text[i]];
        if (digit == 0)
            return NULL;
        bits = bits << 6 | (uint32_t)(digit - 1);
        held += 6;
        if (held >= 8) {
            held -= 8;
            data[written++] = (uint8_t)(bits >> held);
        }
    }
    if ((bits & ((1u << held) - 1)) != 0 || written != size)
        return NULL;
    return g_bytes_new_take(g_steal_pointer(&data), size);
}
