/* SPDX-License-Identifier: Apache-2.0 */
/* keylime_ca's command line (tenant-and-management-api §10.1). */
#pragma once

#include "config/tool.h"

/* Texts borrow from argv; NULL = not given. */
typedef struct {
    const char *command, *name, *directory, *file, *role, *target, *output, *serial_text;
    const char *dns[TOOL_MAX_REPEATS + 1], *ip[TOOL_MAX_REPEATS + 1]; /* NULL-terminated */
    bool insecure, json, help, version, check_config, example_config;
    gint64 serial; /* -1 = not given */
} CaArguments;

extern const ToolOption ca_options[];

/* The command is an option's value or the only word. False: a usage error (exit status 2). */
bool ca_arguments_parse(int argc, char **argv, CaArguments *out, GError **error);
