/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keylime_ima_emulator: for machines whose kernel measures into no TPM, or into another one than
 * the agent uses. Development and tests only. Exit status: 0 = stopped by SIGINT or SIGTERM, or
 * --once; 1 = TPM or list; 2 = usage.
 */
#define LOG_NAME "keylime.ima_emulator"

#include "base/log.h"
#include "ima-emulator/arguments.h"
#include "ima-emulator/emulator.h"

#include <stdio.h>
#include <unistd.h>

static bool read_banks(const char *const *words, EmulatorSettings *out, GError **error)
{
    if (!*words)
        out->bank[out->bank_count++] = TPM_ALG_SHA256;
    for (; *words; words++) {
        if (out->bank_count == EMULATED_MAX_BANKS) {
            g_set_error(error, TOOL_ERROR, 0, "more than %d --hash_algs", EMULATED_MAX_BANKS);
            return false;
        }
        out->bank[out->bank_count++] = tpm_hash_from_name(*words);
    }
    return true;
}

static bool parse(int argc, char **argv, EmulatorArguments *out, EmulatorSettings *settings,
                  GError **error)
{
    ToolWords words;
    if (!tool_parse(&emulator_tool, NULL, argc, argv, out, &words, error) ||
        !read_banks(out->banks, settings, error))
        return false;
    if (words.count > 0) {
        g_set_error(error, TOOL_ERROR, 0, "unrecognized argument: %s; see --help", words.word[0]);
        return false;
    }
    settings->list_hash = tpm_hash_from_name(out->list_hash ? out->list_hash : "sha1");
    settings->path = out->path ? out->path : EMULATOR_DEFAULT_LIST;
    settings->once = out->once;
    return true;
}

int main(int argc, char **argv)
{
    EmulatorArguments arguments = {0};
    EmulatorSettings settings = {0};
    g_autoptr(GError) error = NULL;
    log_open(STDERR_FILENO, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    g_setenv("TSS2_LOG", "all+NONE", FALSE);
    if (!parse(argc, argv, &arguments, &settings, &error)) {
        log_error("%s", error->message);
        return 2;
    }
    if (arguments.help)
        tool_print_help(&emulator_tool, NULL, stdout);
    else if (arguments.version)
        puts("keylime_ima_emulator " KEYLIME_VERSION);
    else if (!emulator_run(&settings, &error))
        log_error("%s", error->message);
    return error ? 1 : 0;
}
