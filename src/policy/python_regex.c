/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/python_regex_parser.h"

#include <string.h>

G_DEFINE_QUARK(python - regex - error - quark, python_regex_error)

/* Characters that a probe feeds to a repetition. Square time on them is within the match limit,
 * cubic is not. */
#define PROBE_LENGTH 256
#define MAX_PROBES 64

struct PythonRegex {
    Parser parser;
    char *text; /* NULL until the translation is finished */
};

static void clear_group(gpointer group)
{
    g_free(((Group *)group)->name);
}

PythonRegex *python_regex_new(void)
{
    PythonRegex *regex = g_new0(PythonRegex, 1);
    regex->parser.out = g_string_new(NULL);
    regex->parser.sample = g_string_new(NULL);
    regex->parser.probes = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    regex->parser.groups = g_array_new(FALSE, TRUE, sizeof(Group));
    g_array_set_clear_func(regex->parser.groups, clear_group);
    return regex;
}

void python_regex_free(PythonRegex *regex)
{
    if (!regex)
        return;
    g_string_free(regex->parser.out, TRUE);
    g_string_free(regex->parser.sample, TRUE);
    g_ptr_array_unref(regex->parser.probes);
    g_array_unref(regex->parser.groups);
    g_free(regex->text);
    g_free(regex);
}

/* --- reading ------------------------------------------------------------------------------------
 */

bool parser_fail(Parser *parser, PythonRegexError code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *reason = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(parser->error, PYTHON_REGEX_ERROR, code, reason);
    return false;
}

bool parser_invalid(Parser *parser, const char *reason)
{
    return parser_fail(parser, PYTHON_REGEX_ERROR_INVALID, "%s", reason);
}

gunichar parser_take_character(Parser *parser)
{
    gunichar c = g_utf8_get_char(parser->at);
    parser->at = g_utf8_next_char(parser->at);
    return c;
}

bool parser_next(Parser *parser, Token *token)
{
    *token = (Token){.end = parser->at == parser->end};
    if (token->end)
        return true;
    token->c = parser_take_character(parser);
    if (token->c != '\\')
        return true;
    if (parser->at == parser->end)
        return parser_invalid(parser, "bad escape (end of pattern)");
    token->c = parser_take_character(parser);
    token->escaped = true;
    return true;
}

bool parser_next_is(const Parser *parser, char c)
{
    return parser->at < parser->end && *parser->at == c;
}

bool parser_match(Parser *parser, char c)
{
    if (!parser_next_is(parser, c))
        return false;
    parser->at++;
    return true;
}

/* --- widths -------------------------------------------------------------------------------------
 */

static guint64 saturated(guint64 width)
{
    return MIN(width, WIDTH_UNBOUNDED);
}

static Width width_add(Width a, Width b)
{
    return (Width){saturated(a.min + b.min), saturated(a.max + b.max)};
}

Width width_either(Width a, Width b)
{
    return (Width){MIN(a.min, b.min), MAX(a.max, b.max)};
}

static Width width_times(Width width, guint64 min, guint64 max)
{
    return (Width){saturated(width.min * min), saturated(width.max * max)};
}

/* --- probes -------------------------------------------------------------------------------------
 */

/* The sample's text from `start` on is what an unbounded repetition repeats. */
static void add_probe(Parser *parser, gsize start)
{
    const GString *sample = parser->sample;
    gsize unit = sample->len - start;
    if (unit == 0 || parser->probes->len == MAX_PROBES)
        return;
    GByteArray *probe = g_byte_array_new();
    bytes_append(probe, bytes_of(sample->str, start));
    for (gsize fed = 0; fed < PROBE_LENGTH; fed += unit)
        bytes_append(probe, bytes_of(sample->str + start, unit));
    append_u8(probe, 0x02);
    g_ptr_array_add(parser->probes, g_byte_array_free_to_bytes(probe));
}

/* --- sequences ----------------------------------------------------------------------------------
 */

/* {m,n} in its forms; false without an error when it is no repetition but text. */
static bool take_counts(Parser *parser, guint64 *min, guint64 *max)
{
    const char *at = parser->at, *end = parser->end;
    guint64 counts[2] = {0, WIDTH_UNBOUNDED};
    bool given[2] = {false, false}, comma = false;
    for (; at < end && (g_ascii_isdigit(*at) || (*at == ',' && !comma)); at++) {
        if (*at == ',') {
            comma = true;
            continue;
        }
        guint64 before = given[comma] ? counts[comma] : 0;
        counts[comma] = saturated(before * 10 + (guint64)(*at - '0'));
        given[comma] = true;
    }
    if (at == end || *at != '}' || (!given[0] && !comma))
        return false;
    parser->at = at + 1;
    *min = counts[0];
    *max = comma ? counts[1] : counts[0];
    return true;
}

