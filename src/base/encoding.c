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

GBytes *hex_decode(const char *text)
{
    size_t length = strlen(text);
    if (length % 2 != 0)
        return NULL;
    g_autofree uint8_t *data = g_malloc(length / 2 + 1);
    for (size_t i = 0; i < length; i += 2) {
        int high = g_ascii_xdigit_value(text[i]);
        int low = g_ascii_xdigit_value(text[i + 1]);
        if (high < 0 || low < 0)
            return NULL;
        data[i / 2] = (uint8_t)(high << 4 | low);
    }
    return g_bytes_new_take(g_steal_pointer(&data), length / 2);
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

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

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
        int value = base64_value(text[i]);
        if (value < 0)
            return NULL;
        bits = bits << 6 | (uint32_t)value;
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
