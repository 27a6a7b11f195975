/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/text_pattern.h"

#include "policy/python_pattern.h"

struct TextPattern {
    char *text;
    PythonPattern *compiled;
};

/* The same expression without a NUL in it. A backslash belongs to what follows it. */
static char *name_nuls(Bytes pattern)
{
    GString *text = g_string_new(NULL);
    for (size_t i = 0; i < pattern.size; i++) {
        bool escaped = pattern.data[i] == '\\' && i + 1 < pattern.size;
        if (pattern.data[i + escaped] == '\0')
            g_string_append(text, "\\x00");
        else
            g_string_append_len(text, (const char *)pattern.data + i, escaped ? 2 : 1);
        i += escaped;
    }
    return g_string_free(text, FALSE);
}

TextPattern *text_pattern_new(Bytes pattern, GError **error)
{
    g_autofree char *text = name_nuls(pattern);
    PythonPattern *compiled =
        python_pattern_compile(bytes_of_text(text), PYTHON_MATCH_WHOLE, error);
    if (!compiled)
        return NULL;
    TextPattern *whole = g_new0(TextPattern, 1);
    whole->text = g_steal_pointer(&text);
    whole->compiled = compiled;
    return whole;
}

void text_pattern_free(TextPattern *pattern)
{
    if (!pattern)
        return;
    g_free(pattern->text);
    python_pattern_free(pattern->compiled);
    g_free(pattern);
}

const char *text_pattern_text(const TextPattern *pattern)
{
    return pattern->text;
}

TextPatternResult text_pattern_match(const TextPattern *pattern, Bytes text)
{
    g_autoptr(PythonMatcher) matcher = python_matcher_new();
    switch (python_pattern_match(pattern->compiled, matcher, text)) {
    case PYTHON_MATCHES:
        return TEXT_PATTERN_MATCHES;
    case PYTHON_LIMIT_REACHED:
        return TEXT_PATTERN_GAVE_UP;
    default:
        return TEXT_PATTERN_DIFFERS;
    }
}
