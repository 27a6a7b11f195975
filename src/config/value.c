/* SPDX-License-Identifier: Apache-2.0 */
#include "config/value.h"

#include "base/secret.h"
#include "config/list.h"
#include "config/python_text.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* Integers print as integers, other bounds with their fraction. */
static char *number_text(double number)
{
    return g_strdup_printf("%.15g", number);
}

static char *allowed_number(const Option *option, const char *kind)
{
    if (option->minimum == 0 && option->maximum == 0)
        return g_strdup_printf("must be %s", kind);
    g_autofree char *minimum = number_text(option->minimum);
    g_autofree char *maximum = number_text(option->maximum);
    return g_strdup_printf("must be %s from %s to %s", kind, minimum, maximum);
}

static bool in_bounds(const Option *option, double number)
{
    if (option->minimum == 0 && option->maximum == 0)
        return true;
    return number >= option->minimum && number <= option->maximum; /* false for NaN */
}

/* Python allows `_` between two digits, nowhere else. NULL when one stands elsewhere. */
static char *without_underscores(const char *text)
{
    GString *plain = g_string_new(NULL);
    for (const char *c = text; *c; c++) {
        if (*c != '_') {
            g_string_append_c(plain, *c);
        } else if (c == text || !g_ascii_isdigit(c[-1]) || !g_ascii_isdigit(c[1])) {
            g_string_free(plain, TRUE);
            return NULL;
        }
    }
    return g_string_free(plain, FALSE);
}

static char *stripped_copy(const char *text)
{
    return python_text_copy(python_strip(bytes_of_text(text)));
}

/* int(): decimal digits with an optional sign. */
static bool parse_int(const char *text, gint64 *out)
{
    g_autofree char *stripped = stripped_copy(text);
    g_autofree char *plain = without_underscores(stripped);
    if (!plain)
        return false;
    const char *digits = plain + (*plain == '+' || *plain == '-');
    if (!*digits || strspn(digits, "0123456789") != strlen(digits))
        return false;
    errno = 0;
    *out = g_ascii_strtoll(plain, NULL, 10);
    return errno == 0;
}

/* float(): decimal notation, an exponent, `inf`, `nan`; no hexadecimal. */
static bool parse_real(const char *text, double *out)
{
    static const char *const words[] = {"inf", "infinity", "nan", NULL};
    g_autofree char *stripped = stripped_copy(text);
    g_autofree char *plain = without_underscores(stripped);
    if (!plain || !*plain)
        return false;
    const char *unsigned_part = plain + (*plain == '+' || *plain == '-');
    bool is_word = false;
    for (int i = 0; words[i]; i++)
        is_word = is_word || g_ascii_strcasecmp(unsigned_part, words[i]) == 0;
    if (!is_word && strspn(plain, "0123456789+-.eE") != strlen(plain))
        return false;
    char *end = NULL;
    *out = g_ascii_strtod(plain, &end);
    return end != plain && *end == '\0';
}

static bool parse_bool(const char *text, bool *out)
{
    static const char *const words[] = {"0", "1", "no", "yes", "false", "true", "off", "on"};
    for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
        if (g_ascii_strcasecmp(text, words[i]) == 0) {
            *out = i % 2 == 1;
            return true;
        }
    }
    return false;
}

static char *convert_int(const Option *option, const RawValue *raw, Value *out)
{
    if (raw->kind == RAW_TOML_REAL || raw->kind == RAW_TOML_BOOL ||
        !parse_int(raw->text, &out->integer) || !in_bounds(option, (double)out->integer))
        return allowed_number(option, "a whole number");
    out->text = g_strdup_printf("%" G_GINT64_FORMAT, out->integer);
    return NULL;
}

static char *convert_real(const Option *option, const RawValue *raw, Value *out)
{
    if (raw->kind == RAW_TOML_BOOL || !parse_real(raw->text, &out->real) ||
        !in_bounds(option, out->real))
        return allowed_number(option, "a number");
    out->text = stripped_copy(raw->text);
    return NULL;
}

static char *convert_bool(const RawValue *raw, Value *out)
{
    /* Quotes count as part of a word in an INI file, as upstream reads it; a variable loses them.
     */
    g_autofree char *word = raw->kind == RAW_ENVIRONMENT
                                ? python_text_copy(python_strip_quotes(bytes_of_text(raw->text)))
                                : stripped_copy(raw->text);
    if (raw->kind == RAW_TOML_REAL || !parse_bool(word, &out->boolean))
        return g_strdup("must be true, yes, on, 1, or false, no, off, 0");
    out->text = g_strdup(out->boolean ? "True" : "False");
    return NULL;
}

