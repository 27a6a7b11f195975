/* SPDX-License-Identifier: Apache-2.0 */
#include "config/list.h"

#include "config/python_text.h"

#include <string.h>

/* Deep enough for a list of dictionaries of lists; bounds the recursion. */
#define MAX_DEPTH 16

typedef struct {
    Bytes rest;
    char *reason; /* of the first problem */
} Scanner;

static bool refuse(Scanner *scanner, const char *reason)
{
    if (!scanner->reason)
        scanner->reason = g_strdup(reason);
    return false;
}

static int peek(const Scanner *scanner)
{
    return scanner->rest.size > 0 ? scanner->rest.data[0] : -1;
}

static void skip(Scanner *scanner, size_t size)
{
    scanner->rest = bytes_of(scanner->rest.data + size, scanner->rest.size - size);
}

static bool take(Scanner *scanner, int expected)
{
    if (peek(scanner) != expected)
        return false;
    skip(scanner, 1);
    return true;
}

/* Blanks, line ends and, between elements, comments up to the end of their line. */
static void skip_blanks(Scanner *scanner)
{
    for (;;) {
        int next = peek(scanner);
        if (next == '#') {
            while (peek(scanner) != -1 && peek(scanner) != '\n')
                skip(scanner, 1);
        } else if (next == ' ' || (next >= '\t' && next <= '\r')) {
            skip(scanner, 1);
        } else {
            return;
        }
    }
}

/* `count` hexadecimal digits of \x, \u, \U. */
static bool scan_hex(Scanner *scanner, unsigned count, GString *out)
{
    gunichar code = 0;
    for (unsigned i = 0; i < count; i++) {
        int digit = peek(scanner) < 0 ? -1 : g_ascii_xdigit_value((char)peek(scanner));
        if (digit < 0)
            return refuse(scanner, "incomplete \\x, \\u or \\U escape in a string");
        code = code * 16 + (gunichar)digit;
        skip(scanner, 1);
    }
    if (code == 0 || !g_unichar_validate(code))
        return refuse(scanner, "escape of no character in a string");
    g_string_append_unichar(out, code);
    return true;
}

static bool scan_octal(Scanner *scanner, int first, GString *out)
{
    gunichar code = (gunichar)(first - '0');
    for (int i = 0; i < 2 && peek(scanner) >= '0' && peek(scanner) <= '7'; i++) {
        code = code * 8 + (gunichar)(peek(scanner) - '0');
        skip(scanner, 1);
    }
    if (code == 0)
        return refuse(scanner, "escape of no character in a string");
    g_string_append_unichar(out, code);
    return true;
}

/* What follows a backslash. An unknown escape stays as it is written, as in Python. */
static bool scan_escape(Scanner *scanner, GString *out)
{
    static const char letters[] = "abfnrtv\\'\"";
    static const char meanings[] = "\a\b\f\n\r\t\v\\'\"";
    int next = peek(scanner);
    if (next == -1)
        return refuse(scanner, "string without closing quote");
    skip(scanner, 1);
    if (next == '\n')
        return true;
    if (next == 'x')
        return scan_hex(scanner, 2, out);
    if (next == 'u')
        return scan_hex(scanner, 4, out);
    if (next == 'U')
        return scan_hex(scanner, 8, out);
    if (next >= '0' && next <= '7')
        return scan_octal(scanner, next, out);
    const char *letter = memchr(letters, next, sizeof letters - 1);
    if (letter) {
        g_string_append_c(out, meanings[letter - letters]);
    } else {
        g_string_append_c(out, '\\');
        g_string_append_c(out, (char)next);
    }
    return true;
}

static bool scan_string(Scanner *scanner, GString *out)
{
    int quote = peek(scanner);
    skip(scanner, 1);
    for (;;) {
        int next = peek(scanner);
        if (next == -1 || next == '\n')
            return refuse(scanner, "string without closing quote");
        skip(scanner, 1);
        if (next == quote)
            return true;
        if (next != '\\')
            g_string_append_c(out, (char)next);
        else if (!scan_escape(scanner, out))
            return false;
    }
}

static bool is_quote(int c)
{
    return c == '\'' || c == '"';
}

/* Strings that stand side by side are one, as in Python. */
static bool scan_strings(Scanner *scanner, GString *out)
{
    while (is_quote(peek(scanner))) {
        if (!scan_string(scanner, out))
            return false;
        skip_blanks(scanner);
    }
    return true;
}

/* A number, True, None, or a bare word; in lists without brackets blanks separate, too. */
static bool scan_word(Scanner *scanner, const char *ends, GString *out)
{
    for (int next = peek(scanner); next != -1 && !strchr(ends, next); next = peek(scanner)) {
        if (is_quote(next))
            return refuse(scanner, "quote inside a word");
        g_string_append_c(out, (char)next);
        skip(scanner, 1);
    }
    return out->len > 0 ? true : refuse(scanner, "element missing");
}

