/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/uefi/text.h"

#include <string.h>

static uint16_t unit_at(Bytes units, size_t index)
{
    return (uint16_t)(units.data[2 * index] | units.data[2 * index + 1] << 8);
}

char *uefi_text_from_utf16(Bytes units)
{
    size_t count = units.size / 2;
    GString *text = g_string_sized_new(count);
    for (size_t i = 0; i < count; i++) {
        gunichar letter = unit_at(units, i);
        if (letter == 0)
            break;
        uint16_t next = i + 1 < count ? unit_at(units, i + 1) : 0;
        if (letter >= 0xD800 && letter < 0xDC00 && next >= 0xDC00 && next < 0xE000) {
            letter = 0x10000 + ((letter - 0xD800) << 10) + (next - 0xDC00u);
            i++;
        }
        g_string_append_unichar(text, g_unichar_validate(letter) ? letter : 0xFFFD);
    }
    return g_string_free(text, FALSE);
}

/* What `\` and this letter stand for; '\\' itself is replaced later, -1 is no sequence. */
static int unescaped(char letter)
{
    static const char letters[] = "0abtvfre'";
    static const char meaning[] = "\0\a\b\t\v\f\r\x1b'";
    const char *found = letter ? strchr(letters, letter) : NULL;
    return found ? meaning[found - letters] : -1;
}

/* Upstream replaces one sequence after the other over the whole text. The nine first ones cannot
 * make each other, so one pass does; `\\` comes last. */
static void replace_sequences(GString *text)
{
    gsize to = 0;
    for (gsize from = 0; from < text->len; from++) {
        int meaning =
            text->str[from] == '\\' && from + 1 < text->len ? unescaped(text->str[from + 1]) : -1;
        text->str[to++] = meaning < 0 ? text->str[from] : (char)meaning;
        from += meaning < 0 ? 0 : 1;
    }
    g_string_truncate(text, to);
}

static void replace_double_backslashes(GString *text)
{
    gsize to = 0;
    for (gsize from = 0; from < text->len; from++) {
        text->str[to++] = text->str[from];
        if (text->str[from] == '\\' && from + 1 < text->len && text->str[from + 1] == '\\')
            from++;
    }
    g_string_truncate(text, to);
}

GString *uefi_text_transform(Bytes text)
{
    GString *out = g_string_sized_new(text.size);
    if (text.size > 0)
        g_string_append_len(out, (const char *)text.data, (gssize)text.size);
    if (text.size > 0 && memchr(text.data, '\\', text.size)) {
        replace_sequences(out);
        replace_double_backslashes(out);
    }
    if (out->len > 0 && out->str[out->len - 1] == '\0')
        g_string_truncate(out, out->len - 1);
    return out;
}

bool uefi_text_is_utf8(Bytes text)
{
    while (text.size > 0) {
        Bytes part = uefi_text_before_nul(text);
        if (!g_utf8_validate_len((const char *)part.data, part.size, NULL))
            return false;
        size_t used = MIN(part.size + 1, text.size);
        text = bytes_of(text.data + used, text.size - used);
    }
    return true;
}

Bytes uefi_text_before_nul(Bytes text)
{
    const uint8_t *nul = text.size > 0 ? memchr(text.data, 0, text.size) : NULL;
    return nul ? bytes_of(text.data, (size_t)(nul - text.data)) : text;
}