/* TOML says exactly what belongs to a text; INI values and variables of servers may be quoted. */
static char *plain_text(const RawValue *raw)
{
    if (raw->kind == RAW_INI || raw->kind == RAW_ENVIRONMENT || raw->kind == RAW_DEFAULT)
        return python_text_copy(python_strip_quotes(bytes_of_text(raw->text)));
    return g_strdup(raw->text);
}

static char *convert_text(const Option *option, const RawValue *raw, Value *out)
{
    if (raw->kind == RAW_TOML_LIST)
        return g_strdup("must be one text, not a list");
    out->text = plain_text(raw);
    const char *allowed =
        option->check && raw->kind != RAW_DEFAULT ? option->check(out->text) : NULL;
    return g_strdup(allowed);
}

static char *convert_word(const Option *option, const RawValue *raw, Value *out)
{
    g_autofree char *word = plain_text(raw);
    for (guint i = 0; option->words[i]; i++) {
        bool same = option->exact_case ? strcmp(word, option->words[i]) == 0
                                       : g_ascii_strcasecmp(word, option->words[i]) == 0;
        if (same && raw->kind != RAW_TOML_LIST) {
            out->text = g_strdup(option->words[i]);
            return NULL;
        }
    }
    g_autofree char *all = g_strjoinv(", ", (char **)option->words);
    return g_strdup_printf("must be %s%s", option->words[0] && option->words[1] ? "one of: " : "",
                           all);
}

/* The agent's lists of bare words are separated by blanks inside brackets too (push-agent §3.3). */
static Bytes list_text(const RawValue *raw)
{
    Bytes text = bytes_of_text(raw->text);
    bool bracketed = text.size >= 2 && text.data[0] == '[' && text.data[text.size - 1] == ']';
    if (raw->kind == RAW_TOML_TEXT && bracketed && !strpbrk(raw->text, "'\""))
        return bytes_of(text.data + 1, text.size - 2);
    return text;
}

static char *convert_list(const Option *option, const RawValue *raw, Value *out)
{
    g_autofree char *reason = NULL;
    if (raw->kind == RAW_TOML_LIST)
        out->list = g_strdupv(raw->list);
    else
        out->list = list_parse(list_text(raw), &reason);
    if (!out->list)
        return g_strdup_printf("must be a list such as ['a', 'b']: %s", reason);
    g_autofree char *elements = g_strjoinv("', '", out->list);
    out->text = out->list[0] ? g_strdup_printf("['%s']", elements) : g_strdup("[]");
    for (guint i = 0; out->list[i] && option->check && raw->kind != RAW_DEFAULT; i++) {
        const char *allowed = option->check(out->list[i]);
        if (allowed)
            return g_strdup(allowed);
    }
    return NULL;
}

static char *convert(const Option *option, const RawValue *raw, Value *out)
{
    if (!g_utf8_validate(raw->text, -1, NULL))
        return g_strdup("must be UTF-8 text");
    if (raw->kind == RAW_TOML_OTHER)
        return g_strdup("must be a plain value, not a date, and without lists or tables inside");
    switch (option->type) {
    case OPTION_INT:
        return convert_int(option, raw, out);
    case OPTION_REAL:
        return convert_real(option, raw, out);
    case OPTION_BOOL:
        return convert_bool(raw, out);
    case OPTION_LIST:
        return convert_list(option, raw, out);
    case OPTION_WORD:
        return convert_word(option, raw, out);
    case OPTION_TEXT:
        return convert_text(option, raw, out);
    }
    g_assert_not_reached();
}

char *value_convert(const Option *option, const RawValue *raw, Value *out)
{
    *out = (Value){0};
    char *allowed = convert(option, raw, out);
    if (allowed)
        value_clear(out);
    return allowed;
}

void value_clear(Value *value)
{
    /* Passwords are among them; wiping all costs nothing. */
    g_clear_pointer(&value->text, secret_free_text);
    g_clear_pointer(&value->list, g_strfreev);
}

void raw_value_clear(RawValue *raw)
{
    g_clear_pointer(&raw->text, secret_free_text);
    g_clear_pointer(&raw->list, g_strfreev);
    g_clear_pointer(&raw->source, g_free);
}
