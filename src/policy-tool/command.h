/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keylime-policy's commands: two words, one file each. To add one, write its file with a
 * `PolicyCommand`, declare it here, and enter it in the table of main.c; --help, the list of
 * commands and the exit statuses follow from that.
 *
 * A command reads its options with command_parse(), says what is wrong with command_fail() on
 * standard error, writes its result with command_write(), and returns an exit status.
 */
#pragma once

#include "base/bytes.h"

enum {
    STATUS_GOOD = 0,
    STATUS_FAILED = 1, /* the action failed; of `check`: what was checked does not pass */
    STATUS_USAGE = 2,  /* wrong command line; of `check`: the input cannot be judged */
};

typedef struct {
    const char *action, *object; /* "create", "runtime" */
    const char *summary;         /* one line of the list of commands */
    /* `argv[0]` is the program; options follow. Returns an exit status. */
    int (*run)(int argc, char **argv);
} PolicyCommand;

extern const PolicyCommand check_runtime_command;
extern const PolicyCommand convert_runtime_command;
extern const PolicyCommand create_measured_boot_command;
extern const PolicyCommand create_runtime_command;
extern const PolicyCommand show_event_log_command;
extern const PolicyCommand sign_runtime_command;
extern const PolicyCommand check_measured_boot_command;

/*
 * Options into the variables of `entries`. False, with the status to return, when there is nothing
 * left to do: --help was answered, or the command line is wrong, which standard error says. Words
 * that are no options are wrong.
 */
bool command_parse(const PolicyCommand *command, const GOptionEntry *entries, int argc, char **argv,
                   int *status);
/* The same with `data` for the functions of entries of type G_OPTION_ARG_CALLBACK. */
bool command_parse_with(const PolicyCommand *command, const GOptionEntry *entries, gpointer data,
                        int argc, char **argv, int *status);
/* "keylime-policy create runtime: REASON" on standard error; returns `status`. */
int command_fail(const PolicyCommand *command, int status, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
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