/* Writes a repetition and its mode; `start` is where the sample of the repeated item begins. */
static bool write_repeat(Parser *parser, guint64 min, guint64 max, gsize start, Width *width)
{
    if (max < min)
        return parser_invalid(parser, "min repeat greater than max repeat");
    if (min > MAX_REPEAT || (max > MAX_REPEAT && max != WIDTH_UNBOUNDED))
        return parser_fail(parser, PYTHON_REGEX_ERROR_COSTLY, "repeats more than %d times",
                           MAX_REPEAT);
    if (max == WIDTH_UNBOUNDED)
        g_string_append_printf(parser->out, "{%u,}", (guint)min);
    else
        g_string_append_printf(parser->out, "{%u,%u}", (guint)min, (guint)max);
    if (parser_match(parser, '?'))
        g_string_append_c(parser->out, '?');
    else if (parser_match(parser, '+'))
        g_string_append_c(parser->out, '+');
    if (max >= PROBE_LENGTH)
        add_probe(parser, start);
    if (max == 0)
        g_string_truncate(parser->sample, start);
    *width = width_times(*width, min, max);
    return true;
}

/* A repetition of the item before it, if one follows. `text` is set when a "{" is only a brace. */
static bool parse_repeat(Parser *parser, char sign, Item item, gsize start, Width *width,
                         bool *text)
{
    guint64 min = sign == '+' ? 1 : 0, max = sign == '?' ? 1 : WIDTH_UNBOUNDED;
    if (sign == '{' && !take_counts(parser, &min, &max)) {
        *text = true;
        return true;
    }
    if (item == ITEM_NONE || item == ITEM_POSITION)
        return parser_invalid(parser, "nothing to repeat");
    if (item == ITEM_REPEATED)
        return parser_invalid(parser, "multiple repeat");
    return write_repeat(parser, min, max, start, width);
}

static bool take_comment_line(Parser *parser)
{
    Token token;
    do {
        if (!parser_next(parser, &token))
            return false;
    } while (!token.end && (token.escaped || token.c != '\n'));
    return true;
}

static void literal(Parser *parser, gunichar c, Width *width)
{
    parser_literal(parser, c);
    g_string_append_unichar(parser->sample, c);
    *width = (Width){1, 1};
}

/* One item other than a repetition, whose token was taken. ITEM_NONE for what leaves no trace. */
static bool parse_item(Parser *parser, Token token, Width *width, Item *item)
{
    *item = ITEM_ATOM;
    *width = (Width){0, 0};
    if (token.escaped)
        return parser_escape(parser, token.c, width, item);
    switch (token.c) {
    case '[':
        return parser_set(parser, width);
    case '(':
        return parser_group(parser, width, item);
    case '.':
        g_string_append(parser->out, parser->flags & FLAG_DOTALL ? "[\\x{0}-\\x{10ffff}]" : ".");
        g_string_append_c(parser->sample, 'a');
        *width = (Width){1, 1};
        return true;
    case '^':
        *item = ITEM_POSITION;
        g_string_append(parser->out, parser->flags & FLAG_MULTILINE ? "(?m:^)" : "\\A");
        return true;
    case '$':
        *item = ITEM_POSITION;
        g_string_append(parser->out, parser->flags & FLAG_MULTILINE ? "(?m:$)" : "$");
        return true;
    default:
        literal(parser, token.c, width);
        return true;
    }
}

static bool is_skipped(const Parser *parser, Token token)
{
    return (parser->flags & FLAG_VERBOSE) && !token.escaped && token.c < 0x80 && token.c != 0 &&
           strchr(" \t\n\r\v\f#", (char)token.c);
}

static bool is_repeat(Token token)
{
    return !token.escaped && token.c < 0x80 && token.c != 0 && strchr("*+?{", (char)token.c);
}

bool parser_sequence(Parser *parser, Width *width)
{
    Item last = ITEM_NONE;
    Width last_width = {0, 0}, before = {0, 0}; /* of the last item; of all before it */
    gsize start = parser->sample->len;
    while (parser->at < parser->end && !parser_next_is(parser, '|') &&
           !parser_next_is(parser, ')')) {
        Token token;
        if (!parser_next(parser, &token))
            return false;
        if (is_skipped(parser, token)) {
            if (token.c == '#' && !take_comment_line(parser))
                return false;
            continue;
        }
        bool text = false;
        if (is_repeat(token)) {
            if (!parse_repeat(parser, (char)token.c, last, start, &last_width, &text))
                return false;
            if (!text) {
                last = ITEM_REPEATED;
                continue;
            }
        }
        gsize item_start = parser->sample->len;
        Width item_width;
        Item item = ITEM_ATOM;
        if (text)
            literal(parser, token.c, &item_width);
        else if (!parse_item(parser, token, &item_width, &item))
            return false;
        if (item == ITEM_NONE)
            continue; /* a comment: what stands before it is still the last item */
        before = width_add(before, last_width);
        last_width = item_width;
        last = item;
        start = item_start;
    }
    *width = width_add(before, last_width);
    return true;
}

