/* SPDX-License-Identifier: Apache-2.0 */
/* keylime-policy: makes, signs and checks policies, without any server. */
#include "policy-tool/command.h"

#include <string.h>

/* "create --help", "create": the commands of this action. */
static int refuse(int argc, char **argv)
{
    g_autoptr(GError) lost = NULL;
    g_autofree char *message =
        g_strdup_printf("there is no command %s %s", argv[1], argc >= 3 ? argv[2] : "");
    g_autoptr(Json) document = json_object_new_object();
    g_strchomp(message);
    fprintf(stderr, "keylime-policy: %s\n", message);
    tool_print_help(&policy_tool, NULL, stderr);
    json_add(document, "error", tool_json_error(message, STATUS_USAGE));
    if (tool_wants_json(argc, argv) && !tool_print_json(document, &lost))
        fprintf(stderr, "keylime-policy: %s\n", lost->message);
    return STATUS_USAGE;
}

static bool is_word(const char *argument, const char *brief, const char *full)
{
    return strcmp(argument, brief) == 0 || strcmp(argument, full) == 0;
}

/* What a check found out is no verdict where nobody could read it. */
static int end(const PolicyCommand *command, int status)
{
    g_autoptr(GError) error = NULL;
    if (tool_end_output(&error))
        return status;
    fprintf(stderr, "keylime-policy %s: %s\n", command->tool.name, error->message);
    return g_str_has_prefix(command->tool.name, "check ") ? STATUS_USAGE : STATUS_FAILED;
}

int main(int argc, char **argv)
{
    bool asks = argc < 2 || is_word(argv[1], "-h", "--help") ||
                (argc >= 3 && is_word(argv[2], "-h", "--help"));
    if (asks) {
        tool_print_help(&policy_tool, NULL, stdout);
        return STATUS_GOOD;
    }
    if (is_word(argv[1], "-V", "--version")) {
        command_print_version();
        return STATUS_GOOD;
    }
    const PolicyCommand *command = argc >= 3 ? policy_find_command(argv[1], argv[2]) : NULL;
    if (!command)
        return refuse(argc, argv);
    PolicyCall call = {.command = command, .argc = argc - 2, .argv = argv + 2};
    return end(command, command->run(&call));
}
