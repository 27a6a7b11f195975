/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the completions of one program for one shell while building. */
#include "agent/options.h"
#include "ca/commands.h"
#include "completions/completions.h"
#include "ima-emulator/arguments.h"
#include "policy-tool/command.h"
#include "registrar/settings.h"
#include "tenant/commands.h"
#include "verifier/settings.h"

#include <string.h>

/* --- daemons as tools ----------------------------------------------------------------------------
 */

static ToolOption option_of(const Option *option)
{
    return (ToolOption){
        .brief = option->flag_short ? g_strdup_printf("-%c", option->flag_short) : NULL,
        .full = g_strconcat("--", option->flag, NULL),
        .kind = option->type == OPTION_BOOL ? TOOL_FLAG : TOOL_TEXT,
        .value = option->flag_value,
        .help = option->help,
    };
}

/* The flags of the option table, and those that every daemon has (config/command_line.h). */
static Tool tool_of(const ConfigSchema *schema)
{
    static const ToolOption shared[] = {
        {.full = "--check-config", .help = "Show every option, its source, and every problem."},
        {.full = "--json", .help = "With --check-config: as one JSON object."},
        {.full = "--example-config", .help = "Print a configuration file with all options."},
        {.brief = "-h", .full = "--help", .help = "Show the options."},
        {.brief = "-V", .full = "--version", .help = "Show the version."},
        {0},
    };
    GArray *options = g_array_new(TRUE, TRUE, sizeof(ToolOption));
    for (const Option *option = schema->options; option->name; option++) {
        if (!option->flag)
            continue;
        ToolOption row = option_of(option);
        g_array_append_val(options, row);
    }
    g_array_append_vals(options, shared, G_N_ELEMENTS(shared) - 1);
    return (Tool){.name = schema->program,
                  .options = (const ToolOption *)(void *)g_array_free(options, FALSE)};
}

int main(int argc, char **argv)
{
    static Tool daemons[3]; /* static: what they hold lives as long as the process */
    daemons[0] = tool_of(&verifier_schema);
    daemons[1] = tool_of(&registrar_schema);
    daemons[2] = tool_of(&agent_schema);
    const Tool *const tools[] = {&tenant_tool, &ca_tool,    &policy_tool, &emulator_tool,
                                 &daemons[0],  &daemons[1], &daemons[2]};
    g_autoptr(GString) out = g_string_new(NULL);
    for (size_t i = 0; argc == 3 && i < G_N_ELEMENTS(tools); i++) {
        if (strcmp(argv[1], tools[i]->name) != 0)
            continue;
        if (strcmp(argv[2], "bash") == 0)
            print_bash(tools[i], out);
        else if (strcmp(argv[2], "zsh") == 0)
            print_zsh(tools[i], out);
        fputs(out->str, stdout);
        return out->len > 0 ? 0 : 2;
    }
    fprintf(stderr, "usage: completions PROGRAM bash|zsh\n");
    return 2;
}
