/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of a tool, a program with commands: keylime_tenant, keylime_ca, keylime-policy.
 * Commands and options are tables; reading the words, --help and the completions of the shells
 * (packaging/completions.c) are made from them. The habits are those of upstream's argparse:
 * `-u ID`, `-uID`, `--uuid ID`, `--uuid=ID`, unambiguous abbreviations of long options, short
 * options of several letters, flags of one letter together.
 */
#pragma once

#include "base/json.h"

#include <stdio.h>

/* Of an option that may be repeated. */
#define TOOL_MAX_REPEATS 64
/* Words that are neither options nor their values. */
#define TOOL_MAX_WORDS 8

typedef enum {
    TOOL_FLAG,     /* the member is a bool */
    TOOL_TEXT,     /* const char * */
    TOOL_REPEATED, /* const char *[TOOL_MAX_REPEATS + 1], ends with NULL */
    TOOL_OPTIONAL, /* const char *; without a value it is `implied` */
} ToolOptionKind;

typedef struct {
    const char *brief, *full, *alias; /* "-u", "--uuid"; NULL = none; `full` is always there */
    ToolOptionKind kind;
    size_t offset;            /* of the member, in the struct that tool_parse() fills */
    const char *value;        /* its name in --help; FILE, DIR and COMMAND are completed as such */
    const char *help;         /* sentences */
    const char *default_text; /* what holds without it; NULL = nothing */
    const char *words;        /* the only values, with blanks between; NULL = any */
    const char *commands;     /* those that it is for, with blanks between; NULL = all */
    const char *group;        /* heading in --help */
    const char *implied;
    bool rare; /* in --help of the whole program only */
} ToolOption;

/* The first members of a row, for a member of `struct_`. */
#define TOOL_OPTION(struct_, kind_, brief_, full_, member_, value_)                                \
    .brief = brief_, .full = full_, .kind = kind_, .offset = G_STRUCT_OFFSET(struct_, member_),    \
    .value = value_

typedef struct {
    const char *name;          /* "add"; "create runtime" */
    const char *group;         /* heading in the list of commands */
    const char *summary;       /* one line; NULL: an old name of another command, listed nowhere */
    const char *same_as;       /* that other command */
    const char *details;       /* paragraphs for COMMAND --help; NULL = none */
    const char *json;          /* what --json prints; NULL = there is no --json */
    const char *examples;      /* lines */
    const char *words;         /* behind the name: FILE, DIR complete paths; NULL = none */
    const ToolOption *options; /* of this command alone, ends with `full` NULL; NULL = none */
} ToolCommand;

typedef struct {
    const char *name;     /* of the program */
    const char *synopsis; /* lines of the usage, without the program's name, with \n between */
    const char *summary;
    const ToolOption *options; /* of all commands; ends with `full` NULL; NULL = none */
    const ToolCommand *(*command_at)(guint index); /* NULL past the end; NULL = no commands */
    const char *examples;                          /* lines */
    const char *notes;                             /* paragraphs at the end of --help */
} Tool;

/* NULL: there is no such command. */
const ToolCommand *tool_find_command(const Tool *tool, const char *name);
bool tool_option_is_for(const ToolOption *option, const char *command);

typedef struct {
    const char *word[TOOL_MAX_WORDS];
    guint count;
} ToolWords;

#define TOOL_ERROR (tool_error_quark())
GQuark tool_error_quark(void);

/*
 * Read argv[1] and so on by the options of the tool and of the command (NULL = none) into `out`,
 * which is zeroed by the caller; words that belong to no option go into `words`. Texts borrow from
 * argv. False: a usage error (exit status 2).
 */
bool tool_parse(const Tool *tool, const ToolCommand *command, int argc, char **argv, void *out,
                ToolWords *words, GError **error);
/* The same for a tool whose command is the value of an option, `*command` in `out`, or the only
 * word.
 */
bool tool_parse_command(const Tool *tool, int argc, char **argv, void *out, const char **command,
                        GError **error);
/* Those of `options` that were given and are not for `command`: "--key and --file", NULL = none.
 * Newly allocated. */
char *tool_useless_options(const ToolOption *options, const char *command, const void *parsed);

/* `command` NULL: of the whole program, with the list of commands. */
void tool_print_help(const Tool *tool, const ToolCommand *command, FILE *out);

/* --- --json: one document on standard output -------------------------------------------------- */

/* Whether --json is among the words: asked where they could not be read. */
bool tool_wants_json(int argc, char **argv);
/* {"message": ..., "exit_status": ...}: the member `error` of a failure's document. New reference.
 */
Json *tool_json_error(const char *message, int status);
/* A line, with Python's blanks. False: standard output does not take it. */
bool tool_print_json(Json *document, GError **error);
/* Flushes standard output: false, with a sentence, when something of it was lost. */
bool tool_end_output(GError **error);
