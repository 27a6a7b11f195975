/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/python_regex_parser.h"

#include <string.h>

/* --- references ---------------------------------------------------------------------- */

static Group *group_at(const Parser *parser, guint number)
{
    return &g_array_index(parser->groups, Group, number - 1);
}

static guint group_named(const Parser *parser, const char *name)
{
    for (guint number = 1; number <= parser->groups->len; number++)
        if (g_strcmp0(group_at(parser, number)->name, name) == 0)
            return number;
    return 0;
}

static bool check_look_behind(Parser *parser, guint group)
{
    if (parser->look_behind_groups == 0)
        return true;
    if (group > parser->groups->len || !group_at(parser, group)->closed)
        return parser_invalid(parser, "cannot refer to an open group");
    return group < parser->look_behind_groups ||
           parser_invalid(parser,
                          "cannot refer to group defined in the same lookbehind subpattern");
}

bool parser_check_reference(Parser *parser, guint group)
{
    if (group == 0 || group > parser->groups->len)
        return parser_fail(parser, PYTHON_REGEX_ERROR_INVALID, "invalid group reference %u", group);
    if (!group_at(parser, group)->closed)
        return parser_invalid(parser, "cannot refer to an open group");
    return check_look_behind(parser, group);
}

void parser_reference(Parser *parser, guint group, Width *width)
{
    parser->highest_reference = MAX(parser->highest_reference, group);
    g_string_append_printf(parser->out, "\\g{%u}", group);
    *width = group_at(parser, group)->width;
}

static bool is_identifier(const char *name)
{
    const char *at = name;
    gunichar first = g_utf8_get_char(at);
    if (!g_unichar_isalpha(first) && first != '_')
        return false;
    for (; *at; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);
        if (!g_unichar_isalnum(c) && c != '_')
            return false;
    }
    return true;
}

/* A name up to its closing character; newly allocated, NULL and an error. */
static char *take_name(Parser *parser, char closing)
{
    const char *start = parser->at;
    const char *end = memchr(start, closing, (size_t)(parser->end - start));
    if (!end || end == start) {
        parser_invalid(parser, end              ? "missing group name"
                               : closing == ')' ? "missing ), unterminated name"
                                                : "missing >, unterminated name");
        return NULL;
    }
    parser->at = end + 1;
    return g_strndup(start, (gsize)(end - start));
}

bool parser_open_group(Parser *parser, char *name, guint *number)
{
    guint taken = name ? group_named(parser, name) : 0;
    if (taken) {
        parser_fail(parser, PYTHON_REGEX_ERROR_INVALID,
                    "redefinition of group name '%s' as group %u; was group %u", name,
                    parser->groups->len + 1, taken);
        g_free(name);
        return false;
    }
    Group group = {.name = name};
    g_array_append_val(parser->groups, group);
    *number = parser->groups->len;
    return true;
}

void parser_close_group(Parser *parser, guint number, Width width)
{
    group_at(parser, number)->width = width;
    group_at(parser, number)->closed = true;
}

/* --- what parentheses mean ----------------------------------------------------------------------
 */

static bool close_parenthesis(Parser *parser)
{
    if (!parser_match(parser, ')'))
        return parser_invalid(parser, "missing ), unterminated subpattern");
    g_string_append_c(parser->out, ')');
    return true;
}

static bool parse_body(Parser *parser, const char *opening, Width *width)
{
    g_string_append(parser->out, opening);
    return parser_alternatives(parser, width) && close_parenthesis(parser);
}

/* `name` is handed over. */
static bool parse_capture(Parser *parser, char *name, Width *width)
{
    guint number;
    if (!parser_open_group(parser, name, &number) || !parse_body(parser, OPEN_GROUP, width))
        return false;
    parser_close_group(parser, number, *width);
    return true;
}

