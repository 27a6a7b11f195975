/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keylime-policy's commands: two words, one file each. To add one, write its file with a
 * `PolicyCommand`, declare it here, and enter it in the table of tool.c; --help, the list of
 * commands, the completions and the exit statuses follow from that.
 *
 * A command reads its options with command_parse(), says what is wrong with command_fail() on
 * standard error, writes its result with command_write_result(), and returns an exit status.
 */
#pragma once

#include "config/tool.h"

enum {
    STATUS_GOOD = 0,
    STATUS_FAILED = 1, /* the action failed; of `check`: what was checked does not pass */
    STATUS_USAGE = 2,  /* wrong command line; of `check`: the input cannot be judged */
};

typedef struct PolicyCommand PolicyCommand;

/* One run of a command. */
typedef struct {
    const PolicyCommand *command;
    int argc; /* argv[0] is the program; options follow */
    char **argv;
    bool json; /* since command_parse() */
    ToolWords words;
} PolicyCall;

struct PolicyCommand {
    ToolCommand tool;             /* its name: "create runtime" */
    int (*run)(PolicyCall *call); /* returns an exit status */
};

/* What every command's struct of options begins with. */
typedef struct {
    bool json, help, version;
} CommonOptions;

extern const Tool policy_tool;
/* NULL: there is no such command. */
const PolicyCommand *policy_find_command(const char *action, const char *object);

extern const PolicyCommand check_runtime_command;
extern const PolicyCommand convert_runtime_command;
extern const PolicyCommand create_measured_boot_command;
extern const PolicyCommand create_runtime_command;
extern const PolicyCommand show_event_log_command;
extern const PolicyCommand sign_runtime_command;
extern const PolicyCommand check_measured_boot_command;

/*
 * Options into `options`, a struct that begins with CommonOptions and is all zeros. False, with the
 * status to return, when there is nothing left to do: --help was answered, or the command line is
 * wrong, which standard error says. Words that are no options are wrong where the command has none.
 */
bool command_parse(PolicyCall *call, void *options, int *status);
void command_print_version(void);
/* "keylime-policy create runtime: REASON" on standard error, and with --json the error's document
 * on standard output; returns `status`. */
int command_fail(const PolicyCall *call, int status, const char *format, ...) G_GNUC_PRINTF(3, 4);
#define COMMAND_ERROR (command_error_quark())
GQuark command_error_quark(void);
/* Sets COMMAND_ERROR, for command_fail() to tell; returns false. */
bool command_refuse(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Now, for meta.timestamp: local time without zone, microseconds, as Python prints it. Newly
 * allocated. */
char *command_timestamp(void);
/* A line of advice or progress on standard error. */
void command_note(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* Content of a file, "-" standing for standard input; NULL and an error that names the file. */
GBytes *command_read(const char *path, GError **error);
/* To a file, whole or not at all, with the mode of a public file; NULL, "-" and /dev/stdout stand
 * for standard output. What exists and is no regular file, a device or a pipe, is written to. */
bool command_write(const char *path, Bytes content, GError **error);
/* The result of a command. Where it goes to a file, --json tells that on standard output: `told`,
 * whose member `output` is added; NULL = nothing more. Takes `told` over. */
bool command_write_result(const PolicyCall *call, const char *output, Bytes content, Json *told,
                          GError **error);
