/* SPDX-License-Identifier: Apache-2.0 */
/* keylime_ima_emulator's command line. */
#pragma once

#include "config/tool.h"

#define EMULATOR_DEFAULT_LIST "/sys/kernel/security/ima/ascii_runtime_measurements"

/* Texts borrow from argv; NULL = not given. */
typedef struct {
    const char *banks[TOOL_MAX_REPEATS + 1]; /* NULL-terminated */
    const char *list_hash, *path;
    bool once, help, version;
} EmulatorArguments;

extern const Tool emulator_tool;