static bool parse_named(Parser *parser, Width *width)
{
    if (parser_match(parser, '<')) {
        char *name = take_name(parser, '>');
        if (name && !is_identifier(name)) {
            parser_fail(parser, PYTHON_REGEX_ERROR_INVALID, "bad character in group name '%s'",
                        name);
            g_clear_pointer(&name, g_free);
        }
        return name && parse_capture(parser, name, width);
    }
    if (parser_match(parser, '=')) {
        g_autofree char *name = take_name(parser, ')');
        guint group = name ? group_named(parser, name) : 0;
        if (name && !group)
            parser_fail(parser, PYTHON_REGEX_ERROR_INVALID, "unknown group name '%s'", name);
        if (!group || !parser_check_reference(parser, group))
            return false;
        parser_reference(parser, group, width);
        return true;
    }
    if (parser->at == parser->end)
        return parser_invalid(parser, "unexpected end of pattern");
    return parser_fail(parser, PYTHON_REGEX_ERROR_INVALID, "unknown extension ?P%.*s",
                       (int)(g_utf8_next_char(parser->at) - parser->at), parser->at);
}

/* The sample does not go through look-around: it takes no characters. */
static bool parse_look_around(Parser *parser, const char *opening, bool behind)
{
    Width width;
    gsize start = parser->sample->len;
    bool outermost = behind && parser->look_behind_groups == 0;
    if (outermost)
        parser->look_behind_groups = parser->groups->len + 1;
    if (!parse_body(parser, opening, &width))
        return false;
    if (outermost)
        parser->look_behind_groups = 0;
    g_string_truncate(parser->sample, start);
    return !behind || width.min == width.max ||
           parser_invalid(parser, "look-behind requires fixed-width pattern");
}

static bool condition_group(Parser *parser, guint *group)
{
    g_autofree char *name = take_name(parser, ')');
    if (!name)
        return false;
    if (is_identifier(name)) {
        *group = group_named(parser, name);
        return *group != 0 ||
               parser_fail(parser, PYTHON_REGEX_ERROR_INVALID, "unknown group name '%s'", name);
    }
    guint64 number;
    if (!g_ascii_string_to_unsigned(name, 10, 0, MAX_REPEAT, &number, NULL))
        return parser_fail(parser, PYTHON_REGEX_ERROR_INVALID, "bad character in group name '%s'",
                           name);
    *group = (guint)number;
    return number != 0 || parser_invalid(parser, "bad group number");
}

static bool parse_conditional(Parser *parser, Width *width)
{
    guint group = 0;
    Width other = {0, 0};
    if (!condition_group(parser, &group) || !check_look_behind(parser, group))
        return false;
    parser->highest_reference = MAX(parser->highest_reference, group);
    g_string_append_printf(parser->out, "(?(%u)", group);
    if (++parser->depth > PYTHON_REGEX_MAX_DEPTH)
        return parser_fail(parser, PYTHON_REGEX_ERROR_COSTLY, "groups nested more than %d deep",
                           PYTHON_REGEX_MAX_DEPTH);
    if (!parser_sequence(parser, width))
        return false;
    if (parser_match(parser, '|')) {
        g_string_append_c(parser->out, '|');
        if (!parser_sequence(parser, &other))
            return false;
        if (parser_next_is(parser, '|'))
            return parser_invalid(parser, "conditional backref with more than two branches");
    }
    parser->depth--;
    *width = width_either(*width, other);
    return close_parenthesis(parser);
}

static unsigned flag_of(char c)
{
    switch (c) {
    case 'i':
        return FLAG_IGNORECASE;
    case 'm':
        return FLAG_MULTILINE;
    case 's':
        return FLAG_DOTALL;
    case 'x':
        return FLAG_VERBOSE;
    case 'a':
        return FLAG_ASCII;
    default:
        return 0;
    }
}

/* Letters of flags up to what is none. `unicode` is set by u, which is how text is read anyhow. */
static bool take_flags(Parser *parser, unsigned *flags, bool *unicode)
{
    const char *start = parser->at;
    for (; parser->at < parser->end && g_ascii_isalpha(*parser->at); parser->at++) {
        unsigned flag = flag_of(*parser->at);
        if (*parser->at == 'L')
            return parser_invalid(parser,
                                  "bad inline flags: cannot use 'L' flag with a str pattern");
        if (*parser->at == 'u')
            *unicode = true;
        else if (!flag)
            return parser_invalid(parser, "unknown flag");
        *flags |= flag;
    }
    return parser->at > start || parser_invalid(parser, "missing flag");
}

