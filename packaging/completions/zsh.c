/* SPDX-License-Identifier: Apache-2.0 */
#include "completions/completions.h"

#include <string.h>

/* Text inside [...] of an option's specification, inside single quotes. */
static void append_zsh_text(GString *out, const char *text)
{
    for (; *text; text++) {
        if (strchr("[]:\\", *text))
            g_string_append_c(out, '\\');
        if (*text == '\'')
            g_string_append(out, "'\\''");
        else
            g_string_append_c(out, *text);
    }
}

static void append_zsh_action(GString *out, const char *value, const char *words)
{
    if (words)
        g_string_append_printf(out, "(%s)", words);
    else if (g_strcmp0(value, "FILE") == 0)
        g_string_append(out, "_files");
    else if (g_strcmp0(value, "DIR") == 0)
        g_string_append(out, "_files -/");
    else if (g_strcmp0(value, "COMMAND") == 0)
        g_string_append(out, "->command");
    else
        g_string_append_c(out, ' ');
}

/* '(-u --uuid)-u[help]:ID: ' and the same for each other name. */
static void append_zsh_option(const ToolOption *option, GString *out)
{
    const char *name;
    g_autoptr(GString) names = g_string_new(NULL);
    append_names(option, names);
    for (guint i = 0; (name = name_at(option, i)); i++) {
        bool repeated = option->kind == TOOL_REPEATED;
        g_string_append(out, "        '");
        if (repeated)
            g_string_append_c(out, '*');
        else
            g_string_append_printf(out, "(%s)", names->str + 1);
        bool takes = option->kind != TOOL_FLAG;
        g_string_append_printf(out, "%s%s[", name,
                               takes && g_str_has_prefix(name, "--") ? "=" : "");
        append_zsh_text(out, option->help);
        g_string_append_c(out, ']');
        if (takes) {
            g_string_append(out, option->kind == TOOL_OPTIONAL ? "::" : ":");
            append_zsh_text(out, option->value ? option->value : "value");
            g_string_append_c(out, ':');
            append_zsh_action(out, option->value, option->words);
        }
        g_string_append(out, "'\n");
    }
}

static void append_zsh_descriptions(const Tool *tool, GString *out)
{
    const ToolCommand *command;
    g_string_append(out, "    commands=(\n");
    for (guint i = 0; (command = command_at(tool, i)); i++) {
        if (command->same_as)
            continue;
        g_string_append(out, "        '");
        append_zsh_text(out, command->name);
        g_string_append_c(out, ':');
        append_zsh_text(out, command->summary);
        g_string_append(out, "'\n");
    }
    g_string_append(out, "    )\n");
}

static void append_zsh_commands(const Tool *tool, GString *out)
{
    const ToolCommand *command;
    g_string_append(out, "    case $command in\n");
    for (guint i = 0; (command = command_at(tool, i)); i++) {
        const ToolCommand *meant = command_meant(tool, command);
        g_string_append_printf(out, "    '%s') options+=(\n", command->name);
        visit_options(tool, meant, append_zsh_option, out);
        if (meant->words)
            g_string_append_printf(out, "        '*:file:%s'\n",
                                   strcmp(meant->words, "DIR") == 0 ? "_files -/" : "_files");
        g_string_append(out, "        ) ;;\n");
    }
    g_string_append(out, "    esac\n");
}

/* Commands of one word are offered with what they do; -c names one, too. */
static const char zsh_one_word[] =
    "    integer i\n"
    "    (( CURRENT > 2 )) && [[ $words[2] != -* ]] && command=$words[2]\n"
    "    for (( i = 2; i + 1 < CURRENT; i++ )); do\n"
    "        [[ $words[i] == (-c|--command) ]] && command=$words[i+1]\n"
    "    done\n"
    "    if [[ -z $command ]]; then\n"
    "        options+=( '1: :->command' )\n"
    "    elif [[ $words[2] == $command ]]; then\n"
    "        shift words\n"
    "        (( CURRENT -= 1 ))\n"
    "    fi\n";
static const char zsh_two_words[] = "    local action\n"
                                    "    (( CURRENT > 2 )) && action=$words[2]\n"
                                    "    (( CURRENT > 3 )) && command=\"$words[2] $words[3]\"\n"
                                    "    if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then\n"
                                    "        compadd -- ${(u)${(@)commands%%:*}%% *}\n"
                                    "        return\n"
                                    "    elif (( CURRENT == 3 )) && [[ $words[3] != -* ]]; then\n"
                                    "        compadd -- ${${(M)${(@)commands%%:*}:#$action *}#* }\n"
                                    "        return\n"
                                    "    fi\n"
                                    "    if [[ -n $command ]]; then\n"
                                    "        shift 2 words\n"
                                    "        (( CURRENT -= 2 ))\n"
                                    "    fi\n";

void print_zsh(const Tool *tool, GString *out)
{
    g_autofree char *programs = programs_of(tool);
    g_string_append_printf(out,
                           "#compdef %s\n# zsh completion of %s, made from its tables of commands "
                           "and options.\n\n_%s() {\n    local command state context line\n"
                           "    local -a commands options\n    local -A opt_args\n    options=(\n",
                           programs, tool->name, tool->name);
    visit_options(tool, NULL, append_zsh_option, out);
    g_string_append(out, "    )\n");
    if (tool->command_at) {
        append_zsh_descriptions(tool, out);
        g_string_append(out, has_two_words(tool) ? zsh_two_words : zsh_one_word);
        append_zsh_commands(tool, out);
    }
    g_string_append(out, "    _arguments -C $options\n");
    if (tool->command_at && !has_two_words(tool))
        g_string_append(out, "    [[ $state == command ]] && _describe command commands\n");
    g_string_append_printf(out, "}\n\n_%s \"$@\"\n", tool->name);
}
