/* SPDX-License-Identifier: Apache-2.0 */
/* keylime-policy's table of contents. */
#include "policy-tool/command.h"

#include <string.h>

/* clang-format off */
static const PolicyCommand *const commands[] = {
    &create_runtime_command,
    &convert_runtime_command,
    &sign_runtime_command,
    &check_runtime_command,
    &create_measured_boot_command,
    &check_measured_boot_command,
    &show_event_log_command,
};

static const ToolOption options[] = {
    {.full = "--json", .kind = TOOL_FLAG, .offset = G_STRUCT_OFFSET(CommonOptions, json), .group = "Output",
     .help = "Print one JSON document on standard output, of an error too."},
    {.brief = "-h", .full = "--help", .kind = TOOL_FLAG, .offset = G_STRUCT_OFFSET(CommonOptions, help),
     .group = "Output", .help = "Show this text; with a command, what that does and its options."},
    {.brief = "-V", .full = "--version", .kind = TOOL_FLAG, .offset = G_STRUCT_OFFSET(CommonOptions, version),
     .group = "Output", .rare = true, .help = "Show the version."},
    {0},
};
/* clang-format on */

static const ToolCommand *command_at(guint index)
{
    return index < G_N_ELEMENTS(commands) ? &commands[index]->tool : NULL;
}

const PolicyCommand *policy_find_command(const char *action, const char *object)
{
    g_autofree char *name = g_strdup_printf("%s %s", action, object);
    for (guint i = 0; i < G_N_ELEMENTS(commands); i++)
        if (strcmp(commands[i]->tool.name, name) == 0)
            return commands[i];
    return NULL;
}

const Tool policy_tool = {
    .name = "keylime-policy",
    .synopsis = "ACTION OBJECT [OPTION...]",
    .summary = "Make, sign, check and show the policies that the evidence of agents is judged by, "
               "without any server.",
    .options = options,
    .command_at = command_at,
    .examples = "keylime-policy create runtime --ima-measurement-list -o policy.json\n"
                "keylime-policy check runtime -r policy.json\n"
                "keylime-policy create measured-boot \\\n"
                "    -e /sys/kernel/security/tpm0/binary_bios_measurements -o reference.json",
    .notes = "keylime-policy ACTION OBJECT --help shows a command's options.\n"
             "Exit status: 0 done, or what was checked passes; 1 failed, or it does not; 2 wrong "
             "command "
             "line, or it cannot be judged.",
};
