/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/python_regex_parser.h"

#include <string.h>

/* Python's Unicode-aware white space as ranges of a set, and what is not of it (str.isspace();
 * PCRE2's \s lacks U+001C to U+001F and has U+180E). */
#define SPACES                                                                                     \
    "\\x{9}-\\x{d}\\x{1c}-\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}"                       \
    "\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
#define NO_SPACES                                                                                  \
    "\\x{0}-\\x{8}\\x{e}-\\x{1b}\\x{21}-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}"                   \
    "\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}"                 \
    "\\x{2060}-\\x{2fff}\\x{3001}-\\x{10ffff}"

/* The categories as contents of a set, in Unicode and in ASCII mode. */
static const struct {
    char letter;
    const char *unicode, *ascii, *sample;
} categories[] = {
    {'d', "\\p{Nd}", "0-9", "0"},
    {'D', "\\P{Nd}", "\\x{0}-\\x{2f}\\x{3a}-\\x{10ffff}", "a"},
    {'s', SPACES, "\\x{9}-\\x{d}\\x{20}", " "},
    {'S', NO_SPACES, "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{10ffff}", "a"},
    {'w', "\\w", "0-9A-Z_a-z", "a"},
    {'W', "\\W", "\\x{0}-\\x{2f}\\x{3a}-\\x{40}\\x{5b}-\\x{5e}\\x{60}\\x{7b}-\\x{10ffff}", "/"},
};

static int find_category(gunichar c)
{
    for (size_t i = 0; i < G_N_ELEMENTS(categories); i++)
        if ((gunichar)categories[i].letter == c)
            return (int)i;
    return -1;
}

static const char *category_text(const Parser *parser, int category)
{
    return parser->flags & FLAG_ASCII ? categories[category].ascii : categories[category].unicode;
}

void parser_literal(Parser *parser, gunichar c)
{
    if (c < 0x80 && !g_ascii_isalnum((char)c)) {
        if (g_ascii_isgraph((char)c))
            g_string_append_printf(parser->out, "\\%c", (char)c);
        else
            g_string_append_printf(parser->out, "\\x{%x}", c);
    } else {
        g_string_append_unichar(parser->out, c);
    }
}

/* --- escapes ------------------------------------------------------------------------------------
 */

/* Up to `most` digits of a base, or fewer. */
static guint take_digits(Parser *parser, guint most, guint base, gunichar *value)
{
    guint count = 0;
    while (count < most && parser->at < parser->end) {
        int digit = g_ascii_xdigit_value(*parser->at);
        if (digit < 0 || (guint)digit >= base)
            break;
        *value = *value * base + (guint)digit;
        parser->at++;
        count++;
    }
    return count;
}

static bool is_octal(char c)
{
    return c >= '0' && c <= '7';
}

/* The character of \xHH, \uHHHH, \UHHHHHHHH. */
static bool hex_escape(Parser *parser, gunichar letter, gunichar *c)
{
    const char *digits = parser->at;
    guint wanted = letter == 'x' ? 2 : letter == 'u' ? 4 : 8;
    *c = 0;
    if (take_digits(parser, wanted, 16, c) < wanted)
        return parser_fail(parser, PYTHON_REGEX_ERROR_INVALID, "incomplete escape \\%c%.*s",
                           (char)letter, (int)(parser->at - digits), digits);
    if (*c > 0x10ffff)
        return parser_fail(parser, PYTHON_REGEX_ERROR_INVALID, "bad escape \\U%.8s", digits);
    if (*c >= 0xd800 && *c <= 0xdfff)
        return parser_fail(parser, PYTHON_REGEX_ERROR_NOT_PORTABLE,
                           "surrogate \\u%04x stands for no character", *c);
    return true;
}

/* Escapes that mean the same inside and outside of a set: true and a character, or an error. */
static bool character_escape(Parser *parser, gunichar letter, gunichar *c)
{
    static const char letters[] = "afnrtv\\", values[] = "\a\f\n\r\t\v\\";
    const char *found = letter < 0x80 && letter != 0 ? strchr(letters, (char)letter) : NULL;
    if (found) {
        *c = (guchar)values[found - letters];
        return true;
    }
    if (letter == 'x' || letter == 'u' || letter == 'U')
        return hex_escape(parser, letter, c);
    if (letter == 'N') {
        if (parser->at < parser->end && *parser->at == '{')
            return parser_fail(parser, PYTHON_REGEX_ERROR_NOT_PORTABLE,
                               "characters cannot be named here: write \\uXXXX for \\N{...}");
        return parser_fail(parser, PYTHON_REGEX_ERROR_INVALID, "missing {");
    }
    if (letter < 0x80 && g_ascii_isalnum((char)letter))
        return parser_fail(parser, PYTHON_REGEX_ERROR_INVALID, "bad escape \\%c", (char)letter);
    *c = letter;
    return true;
}

static bool octal_in_range(Parser *parser, gunichar c)
{
    return c <= 0377 || parser_fail(parser, PYTHON_REGEX_ERROR_INVALID,
                                    "octal escape value \\%o outside of range 0-0o377", c);
}

static void sample_literal(Parser *parser, gunichar c, Width *width)
{
    parser_literal(parser, c);
    g_string_append_unichar(parser->sample, c);
    *width = (Width){1, 1};
}

