/* SPDX-License-Identifier: Apache-2.0 */
#include "config/python_text.h"

bool python_is_blank(gunichar c)
{
    return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
           c == 0x202f || c == 0x205f || c == 0x3000;
}

Bytes python_strip_right(Bytes text)
{
    const char *start = (const char *)text.data;
    while (text.size > 0) {
        const char *last = g_utf8_find_prev_char(start, start + text.size);
        if (!last || !python_is_blank(g_utf8_get_char(last)))
            break;
        text.size = (size_t)(last - start);
    }
    return text;
}

Bytes python_strip(Bytes text)
{
    while (text.size > 0 && python_is_blank(g_utf8_get_char((const char *)text.data))) {
        size_t width =
            (size_t)(g_utf8_next_char((const char *)text.data) - (const char *)text.data);
        text = bytes_of(text.data + width, text.size - width);
    }
    return python_strip_right(text);
}

static bool is_quote_or_space(uint8_t byte)
{
    return byte == '"' || byte == ' ';
}

Bytes python_strip_quotes(Bytes text)
{
    while (text.size > 0 && is_quote_or_space(text.data[0]))
        text = bytes_of(text.data + 1, text.size - 1);
    while (text.size > 0 && is_quote_or_space(text.data[text.size - 1]))
        text.size--;
    return text;
}

char *python_text_copy(Bytes text)
{
    return g_strndup((const char *)text.data, text.size);
}
