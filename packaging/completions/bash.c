/* SPDX-License-Identifier: Apache-2.0 */
#include "completions/completions.h"

#include <string.h>

/* What completes the value, as shell; NULL = nothing does. */
static char *bash_value(const Tool *tool, const ToolOption *option)
{
    if (option->words)
        return g_strdup_printf("-W '%s'", option->words);
    if (g_strcmp0(option->value, "COMMAND") == 0) {
        g_autofree char *words = command_words(tool, "");
        return g_strdup_printf("-W '%s'", words);
    }
    if (g_strcmp0(option->value, "FILE") == 0)
        return g_strdup("-f");
    return g_strcmp0(option->value, "DIR") == 0 ? g_strdup("-d") : NULL;
}

static void append_case(const Tool *tool, const ToolOption *option, GString *out)
{
    if (option->kind == TOOL_FLAG)
        return;
    g_autofree char *value = bash_value(tool, option);
    const char *name, *separator = "        ";
    for (guint i = 0; (name = name_at(option, i)); i++, separator = "|")
        g_string_append_printf(out, "%s%s", separator, name);
    g_string_append_printf(out, ") value=%s%s%s ;;\n", value ? "\"" : "none", value ? value : "",
                           value ? "\"" : "");
}

/* One `case` for the values of all options: a command's may differ from another's. */
static void append_values(const Tool *tool, const ToolOption *options, GString *out)
{
    for (const ToolOption *option = options; option && option->full; option++)
        append_case(tool, option, out);
}

static void append_bash_commands(const Tool *tool, GString *out)
{
    const ToolCommand *command;
    g_string_append(out, "    case $command in\n");
    for (guint i = 0; (command = command_at(tool, i)); i++) {
        const ToolCommand *meant = command_meant(tool, command);
        g_string_append_printf(out, "    '%s')\n        options+='", command->name);
        visit_options(tool, meant, append_names, out);
        g_string_append(out, "'\n");
        if (meant->words)
            g_string_append_printf(out, "        words=%s\n",
                                   strcmp(meant->words, "DIR") == 0 ? "-d" : "-f");
        if (meant->options) {
            g_string_append(out, "        case $previous in\n");
            append_values(tool, meant->options, out);
            g_string_append(out, "        esac\n");
        }
        g_string_append(out, "        ;;\n");
    }
    g_string_append(out, "    esac\n");
}

/* Words that are no options, in their order, make the command; -c names it, too. */
static const char bash_head[] =
    "# bash completion of %s, made from its tables of commands and options.\n"
    "\n"
    "%s()\n"
    "{\n"
    "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
    "    local command='' words='' value='' options='' i\n"
    "    COMPREPLY=()\n"
    "    # \"--option=value\" comes as three words.\n"
    "    [[ $current == '=' ]] && current=''\n"
    "    [[ $previous == '=' && COMP_CWORD -ge 2 ]] && previous=${COMP_WORDS[COMP_CWORD - 2]}\n";

static const char bash_find_command[] = "    for ((i = 1; i < COMP_CWORD && i <= %u; i++)); do\n"
                                        "        [[ ${COMP_WORDS[i]} == -* ]] && break\n"
                                        "        command+=${command:+ }${COMP_WORDS[i]}\n"
                                        "    done\n";

static const char bash_find_option[] =
    "    for ((i = 1; i + 1 < COMP_CWORD; i++)); do\n"
    "        [[ ${COMP_WORDS[i]} == -c || ${COMP_WORDS[i]} == --command ]] && "
    "command=${COMP_WORDS[i + 1]}\n"
    "    done\n";

static const char bash_tail[] =
    "    if [[ $value == none ]]; then\n"
    "        return\n"
    "    elif [[ -n $value ]]; then\n"
    "        words=$value\n"
    "    elif [[ $current == -* ]]; then\n"
    "        words=\"-W '$options'\"\n"
    "    fi\n"
    "    [[ -n $words ]] || return\n"
    "    [[ $words == -f || $words == -d ]] && compopt -o filenames 2>/dev/null\n"
    "    mapfile -t COMPREPLY < <(eval \"compgen $words -- \\\"\\$current\\\"\")\n"
    "}\n"
    "complete -F %s %s\n";

static void append_bash_words(const Tool *tool, GString *out)
{
    const ToolCommand *command;
    g_autofree char *first = command_words(tool, "");
    g_string_append_printf(out, "    case $command in\n    '') words=\"-W '%s'\" ;;\n", first);
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; has_two_words(tool) && (command = command_at(tool, i)); i++) {
        char *action = g_strndup(command->name, strcspn(command->name, " "));
        g_autofree char *prefix = g_strconcat(action, " ", NULL);
        g_autofree char *words = command_words(tool, prefix);
        bool is_new = !g_hash_table_contains(seen, action);
        if (is_new)
            g_string_append_printf(out, "    '%s') words=\"-W '%s'\" ;;\n", action, words);
        g_hash_table_add(seen, action);
    }
    g_string_append(out, "    esac\n");
}

void print_bash(const Tool *tool, GString *out)
{
    g_autofree char *function = g_strdup_printf("_%s", tool->name);
    g_strdelimit(function, "-", '_');
    g_string_append_printf(out, bash_head, tool->name, function);
    if (tool->command_at) {
        g_string_append_printf(out, bash_find_command, has_two_words(tool) ? 2u : 1u);
        if (!has_two_words(tool))
            g_string_append(out, bash_find_option);
        append_bash_words(tool, out);
    }
    g_string_append(out, "    options='");
    visit_options(tool, NULL, append_names, out);
    g_string_append(out, "'\n    case $previous in\n");
    append_values(tool, tool->options, out);
    g_string_append(out, "    esac\n");
    if (tool->command_at)
        append_bash_commands(tool, out);
    g_autofree char *programs = programs_of(tool);
    g_string_append_printf(out, bash_tail, function, programs);
}
