/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line shared by the daemons: flags of the option table, plus --help, --version and
 * --check-config. Strict: an unknown, repeated, or incomplete flag and a surplus word are usage
 * errors.
 */
#pragma once

#include "config/config.h"

typedef struct {
    GArray *overrides; /* of ConfigOverride, zero-terminated */
    bool help, version, check_config, example_config, json;
} CommandLine;

/*
 * `--flag value` and `--flag=value`, any order; a BOOL flag may stand alone (true), as
 * `=true|false`, or be followed by the word `true` or `false` (contract C57, C58). Texts borrow
 * from argv.
 */
bool command_line_parse(const ConfigSchema *schema, int argc, char **argv, CommandLine *out,
                        GError **error);
void command_line_clear(CommandLine *line);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CommandLine, command_line_clear)

/*
 * The part of main() that every daemon shares: parse, answer --help/--version/--example-config,
 * load, answer --check-config. Returns the configuration to run with, or NULL with *status set to
 * the exit status (0 answered, 1 bad configuration, 2 bad command line; messages are on stderr).
 */
Config *command_line_start(const ConfigSchema *schema, int argc, char **argv, int *status);
