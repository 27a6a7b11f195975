/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keylime_ima_emulator: for machines whose kernel measures into no TPM, or into another one than
 * the agent uses. Development and tests only. Exit status: 0 = stopped by SIGINT or SIGTERM, or
 * --once; 1 = TPM or list; 2 = usage.
 */
#define LOG_NAME "keylime.ima_emulator"

#include "base/log.h"
#include "ima-emulator/emulator.h"

#include <stdio.h>
#include <unistd.h>

#define DEFAULT_LIST "/sys/kernel/security/ima/ascii_runtime_measurements"

static bool read_hash(const char *word, uint16_t *out, GError **error)
{
    *out = tpm_hash_from_name(word);
    if (*out == 0 || !tpm_hash_md(*out))
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "'%s' is no hash algorithm: sha1, sha256, sha384 or sha512", word);
    return *out != 0 && tpm_hash_md(*out);
}

static bool read_banks(char **words, EmulatorSettings *out, GError **error)
{
    if (!words) {
        out->bank[out->bank_count++] = TPM_ALG_SHA256;
        return true;
    }
    for (char **word = words; *word; word++) {
        if (out->bank_count == EMULATED_MAX_BANKS) {
            g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "more than %d --hash_algs",
                        EMULATED_MAX_BANKS);
            return false;
        }
        if (!read_hash(*word, &out->bank[out->bank_count++], error))
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    g_auto(GStrv) banks = NULL;
    g_autofree char *list_hash = NULL;
    g_autofree char *path = NULL;
    gboolean once = FALSE;
    gboolean version = FALSE;
    const GOptionEntry entries[] = {
        {"hash_algs", 'a', 0, G_OPTION_ARG_STRING_ARRAY, &banks,
         "Bank to extend, may be given several times. Default: sha256", "ALG"},
        {"ima-hash-alg", 'i', 0, G_OPTION_ARG_STRING, &list_hash,
         "Hash of the list's second column. Default: sha1", "ALG"},
        {"ima-log", 'f', 0, G_OPTION_ARG_FILENAME, &path,
         "The measurement list. Default: " DEFAULT_LIST, "PATH"},
        {"once", 0, 0, G_OPTION_ARG_NONE, &once, "Extend what the list holds now, and exit", NULL},
        {"version", 'V', 0, G_OPTION_ARG_NONE, &version, "Print the version and exit", NULL},
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GOptionContext) context =
        g_option_context_new("- extend PCR 10 of an emulated TPM from an IMA measurement list");
    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_set_description(
        context, "The environment variable TCTI names the TPM, for example\n"
                 "TCTI=swtpm:host=127.0.0.1,port=2321. A TPM that is no emulator is refused.\n");
    log_open(STDERR_FILENO, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    g_setenv("TSS2_LOG", "all+NONE", FALSE);

    g_autoptr(GError) error = NULL;
    EmulatorSettings settings = {0};
    if (!g_option_context_parse(context, &argc, &argv, &error) ||
        !read_hash(list_hash ? list_hash : "sha1", &settings.list_hash, &error) ||
        !read_banks(banks, &settings, &error)) {
        log_error("%s", error->message);
        return 2;
    }
    if (argc > 1) {
        log_error("unknown argument '%s'; see --help", argv[1]);
        return 2;
    }
    if (version) {
        puts("keylime_ima_emulator " KEYLIME_VERSION);
        return 0;
    }
    settings.path = path ? path : DEFAULT_LIST;
    settings.once = once;
    if (emulator_run(&settings, &error))
        return 0;
    log_error("%s", error->message);
    return 1;
}