static bool skip_value(Scanner *scanner, unsigned depth, GString *text);

/* Members of a nested list, tuple or dictionary up to and including `close`; only checked. */
static bool skip_members(Scanner *scanner, int close, unsigned depth)
{
    if (depth >= MAX_DEPTH)
        return refuse(scanner, "nested too deeply");
    bool dictionary = close == '}';
    skip_blanks(scanner);
    while (!take(scanner, close)) {
        if (!skip_value(scanner, depth + 1, NULL))
            return false;
        if (dictionary) {
            if (!take(scanner, ':'))
                return refuse(scanner, "':' missing in a dictionary");
            skip_blanks(scanner);
            if (!skip_value(scanner, depth + 1, NULL))
                return false;
        }
        if (!take(scanner, ',') && peek(scanner) != close)
            return refuse(scanner, "',' or closing bracket missing");
        skip_blanks(scanner);
    }
    return true;
}

/*
 * One value and the blanks after it. `text` receives a string's content, or the source text of
 * anything else; NULL = only check.
 */
static bool skip_value(Scanner *scanner, unsigned depth, GString *text)
{
    g_autoptr(GString) content = g_string_new(NULL);
    Bytes start = scanner->rest;
    int first = peek(scanner);
    bool good;
    bool is_string = is_quote(first);
    if (is_string) {
        good = scan_strings(scanner, content);
    } else if (first == '[' || first == '{' || first == '(') {
        skip(scanner, 1);
        good = skip_members(scanner, first == '[' ? ']' : first == '{' ? '}' : ')', depth);
    } else {
        /* At depth 0 a bare word may hold ':' (an IPv6 address, a URL). */
        good = scan_word(scanner, depth == 0 ? ",[]{}()\n" : ",:[]{}()\n", content);
    }
    if (!good)
        return false;
    size_t size = start.size - scanner->rest.size;
    if (text && is_string)
        g_string_append_len(text, content->str, (gssize)content->len);
    else if (text)
        g_string_append_len(text, (const char *)start.data, (gssize)size);
    skip_blanks(scanner);
    return true;
}

static void add_element(GPtrArray *elements, const GString *text)
{
    g_ptr_array_add(elements, python_text_copy(python_strip(bytes_of(text->str, text->len))));
}

/* `[ ... ]`: the opening bracket is taken. */
static bool scan_bracketed(Scanner *scanner, GPtrArray *elements)
{
    skip_blanks(scanner);
    while (!take(scanner, ']')) {
        g_autoptr(GString) text = g_string_new(NULL);
        if (!skip_value(scanner, 0, text))
            return false;
        add_element(elements, text);
        if (!take(scanner, ',') && peek(scanner) != ']')
            return refuse(scanner, "',' or ']' missing");
        skip_blanks(scanner);
    }
    skip_blanks(scanner);
    return peek(scanner) == -1 ? true : refuse(scanner, "text after the closing ']'");
}

static bool scan_bare(Scanner *scanner, GPtrArray *elements)
{
    skip_blanks(scanner);
    while (peek(scanner) != -1) {
        g_autoptr(GString) text = g_string_new(NULL);
        bool good = is_quote(peek(scanner)) ? scan_string(scanner, text)
                                            : scan_word(scanner, ", \t\n\v\f\r[]{}()", text);
        if (!good)
            return false;
        add_element(elements, text);
        skip_blanks(scanner);
        if (take(scanner, ','))
            skip_blanks(scanner);
    }
    return true;
}

char **list_parse(Bytes text, char **reason)
{
    Scanner scanner = {0};
    g_autoptr(GPtrArray) elements = g_ptr_array_new_with_free_func(g_free);
    bool good;
    if (text.size > 0 && (memchr(text.data, 0, text.size) ||
                          !g_utf8_validate((const char *)text.data, (gssize)text.size, NULL))) {
        good = refuse(&scanner, "not valid UTF-8 text");
    } else {
        Bytes stripped = python_strip(python_strip_quotes(text));
        scanner.rest = stripped;
        if (take(&scanner, '[')) {
            good = scan_bracketed(&scanner, elements);
        } else {
            scanner.rest = python_strip(text);
            good = stripped.size == 0 || scan_bare(&scanner, elements);
        }
    }
    if (!good) {
        *reason = g_steal_pointer(&scanner.reason);
        return NULL;
    }
    g_ptr_array_set_free_func(elements, NULL);
    g_ptr_array_add(elements, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&elements), FALSE);
}
