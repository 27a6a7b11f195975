/* SPDX-License-Identifier: Apache-2.0 */
/* keylime-policy create measured-boot: a reference state from an event log (measured-boot §13). */
#include "policy-tool/boot_reference.h"
#include "policy-tool/command.h"

static char *reference_text(Bytes bytes, bool without_secureboot, GPtrArray *warnings,
                            GError **error)
{
    const UefiLogRules rules = UEFI_LOG_RULES_STRICT;
    UefiLog log;
    if (!uefi_log_parse(bytes, &rules, &log, error))
        return NULL;
    g_autoptr(Json) reference = boot_reference_create(&log, without_secureboot, warnings, error);
    return reference ? json_to_python_text(reference) : NULL;
}

static bool create(const char *log, bool without_secureboot, const char *output, GError **error)
{
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GBytes) content = command_read(log, error);
    g_autofree char *text =
        content ? reference_text(bytes_of_gbytes(content), without_secureboot, warnings, error)
                : NULL;
    for (guint i = 0; i < warnings->len; i++)
        command_note("warning: %s", (const char *)g_ptr_array_index(warnings, i));
    return text && command_write(output, bytes_of_text(text), error);
}

static int run(int argc, char **argv)
{
    g_autofree char *log = NULL, *output = NULL;
    gboolean without_secureboot = FALSE;
    const GOptionEntry entries[] = {
        {"eventlog-file", 'e', 0, G_OPTION_ARG_FILENAME, &log,
         "binary event log of a machine that is known to be good", "FILE"},
        {"without-secureboot", 'i', 0, G_OPTION_ARG_NONE, &without_secureboot,
         "allow a log of a boot without Secure Boot", NULL},
        {"output", 'o', 0, G_OPTION_ARG_FILENAME, &output,
         "where to write the reference state (default: standard output)", "FILE"},
        {NULL}};
    int status;
    g_autoptr(GError) error = NULL;
    if (!command_parse(&create_measured_boot_command, entries, argc, argv, &status))
        return status;
    if (!log)
        return command_fail(&create_measured_boot_command, STATUS_USAGE,
                            "--eventlog-file is needed; --help shows all options");
    if (!create(log, without_secureboot, output, &error))
        return command_fail(&create_measured_boot_command, STATUS_FAILED, "%s", error->message);
    return STATUS_GOOD;
}

const PolicyCommand create_measured_boot_command = {
    "create", "measured-boot", "make a reference state from a machine's event log", run};
