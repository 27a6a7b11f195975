/* SPDX-License-Identifier: Apache-2.0 */
/* keylime-policy: makes, signs and checks policies, without any server. */
#include "policy-tool/command.h"

#include <stdio.h>
#include <string.h>

/* clang-format off */
static const PolicyCommand *const commands[] = {
    &check_measured_boot_command,
    &check_runtime_command,
    &convert_runtime_command,
    &create_measured_boot_command,
    &create_runtime_command,
    &show_event_log_command,
    &sign_runtime_command,
};
/* clang-format on */

static void print_help(FILE *stream)
{
    fputs("Usage:\n  keylime-policy ACTION OBJECT [OPTION...]\n\nCommands:\n", stream);
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        g_autofree char *words = g_strdup_printf("%s %s", commands[i]->action, commands[i]->object);
        fprintf(stream, "  %-24s %s\n", words, commands[i]->summary);
    }
    fputs("\nkeylime-policy ACTION OBJECT --help shows a command's options.\n", stream);
}

static const PolicyCommand *find_command(const char *action, const char *object)
{
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
        if (strcmp(commands[i]->action, action) == 0 && strcmp(commands[i]->object, object) == 0)
            return commands[i];
    return NULL;
}

/* "create --help", "create": the commands of this action. */
static int print_action(const char *action)
{
    bool known = false;
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
        known = known || strcmp(commands[i]->action, action) == 0;
    if (!known)
        fprintf(stderr, "keylime-policy: no action %s\n", action);
    print_help(stderr);
    return STATUS_USAGE;
}

static bool is_word(const char *argument, const char *brief, const char *full)
{
    return strcmp(argument, brief) == 0 || strcmp(argument, full) == 0;
}

int main(int argc, char **argv)
{
    if (argc < 2 || is_word(argv[1], "-h", "--help")) {
        print_help(stdout);
        return STATUS_GOOD;
    }
    if (is_word(argv[1], "-V", "--version")) {
        printf("keylime-policy %s\n", KEYLIME_VERSION);
        return STATUS_GOOD;
    }
    if (argc >= 3 && is_word(argv[2], "-h", "--help")) {
        print_help(stdout);
        return STATUS_GOOD;
    }
    const PolicyCommand *command = argc >= 3 ? find_command(argv[1], argv[2]) : NULL;
    return command ? command->run(argc - 2, argv + 2) : print_action(argv[1]);
}