/* \1 to \99 refer to groups; \0.., and three octal digits, are characters. */
static bool digit_escape(Parser *parser, gunichar digit, Width *width)
{
    gunichar value = digit - '0';
    if (digit == '0') {
        take_digits(parser, 2, 8, &value);
        sample_literal(parser, value, width);
        return true;
    }
    const char *at = parser->at;
    if (parser->end - at >= 2 && is_octal((char)digit) && is_octal(at[0]) && is_octal(at[1])) {
        take_digits(parser, 2, 8, &value);
        if (!octal_in_range(parser, value))
            return false;
        sample_literal(parser, value, width);
        return true;
    }
    take_digits(parser, 1, 10, &value);
    if (!parser_check_reference(parser, value))
        return false;
    parser_reference(parser, value, width);
    return true;
}

static const char *position_text(const Parser *parser, gunichar letter)
{
    bool ascii = parser->flags & FLAG_ASCII;
    switch (letter) {
    case 'A':
        return "\\A";
    case 'Z':
        return "\\z";
    case 'b':
        return ascii ? "(?:(?<=[0-9A-Z_a-z])(?![0-9A-Z_a-z])|(?<![0-9A-Z_a-z])(?=[0-9A-Z_a-z]))"
                     : "\\b";
    case 'B':
        return ascii ? "(?:(?<=[0-9A-Z_a-z])(?=[0-9A-Z_a-z])|(?<![0-9A-Z_a-z])(?![0-9A-Z_a-z]))"
                     : "\\B";
    default:
        return NULL;
    }
}

bool parser_escape(Parser *parser, gunichar c, Width *width, Item *item)
{
    const char *position = position_text(parser, c);
    if (position) {
        g_string_append(parser->out, position);
        *width = (Width){0, 0};
        *item = ITEM_POSITION;
        return true;
    }
    *item = ITEM_ATOM;
    int category = find_category(c);
    if (category >= 0) {
        g_string_append_printf(parser->out, "[%s]", category_text(parser, category));
        g_string_append(parser->sample, categories[category].sample);
        *width = (Width){1, 1};
        return true;
    }
    if (c < 0x80 && g_ascii_isdigit((char)c))
        return digit_escape(parser, c, width);
    gunichar literal = 0;
    if (!character_escape(parser, c, &literal))
        return false;
    sample_literal(parser, literal, width);
    return true;
}

/* --- sets ---------------------------------------------------------------------------------------
 */

/* One end of a range: a character, or a category, which is none. */
typedef struct {
    gunichar c;
    int category; /* -1: a character */
    const char *text;
    int size; /* as it was written, for errors */
} Member;

static bool set_escape(Parser *parser, gunichar letter, Member *member)
{
    member->category = find_category(letter);
    if (member->category >= 0)
        return true;
    if (letter == 'b') {
        member->c = '\b';
        return true;
    }
    if (letter < 0x80 && is_octal((char)letter)) {
        member->c = letter - '0';
        take_digits(parser, 2, 8, &member->c);
        return octal_in_range(parser, member->c);
    }
    return character_escape(parser, letter, &member->c);
}

static bool set_member(Parser *parser, Token token, const char *start, Member *member)
{
    *member = (Member){token.c, -1, start, 0};
    if (token.escaped && !set_escape(parser, token.c, member))
        return false;
    member->size = (int)(parser->at - start);
    return true;
}

static bool set_range(Parser *parser, const Member *low, const Member *high)
{
    if (low->category >= 0 || high->category >= 0 || high->c < low->c)
        return parser_fail(parser, PYTHON_REGEX_ERROR_INVALID, "bad character range %.*s-%.*s",
                           low->size, low->text, high->size, high->text);
    parser_literal(parser, low->c);
    g_string_append_c(parser->out, '-');
    parser_literal(parser, high->c);
    return true;
}

static void write_member(Parser *parser, const Member *member)
{
    if (member->category >= 0)
        g_string_append(parser->out, category_text(parser, member->category));
    else
        parser_literal(parser, member->c);
}

static bool unterminated(Parser *parser)
{
    return parser_fail(parser, PYTHON_REGEX_ERROR_INVALID, "unterminated character set");
}

/* One member or range; `last` is set by a "-" that the closing bracket follows. */
static bool set_item(Parser *parser, Token token, const char *start, Member *first, bool *last)
{
    Member high;
    if (!set_member(parser, token, start, first))
        return false;
    if (!parser_match(parser, '-')) {
        write_member(parser, first);
        return true;
    }
    start = parser->at;
    if (!parser_next(parser, &token))
        return false;
    if (token.end)
        return unterminated(parser);
    if (token.c == ']' && !token.escaped) {
        write_member(parser, first);
        parser_literal(parser, '-');
        *last = true;
        return true;
    }
    return set_member(parser, token, start, &high) && set_range(parser, first, &high);
}

/* Something that the set is likely to match: its first member, or for an excluding set a
 * character that is seldom named in one. */
static void sample_set(Parser *parser, bool excluding, const Member *first)
{
    if (excluding)
        g_string_append_c(parser->sample, first->category < 0 && first->c == 'a' ? 'b' : 'a');
    else if (first->category >= 0)
        g_string_append(parser->sample, categories[first->category].sample);
    else
        g_string_append_unichar(parser->sample, first->c);
}

bool parser_set(Parser *parser, Width *width)
{
    bool excluding = parser_match(parser, '^'), last = false;
    g_string_append(parser->out, excluding ? "[^" : "[");
    Member first = {0};
    for (bool begin = true; !last; begin = false) {
        const char *start = parser->at;
        Token token;
        Member member;
        if (!parser_next(parser, &token))
            return false;
        if (token.end)
            return unterminated(parser);
        if (token.c == ']' && !token.escaped && !begin)
            break;
        if (!set_item(parser, token, start, &member, &last))
            return false;
        if (begin)
            first = member;
    }
    g_string_append_c(parser->out, ']');
    sample_set(parser, excluding, &first);
    *width = (Width){1, 1};
    return true;
}
