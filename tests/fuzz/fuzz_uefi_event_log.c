/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event logs through the whole pipeline, under both sets of rules. What the strict rules accept,
 * the laxer ones accept too; a log that passed is walked to its last byte, and every structure in
 * it can be read.
 */
#include "base/json.h"
#include "evidence/uefi/data_digest.h"
#include "evidence/uefi/event_data.h"
#include "evidence/uefi/json_view.h"
#include "evidence/uefi/variable.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_walk(const UefiLog *log)
{
    UefiLogCursor cursor = uefi_log_begin(log);
    UefiEvent event;
    size_t count = 0, end = log->first_event;
    while (uefi_log_next(&cursor, &event)) {
        UefiVariable variable;
        UefiImageLoad image;
        g_assert(event.offset == end && event.number == ++count);
        g_assert(!uefi_event_is_variable(event.type) || uefi_variable_parse(event.data, &variable));
        g_assert(!uefi_event_is_image(event.type) || uefi_image_load_parse(event.data, &image));
        uefi_data_binding(&event, TPM_ALG_SHA256);
        end = cursor.offset;
    }
    g_assert(count == log->event_count && end == log->bytes.size);
}

static bool run(Bytes bytes, const UefiLogRules *rules)
{
    UefiLog log;
    g_autoptr(GError) error = NULL;
    bool accepted = uefi_log_parse(bytes, rules, &log, &error);
    g_assert(accepted == (error == NULL));
    if (!accepted)
        return false;
    check_walk(&log);
    g_autofree UefiReplay *replay = uefi_replay(&log);
    /* JSON of whatever a log says is well-formed. */
    g_autofree char *view = uefi_json_view(&log, replay);
    g_autoptr(Json) parsed = json_parse(bytes_of_text(view), NULL);
    g_assert(parsed);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const UefiLogRules strict = UEFI_LOG_RULES_STRICT, upstream = UEFI_LOG_RULES_UPSTREAM;
    bool accepted = run(bytes_of(data, size), &upstream);
    if (run(bytes_of(data, size), &strict))
        g_assert(accepted);
    return 0;
}
