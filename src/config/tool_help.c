/* SPDX-License-Identifier: Apache-2.0 */
#include "config/tool.h"
#include "config/wrapped_text.h"

#include <string.h>

/* Lines with `indent` before each. */
static void print_lines(FILE *out, const char *indent, const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i]; i++)
        fprintf(out, "%s%s\n", lines[i][0] ? indent : "", lines[i]);
}

static void print_paragraphs(FILE *out, const char *text)
{
    g_auto(GStrv) paragraphs = g_strsplit(text, "\n", -1);
    for (guint i = 0; paragraphs[i]; i++) {
        fputc('\n', out);
        wrapped_text_print(out, 0, "", paragraphs[i]);
    }
}

static void print_usage(const Tool *tool, const ToolCommand *command, FILE *out)
{
    if (command) {
        fprintf(out, "Usage: %s %s [OPTION...]%s%s\n", tool->name, command->name,
                command->words ? " " : "", command->words ? command->words : "");
        return;
    }
    g_auto(GStrv) lines = g_strsplit(tool->synopsis, "\n", -1);
    for (guint i = 0; lines[i]; i++)
        fprintf(out, "%s%s %s\n", i == 0 ? "Usage: " : "       ", tool->name, lines[i]);
}

static void print_commands(const Tool *tool, FILE *out)
{
    const char *group = NULL;
    const ToolCommand *command;
    for (guint i = 0; (command = tool->command_at(i)); i++) {
        if (!command->summary)
            continue;
        if (g_strcmp0(group, command->group) != 0)
            fprintf(out, "\n%s:\n", command->group);
        group = command->group;
        fprintf(out, "  %-21s  %s\n", command->name, command->summary);
    }
}

static void print_option(const ToolOption *option, FILE *out)
{
    bool maybe = option->kind == TOOL_OPTIONAL;
    fprintf(out, "  %s%s%s%s%s", option->brief ? option->brief : "   ", option->brief ? ", " : " ",
            option->full, option->alias ? ", " : "", option->alias ? option->alias : "");
    if (option->value)
        fprintf(out, maybe ? " [%s]" : " %s", option->value);
    g_autoptr(GString) text = g_string_new(option->help);
    if (option->words) {
        g_auto(GStrv) words = g_strsplit(option->words, " ", -1);
        g_autofree char *joined = g_strjoinv(", ", words);
        g_string_append_printf(text, " One of: %s.", joined);
    }
    if (option->kind == TOOL_REPEATED)
        g_string_append(text, " May be repeated.");
    if (option->default_text)
        g_string_append_printf(text, " Default: %s.", option->default_text);
    fputc('\n', out);
    wrapped_text_print(out, 10, "", text->str);
}

/* Of the whole program every option, of a command those that are for it. */
static void print_options(const ToolOption *options, const ToolCommand *command, FILE *out)
{
    const char *group = NULL;
    for (const ToolOption *option = options; option && option->full; option++) {
        if (command && (option->rare || !tool_option_is_for(option, command->name)))
            continue;
        if (g_strcmp0(group, option->group) != 0)
            fprintf(out, "\n%s:\n", option->group);
        group = option->group;
        print_option(option, out);
    }
}

static void print_examples(const char *examples, FILE *out)
{
    if (!examples)
        return;
    fputs("\nExamples:\n", out);
    print_lines(out, "  ", examples);
}

static void print_command_help(const Tool *tool, const ToolCommand *command, FILE *out)
{
    fprintf(out, "\n%c%s.\n", g_ascii_toupper(command->summary[0]), command->summary + 1);
    if (command->details)
        print_paragraphs(out, command->details);
    if (command->json) {
        g_autofree char *text = g_strconcat("With --json: ", command->json, NULL);
        print_paragraphs(out, text);
    }
    print_options(command->options, NULL, out);
    print_options(tool->options, command, out);
    print_examples(command->examples, out);
}

void tool_print_help(const Tool *tool, const ToolCommand *command, FILE *out)
{
    print_usage(tool, command, out);
    if (command) {
        print_command_help(tool, command, out);
        return;
    }
    fputc('\n', out);
    wrapped_text_print(out, 0, "", tool->summary);
    if (tool->command_at)
        print_commands(tool, out);
    print_options(tool->options, NULL, out);
    print_examples(tool->examples, out);
    if (tool->notes)
        print_paragraphs(out, tool->notes);
}