/* Flags of a group: (?aimsux-imsx:...). */
static bool parse_flags(Parser *parser, Width *width)
{
    unsigned on = 0, off = 0;
    bool unicode = false, off_unicode = false;
    if (!parser_next_is(parser, '-') && !take_flags(parser, &on, &unicode))
        return false;
    if (unicode && (on & FLAG_ASCII))
        return parser_invalid(parser, "bad inline flags: flags 'a', 'u' and 'L' are incompatible");
    if (parser_next_is(parser, ')'))
        return parser_invalid(parser, "global flags not at the start of the expression");
    if (parser_match(parser, '-') && !take_flags(parser, &off, &off_unicode))
        return false;
    if (off_unicode || (off & FLAG_ASCII))
        return parser_invalid(parser, "bad inline flags: cannot turn off flags 'a', 'u' and 'L'");
    if (on & off)
        return parser_invalid(parser, "bad inline flags: flag turned on and off");
    if (!parser_match(parser, ':'))
        return parser_invalid(parser, "missing :");
    unsigned outer = parser->flags;
    parser->flags = ((outer | on) & ~off) & ~(unicode ? (unsigned)FLAG_ASCII : 0);
    if ((parser->flags & FLAG_ASCII) && (parser->flags & FLAG_IGNORECASE))
        return parser_fail(parser, PYTHON_REGEX_ERROR_NOT_PORTABLE,
                           "flags 'a' and 'i' together have no equal here");
    bool ignore = parser->flags & FLAG_IGNORECASE;
    bool good = parse_body(parser, ignore ? "(?i:" : "(?-i:", width);
    parser->flags = outer;
    return good;
}

bool parser_global_flags(Parser *parser)
{
    bool unicode = false;
    const char *start = parser->at;
    if (!g_str_has_prefix(start, "(?") || parser->end - start < 4)
        return true;
    const char *letters = start + 2;
    size_t count = strspn(letters, "aimsux");
    if (count == 0 || letters[count] != ')')
        return true;
    parser->at = letters;
    if (!take_flags(parser, &parser->flags, &unicode))
        return false;
    parser->at++;
    if ((parser->flags & FLAG_ASCII) && (unicode || parser->flags & FLAG_IGNORECASE))
        return parser_fail(parser, PYTHON_REGEX_ERROR_NOT_PORTABLE,
                           "flags 'a' and 'i' or 'u' together have no equal here");
    g_string_append(parser->out, parser->flags & FLAG_IGNORECASE ? "(?i)" : "");
    return true;
}

static bool parse_comment(Parser *parser)
{
    Token token;
    do {
        if (!parser_next(parser, &token))
            return false;
        if (token.end)
            return parser_invalid(parser, "missing ), unterminated comment");
    } while (token.escaped || token.c != ')');
    return true;
}

static bool parse_extension(Parser *parser, Width *width, Item *item)
{
    if (parser->at == parser->end)
        return parser_invalid(parser, "unexpected end of pattern");
    const char *start = parser->at;
    char sign = *start;
    if (sign == '-' || flag_of(sign) || sign == 'u' || sign == 'L')
        return parse_flags(parser, width);
    gunichar c = parser_take_character(parser);
    switch (c) {
    case 'P':
        return parse_named(parser, width);
    case ':':
        return parse_body(parser, "(?:", width);
    case '>':
        return parse_body(parser, "(?>", width);
    case '#':
        *item = ITEM_NONE;
        return parse_comment(parser);
    case '=':
        return parse_look_around(parser, "(?=", false);
    case '!':
        return parse_look_around(parser, "(?!", false);
    case '(':
        return parse_conditional(parser, width);
    case '<':
        if (parser_match(parser, '='))
            return parse_look_around(parser, "(?<=", true);
        if (parser_match(parser, '!'))
            return parse_look_around(parser, "(?<!", true);
        if (parser->at == parser->end)
            return parser_invalid(parser, "unexpected end of pattern");
        parser_take_character(parser);
        break;
    default:
        break;
    }
    return parser_fail(parser, PYTHON_REGEX_ERROR_INVALID, "unknown extension ?%.*s",
                       (int)(parser->at - start), start);
}

bool parser_group(Parser *parser, Width *width, Item *item)
{
    return parser_match(parser, '?') ? parse_extension(parser, width, item)
                                     : parse_capture(parser, NULL, width);
}
