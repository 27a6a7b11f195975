/* SPDX-License-Identifier: Apache-2.0 */
/* keylime-policy create measured-boot: a reference state from an event log (measured-boot §13). */
#include "policy-tool/boot_reference.h"
#include "policy-tool/command.h"

typedef struct {
    CommonOptions common;
    const char *log, *output;
    bool without_secureboot;
} CreateOptions;

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

static Json *warnings_told(const GPtrArray *warnings)
{
    Json *told = json_object_new_object();
    Json *list = json_object_new_array();
    for (guint i = 0; i < warnings->len; i++)
        json_object_array_add(list, json_new_text(g_ptr_array_index(warnings, i)));
    json_add(told, "warnings", list);
    return told;
}

static bool create(const PolicyCall *call, const CreateOptions *options, GError **error)
{
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GBytes) content = command_read(options->log, error);
    g_autofree char *text = content ? reference_text(bytes_of_gbytes(content),
                                                     options->without_secureboot, warnings, error)
                                    : NULL;
    if (content && !text)
        g_prefix_error(error, "%s: ", options->log);
    for (guint i = 0; i < warnings->len; i++)
        command_note("warning: %s", (const char *)g_ptr_array_index(warnings, i));
    return text && command_write_result(call, options->output, bytes_of_text(text),
                                        warnings_told(warnings), error);
}

static int run(PolicyCall *call)
{
    CreateOptions options = {0};
    int status;
    g_autoptr(GError) error = NULL;
    if (!command_parse(call, &options, &status))
        return status;
    if (!options.log)
        return command_fail(call, STATUS_USAGE,
                            "--eventlog-file is needed; --help shows all options");
    if (!create(call, &options, &error))
        return command_fail(call, STATUS_FAILED, "%s", error->message);
    return STATUS_GOOD;
}

/* clang-format off */
#define TEXT(brief_, full_, member_, value_) TOOL_OPTION(CreateOptions, TOOL_TEXT, brief_, full_, member_, value_)
#define FLAG(brief_, full_, member_) TOOL_OPTION(CreateOptions, TOOL_FLAG, brief_, full_, member_, NULL)

static const ToolOption options[] = {
    {TEXT("-e", "--eventlog-file", log, "FILE"), .group = "Input",
     .help = "Binary event log of a machine that is known to be good (required)."},
    {FLAG("-i", "--without-secureboot", without_secureboot), .group = "Input",
     .help = "Allow a log of a boot without Secure Boot."},
    {TEXT("-o", "--output", output, "FILE"), .group = "Output", .default_text = "standard output",
     .help = "Where the reference state goes. A file is replaced whole or not at all."},
    {0},
};

const PolicyCommand create_measured_boot_command = {
    {"create measured-boot", "Measured boot policies", "make a reference state from a machine's event log",
     .details = "What the log lacks is left out of the reference state, with a warning.",
     .json = "the reference state; with --output the members output, its file, and warnings.",
     .examples = "keylime-policy create measured-boot -e /sys/kernel/security/tpm0/binary_bios_measurements \\\n"
                 "    -o reference.json",
     .options = options},
    run};
/* clang-format on */
