/* SPDX-License-Identifier: Apache-2.0 */
#include "completions/completions.h"

#include <string.h>

const ToolCommand *command_at(const Tool *tool, guint index)
{
    return tool->command_at ? tool->command_at(index) : NULL;
}

bool has_two_words(const Tool *tool)
{
    return tool->command_at && strchr(tool->command_at(0)->name, ' ');
}

char *command_words(const Tool *tool, const char *prefix)
{
    const ToolCommand *command;
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; (command = command_at(tool, i)); i++) {
        if (command->same_as || !g_str_has_prefix(command->name, prefix))
            continue;
        const char *rest = command->name + strlen(prefix);
        char *word = g_strndup(rest, strcspn(rest, " "));
        if (g_ptr_array_find_with_equal_func(words, word, g_str_equal, NULL))
            g_free(word);
        else
            g_ptr_array_add(words, word);
    }
    g_ptr_array_add(words, NULL);
    return g_strjoinv(" ", (char **)words->pdata);
}

void visit_options(const Tool *tool, const ToolCommand *command, Visit visit, GString *out)
{
    for (const ToolOption *option = tool->options; option && option->full; option++)
        if (command ? option->commands && tool_option_is_for(option, command->name)
                    : !option->commands)
            visit(option, out);
    for (const ToolOption *option = command ? command->options : NULL; option && option->full;
         option++)
        visit(option, out);
}

const char *name_at(const ToolOption *option, guint index)
{
    const char *names[] = {option->full, option->alias, option->brief};
    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        if (names[i] && index-- == 0)
            return names[i];
    return NULL;
}

char *programs_of(const Tool *tool)
{
    if (strcmp(tool->name, "keylime_push_model_agent") == 0)
        return g_strdup_printf("%s keylime-push-model-agent", tool->name);
    return g_strdup(tool->name);
}

void append_names(const ToolOption *option, GString *out)
{
    const char *name;
    for (guint i = 0; (name = name_at(option, i)); i++)
        g_string_append_printf(out, " %s", name);
}

const ToolCommand *command_meant(const Tool *tool, const ToolCommand *command)
{
    return command->same_as ? tool_find_command(tool, command->name) : command;
}
