/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completions of one program for one shell, from the tables that the program itself reads its
 * command line by.
 *
 * A program's words are those of its commands (of one or two words), and the options of all
 * commands and of each. What an option's value may be follows from its row: one of `words`, a FILE,
 * a DIR, a COMMAND; anything else is left to the person.
 */
#pragma once

#include "config/tool.h"

void print_bash(const Tool *tool, GString *out);
void print_zsh(const Tool *tool, GString *out);

/* --- what the rows say: texts are newly allocated --------------------------------------------- */

/* The names that the program is called by, with blanks between: the agent has two (contract C7). */
char *programs_of(const Tool *tool);
/* NULL past the end, and for a tool without commands. */
const ToolCommand *command_at(const Tool *tool, guint index);
/* "create runtime" */
bool has_two_words(const Tool *tool);
/* First words behind `prefix` ("create ") of all commands but the old names of others; each once.
 */
char *command_words(const Tool *tool, const char *prefix);
/* The command that an old name stands for, or itself. */
const ToolCommand *command_meant(const Tool *tool, const ToolCommand *command);
/* NULL past the end. */
const char *name_at(const ToolOption *option, guint index);
/* Each name with a blank before it. */
void append_names(const ToolOption *option, GString *out);

typedef void (*Visit)(const ToolOption *option, GString *out);
/* Those of one command alone; `command` NULL: those that are for every command. */
void visit_options(const Tool *tool, const ToolCommand *command, Visit visit, GString *out);
