/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/attestation/negotiation_logs.h"

#define EVIDENCE "/data/attributes/evidence_supported"

uint32_t log_terms_pcrs(const LogTerms *terms)
{
    return (terms->wants_uefi ? terms->uefi_pcrs : 0) | (terms->wants_ima ? IMA_LOG_PCRS : 0);
}

/* About the list of what is offered. */
static void wrong_list(ApiErrors *errors, const char *message)
{
    api_errors_add(errors, 422, "invalid_resource_data", EVIDENCE,
                   "Attribute 'evidence_supported' %s.", message);
}

G_GNUC_PRINTF(5, 6)
static void wrong(ApiErrors *errors, const OfferedLog *log, const char *group, const char *member,
                  const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_autofree char *pointer = g_strdup_printf(EVIDENCE "/%u/%s/%s", log->position, group, member);
    api_errors_add(errors, 422, "invalid_resource_data", pointer, "Attribute '%s' %s.", member,
                   message);
}

static bool has_format(const OfferedLog *log, const char *format)
{
    return log->formats && g_strv_contains((const char *const *)log->formats, format);
}

/* --- UEFI event log --------------------------------------------------------------------------- */

static const OfferedLog *choose_uefi(const Capabilities *capabilities, ApiErrors *errors)
{
    const GPtrArray *logs = capabilities->uefi_logs;
    for (guint i = 0; i < logs->len; i++) {
        const OfferedLog *log = g_ptr_array_index(logs, i);
        if (!has_format(log, UEFI_LOG_FORMAT))
            continue;
        /* There is no offset to choose for this log: a part of it replays to nothing. */
        if (log->partial)
            wrong(errors, log, "capabilities", "supports_partial_access",
                  "must be false for uefi_log evidence");
        return log;
    }
    wrong_list(errors, logs->len == 0
                           ? "must contain a log item of type 'uefi_log' per agent policy"
                           : "must have 'uefi_log' with format '" UEFI_LOG_FORMAT "'");
    return NULL;
}

/* --- IMA list --------------------------------------------------------------------------------- */

static void check_ima_items(const Capabilities *capabilities, ApiErrors *errors)
{
    for (guint i = 0; i < capabilities->ima_logs->len; i++) {
        const OfferedLog *log = g_ptr_array_index(capabilities->ima_logs, i);
        if (log->entry_count < 0)
            wrong(errors, log, "capabilities", "entry_count", "is required");
        if (!log->formats)
            wrong(errors, log, "capabilities", "formats", "is required for ima_log evidence");
    }
}

/* Entries that need not be sent again. */
static gint64 choose_offset(const OfferedLog *log, const LogTerms *terms, Timestamp boot_time,
                            ApiErrors *errors)
{
    ImaNegotiation negotiation = {
        .boot_time = boot_time / TIMESTAMP_SECOND,
        .entry_count = (guint64)log->entry_count,
        .bank = terms->bank,
        .policy_checksum = terms->ima_reference,
    };
    guint64 offset;
    ImaOffsetResult result =
        ima_push_offset(terms->ima_state, &negotiation, &terms->ima_rules, &offset);
    if (result == IMA_OFFSET_CHOSEN)
        return (gint64)offset;
    g_autofree char *text = ima_offset_result_text(result, offset);
    /* An agent without a list offers none; a count of 0 is one that it could not read (D54). */
    bool none = result == IMA_OFFSET_NO_ENTRIES;
    wrong(errors, log, none ? "chosen_parameters" : "capabilities",
          none ? "starting_offset" : "entry_count", "%s%s", text,
          none ? ": the IMA measurement list has no entry" : "");
    return 0;
}

static const OfferedLog *choose_ima(const Capabilities *capabilities, const LogTerms *terms,
                                    gint64 *offset, ApiErrors *errors)
{
    const GPtrArray *logs = capabilities->ima_logs;
    check_ima_items(capabilities, errors);
    for (guint i = 0; i < logs->len; i++) {
        const OfferedLog *log = g_ptr_array_index(logs, i);
        if (!has_format(log, IMA_LOG_FORMAT) || !log->partial)
            continue;
        if (log->entry_count >= 0)
            *offset = choose_offset(log, terms, capabilities->boot_time, errors);
        return log;
    }
    wrong_list(errors, logs->len == 0 ? "must contain a log item of type 'ima_log' per agent policy"
                                      : "must have 'ima_log' with format '" IMA_LOG_FORMAT
                                        "' and which supports partial access");
    return NULL;
}

bool negotiate_logs(const Capabilities *capabilities, const LogTerms *terms, NegotiatedLogs *out,
                    ApiErrors *errors)
{
    guint before = errors->len;
    *out = (NegotiatedLogs){0};
    if (terms->wants_ima && capabilities->boot_time == 0)
        api_errors_add(errors, 422, "invalid_resource_data",
                       "/data/attributes/system_info/boot_time",
                       "Attribute 'system_info' is required.");
    if (terms->wants_uefi)
        out->uefi = choose_uefi(capabilities, errors);
    if (terms->wants_ima)
        out->ima = choose_ima(capabilities, terms, &out->ima_offset, errors);
    return errors->len == before;
}
