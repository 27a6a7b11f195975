/* SPDX-License-Identifier: Apache-2.0 */
/* keylime-policy show event-log: a log for people, or in upstream's JSON. */
#include "evidence/uefi/json_view.h"
#include "policy-tool/command.h"
#include "policy-tool/event_text.h"

/* A log that only the laxer rules accept is shown too, with a word of warning: whoever looks into
 * one wants to see it. */
static bool parse(Bytes bytes, UefiLog *log, GError **error)
{
    const UefiLogRules strict = UEFI_LOG_RULES_STRICT, upstream = UEFI_LOG_RULES_UPSTREAM;
    g_autoptr(GError) refusal = NULL;
    if (uefi_log_parse(bytes, &strict, log, &refusal))
        return true;
    if (!uefi_log_parse(bytes, &upstream, log, error))
        return false;
    command_note("warning: a verifier refuses this log under its strict profile: %s",
                 refusal->message);
    return true;
}

static bool show(const char *path, bool json, GError **error)
{
    g_autoptr(GBytes) content = command_read(path, error);
    UefiLog log;
    if (!content)
        return false;
    if (!parse(bytes_of_gbytes(content), &log, error)) {
        g_prefix_error(error, "%s: ", path);
        return false;
    }
    g_autofree UefiReplay *replay = uefi_replay(&log);
    g_autofree char *text = json ? uefi_json_view(&log, replay) : event_log_text(&log, replay);
    g_autofree char *line = json ? g_strconcat(text, "\n", NULL) : g_steal_pointer(&text);
    return command_write(NULL, bytes_of_text(line), error);
}

static int run(PolicyCall *call)
{
    CommonOptions options = {0};
    int status;
    g_autoptr(GError) error = NULL;
    if (!command_parse(call, &options, &status))
        return status;
    if (call->words.count != 1)
        return command_fail(call, STATUS_USAGE,
                            "one event log is needed; --help shows all options");
    if (!show(call->words.word[0], call->json, &error))
        return command_fail(call, STATUS_FAILED, "%s", error->message);
    return STATUS_GOOD;
}

const PolicyCommand show_event_log_command = {
    {"show event-log", "Measured boot policies", "print a firmware event log",
     .details = "A log that a verifier refuses under its strict profile is shown with a warning.",
     .json = "the form that upstream's policies look at: version, events, pcrs, boot_aggregates.",
     .examples = "keylime-policy show event-log /sys/kernel/security/tpm0/binary_bios_measurements",
     .words = "FILE"},
    run};
