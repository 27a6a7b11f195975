/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_string.h"

#include <string.h>

const uint8_t *json_string_end(const uint8_t *at, const uint8_t *end)
{
    for (const uint8_t *quote = at; (quote = memchr(quote, '"', (size_t)(end - quote))); quote++) {
        const uint8_t *escape = quote;
        while (escape > at && escape[-1] == '\\')
            escape--;
        if ((quote - escape) % 2 == 0)
            return quote;
    }
    return end;
}

/* Eight bytes at a time: below a blank, a byte borrows from its highest bit, which it has not set
 * itself. */
static bool has_control_character(Bytes text)
{
    const guint64 each = G_GUINT64_CONSTANT(0x0101010101010101);
    size_t at = 0;
    for (guint64 word; at + sizeof word <= text.size; at += sizeof word) {
        memcpy(&word, text.data + at, sizeof word);
        if ((word - each * ' ') & ~word & each * 0x80)
            return true;
    }
    for (; at < text.size; at++)
        if (text.data[at] < ' ')
            return true;
    return false;
}

/* \uXXXX, but no half of a surrogate pair. */
static bool take_unicode(Reader *reader, gunichar *out)
{
    Bytes escape;
    if (!reader_take(reader, 6, &escape) || escape.data[1] != 'u')
        return false;
    *out = 0;
    for (size_t i = 2; i < escape.size; i++) {
        int digit = g_ascii_xdigit_value((char)escape.data[i]);
        if (digit < 0)
            return false;
        *out = *out << 4 | (gunichar)digit;
    }
    return *out < 0xd800 || *out > 0xdfff;
}

/* One escape from its backslash; false when it is not plain. */
static bool take_escape(Reader *reader, gunichar *out)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    if (reader->rest.size < 2)
        return false;
    const char *letter = memchr(letters, reader->rest.data[1], sizeof letters - 1);
    if (!letter)
        return take_unicode(reader, out);
    *out = (gunichar)meanings[letter - letters];
    return reader_take(reader, 2, &(Bytes){0});
}

/* What comes before the next escape, or is all the rest. */
static Bytes take_unescaped(Reader *reader)
{
    Bytes part = reader->rest;
    const uint8_t *escape = part.size > 0 ? memchr(part.data, '\\', part.size) : NULL;
    reader_take(reader, escape ? (size_t)(escape - part.data) : part.size, &part);
    return part;
}

bool json_string_is_plain(Bytes content)
{
    if (has_control_character(content))
        return false;
    Reader reader = reader_of(content);
    gunichar character;
    for (take_unescaped(&reader); !reader_at_end(&reader); take_unescaped(&reader))
        if (!take_escape(&reader, &character))
            return false;
    return true;
}

size_t json_string_unescape(uint8_t *content, size_t size)
{
    Reader reader = reader_of(bytes_of(content, size));
    size_t done = 0;
    for (;;) {
        Bytes part = take_unescaped(&reader);
        memmove(content + done, part.data, part.size);
        done += part.size;
        if (reader_at_end(&reader))
            return done;
        gunichar character = 0;
        bool plain = take_escape(&reader, &character);
        g_assert(plain);
        done += (size_t)g_unichar_to_utf8(character, (char *)content + done);
    }
}
