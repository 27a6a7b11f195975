/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/text_pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* Memory for backtracking of one match. */
#define HEAP_LIMIT_KIB 4096

struct TextPattern {
    char *text;
    pcre2_code *code;
    pcre2_match_context *limits;
};

G_DEFINE_AUTOPTR_CLEANUP_FUNC(pcre2_compile_context, pcre2_compile_context_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(pcre2_match_data, pcre2_match_data_free)

static pcre2_code *compile(const char *text, GError **error)
{
    /* Python's "." and "$" know one newline only. */
    g_autoptr(pcre2_compile_context) context = pcre2_compile_context_create(NULL);
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    int code;
    PCRE2_SIZE offset;
    pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
                                         PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED |
                                             PCRE2_ENDANCHORED | PCRE2_NEVER_BACKSLASH_C,
                                         &code, &offset, context);
    if (!compiled) {
        PCRE2_UCHAR reason[256];
        pcre2_get_error_message(code, reason, sizeof reason);
        g_set_error_literal(error, PYTHON_REGEX_ERROR, PYTHON_REGEX_ERROR_INVALID,
                            (const char *)reason);
    }
    return compiled;
}

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
    g_autoptr(PythonRegex) regex = python_regex_new();
    if (!python_regex_set(regex, bytes_of_text(text), error))
        return NULL;
    pcre2_code *code = compile(python_regex_text(regex), error);
    if (!code)
        return NULL;
    TextPattern *compiled = g_new0(TextPattern, 1);
    compiled->text = g_steal_pointer(&text);
    compiled->code = code;
    compiled->limits = pcre2_match_context_create(NULL);
    pcre2_set_match_limit(compiled->limits, TEXT_PATTERN_MATCH_LIMIT);
    pcre2_set_heap_limit(compiled->limits, HEAP_LIMIT_KIB);
    return compiled;
}

void text_pattern_free(TextPattern *pattern)
{
    if (!pattern)
        return;
    g_free(pattern->text);
    pcre2_code_free(pattern->code);
    pcre2_match_context_free(pattern->limits);
    g_free(pattern);
}

const char *text_pattern_text(const TextPattern *pattern)
{
    return pattern->text;
}

TextPatternResult text_pattern_match(const TextPattern *pattern, Bytes text)
{
    static const uint8_t nothing[1] = {0};
    g_autoptr(pcre2_match_data) data = pcre2_match_data_create(1, NULL);
    int result = pcre2_match(pattern->code, text.size > 0 ? text.data : nothing, text.size, 0, 0,
                             data, pattern->limits);
    if (result >= 0) /* 0: it has more groups than there is room for */
        return TEXT_PATTERN_MATCHES;
    bool gave_up = result == PCRE2_ERROR_MATCHLIMIT || result == PCRE2_ERROR_HEAPLIMIT ||
                   result == PCRE2_ERROR_DEPTHLIMIT || result == PCRE2_ERROR_NOMEMORY;
    return gave_up ? TEXT_PATTERN_GAVE_UP : TEXT_PATTERN_DIFFERS;
}
