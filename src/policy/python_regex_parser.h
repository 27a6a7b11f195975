/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the translation share (policy/python_regex.h): the reader of an expression and
 * the writer of its translation. python_regex.c knows alternatives, sequences and repetitions;
 * python_regex_group.c knows what parentheses mean and what refers to groups; python_regex_atom.c
 * knows characters, escapes and sets.
 */
#pragma once

#include "policy/python_regex.h"

enum {
    FLAG_IGNORECASE = 1,
    FLAG_MULTILINE = 2,
    FLAG_DOTALL = 4,
    FLAG_VERBOSE = 8,
    FLAG_ASCII = 16
};

/* Characters that a part can match, at least and at most. */
typedef struct {
    guint64 min, max;
} Width;
#define WIDTH_UNBOUNDED G_MAXUINT32
Width width_either(Width a, Width b);

/* Opens a group that captures only if anything refers to groups: capturing costs each match. No
 * other control character is ever written. */
#define OPEN_GROUP "(\x01"
/* PCRE2's largest repetition. */
#define MAX_REPEAT 65535

typedef struct {
    char *name; /* NULL without one */
    Width width;
    bool closed;
} Group;

typedef struct {
    const char *at, *end; /* the rest of the expression, UTF-8 */
    GString *out;
    GString *sample;   /* a text that what was read so far is likely to match */
    GPtrArray *probes; /* of GBytes */
    GArray *groups;    /* of Group; group 1 is element 0 */
    guint highest_reference;
    guint look_behind_groups; /* in a look-behind: groups before it + 1; 0 outside */
    unsigned flags, depth;
    GError **error;
} Parser;

/* Python's unit of reading: a character, or a backslash with the character after it. */
typedef struct {
    gunichar c;
    bool escaped, end;
} Token;

/* What an item of a sequence is to a repetition that follows it. */
typedef enum { ITEM_NONE, ITEM_POSITION, ITEM_REPEATED, ITEM_ATOM } Item;

/* Always false. The text is the reason alone. */
bool parser_fail(Parser *parser, PythonRegexError code, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
bool parser_invalid(Parser *parser, const char *reason);
/* There must be one. */
gunichar parser_take_character(Parser *parser);
bool parser_next_is(const Parser *parser, char c);
/* False for a backslash at the very end, with its error; the token at the end has `end`. */
bool parser_next(Parser *parser, Token *token);
/* Takes the character when it is the next one, unescaped. */
bool parser_match(Parser *parser, char c);
/* Alternatives up to the parenthesis that closes them, or the end; one of them. */
bool parser_alternatives(Parser *parser, Width *width);
bool parser_sequence(Parser *parser, Width *width);

/* The rest of what stands in parentheses, the first of which was taken. */
bool parser_group(Parser *parser, Width *width, Item *item);
/* Flags for the whole expression, which only its very start may hold. */
bool parser_global_flags(Parser *parser);
/* `name` is handed over, NULL for none. */
bool parser_open_group(Parser *parser, char *name, guint *number);
void parser_close_group(Parser *parser, guint number, Width width);
/* A reference to this group is allowed here; otherwise the error is set. */
bool parser_check_reference(Parser *parser, guint group);

/* Writes a character that stands for itself. */
void parser_literal(Parser *parser, gunichar c);
/* A back-reference to a group that was checked. */
void parser_reference(Parser *parser, guint group, Width *width);
/* The rest of an escape whose token was taken. */
bool parser_escape(Parser *parser, gunichar c, Width *width, Item *item);
/* The rest of a set whose "[" was taken. */
bool parser_set(Parser *parser, Width *width);