/* The sample of alternatives is the longest of theirs. */
static void keep_longer_sample(Parser *parser, gsize start, GString *longest)
{
    if (parser->sample->len - start > longest->len)
        g_string_assign(longest, parser->sample->str + start);
    g_string_truncate(parser->sample, start);
}

bool parser_alternatives(Parser *parser, Width *width)
{
    g_autoptr(GString) longest = g_string_new(NULL);
    gsize start = parser->sample->len;
    if (++parser->depth > PYTHON_REGEX_MAX_DEPTH)
        return parser_fail(parser, PYTHON_REGEX_ERROR_COSTLY, "groups nested more than %d deep",
                           PYTHON_REGEX_MAX_DEPTH);
    if (!parser_sequence(parser, width))
        return false;
    while (parser_match(parser, '|')) {
        Width other;
        keep_longer_sample(parser, start, longest);
        g_string_append_c(parser->out, '|');
        if (!parser_sequence(parser, &other))
            return false;
        *width = width_either(*width, other);
    }
    keep_longer_sample(parser, start, longest);
    g_string_append(parser->sample, longest->str);
    parser->depth--;
    return true;
}

/* --- whole expressions --------------------------------------------------------------------------
 */

static bool begin(PythonRegex *regex, Bytes pattern, GError **error)
{
    Parser *parser = &regex->parser;
    g_clear_pointer(&regex->text, g_free);
    parser->error = error;
    parser->flags = 0;
    parser->depth = 0;
    parser->look_behind_groups = 0;
    g_string_truncate(parser->sample, 0);
    if (pattern.size > PYTHON_REGEX_MAX_SIZE)
        return parser_fail(parser, PYTHON_REGEX_ERROR_COSTLY, "longer than %d bytes",
                           PYTHON_REGEX_MAX_SIZE);
    parser->at = pattern.size > 0 ? (const char *)pattern.data : "";
    parser->end = parser->at + pattern.size;
    const char *good;
    if (!g_utf8_validate_len(parser->at, pattern.size, &good) &&
        (good == parser->end || *good != '\0'))
        return parser_invalid(parser, "no UTF-8");
    if (memchr(parser->at, '\0', pattern.size))
        return parser_fail(parser, PYTHON_REGEX_ERROR_NOT_PORTABLE,
                           "holds a NUL: write \\x00 for it");
    return true;
}

/* Everything up to the end of the text. */
static bool parse_whole(Parser *parser, Width *width)
{
    return parser_alternatives(parser, width) &&
           (parser->at == parser->end || parser_invalid(parser, "unbalanced parenthesis"));
}

bool python_regex_set(PythonRegex *regex, Bytes pattern, GError **error)
{
    Width width;
    g_string_truncate(regex->parser.out, 0);
    return begin(regex, pattern, error) && parser_global_flags(&regex->parser) &&
           parse_whole(&regex->parser, &width) && python_regex_finish(regex, error);
}

bool python_regex_add_alternative(PythonRegex *regex, Bytes pattern, GError **error)
{
    Parser *parser = &regex->parser;
    Width width = {0};
    guint number;
    if (!begin(regex, pattern, error) || !parser_open_group(parser, NULL, &number))
        return false;
    g_string_append(parser->out, number > 1 ? "|" OPEN_GROUP : OPEN_GROUP);
    if (!parse_whole(parser, &width))
        return false;
    g_string_append_c(parser->out, ')');
    parser_close_group(parser, number, width);
    return true;
}

bool python_regex_finish(PythonRegex *regex, GError **error)
{
    Parser *parser = &regex->parser;
    parser->error = error;
    if (parser->highest_reference > parser->groups->len)
        return parser_fail(parser, PYTHON_REGEX_ERROR_INVALID, "invalid group reference %u",
                           parser->highest_reference);
    g_auto(GStrv) parts = g_strsplit(parser->out->str, OPEN_GROUP, -1);
    regex->text = g_strjoinv(parser->highest_reference > 0 ? "(" : "(?:", parts);
    return true;
}

bool python_regex_has_references(const PythonRegex *regex)
{
    return regex->parser.highest_reference > 0;
}

const char *python_regex_text(const PythonRegex *regex)
{
    return regex->text;
}

const GPtrArray *python_regex_probes(const PythonRegex *regex)
{
    return regex->parser.probes;
}
