/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/attestation/evidence_message.h"

#include "base/encoding.h"
#include "evidence/ima/log.h"
#include "evidence/ima/push.h"
#include "tpm/attest.h"
#include "verifier/attestation/field.h"

#include <string.h>

void evidence_clear(Evidence *evidence)
{
    g_clear_pointer(&evidence->message, g_bytes_unref);
    g_clear_pointer(&evidence->signature, g_bytes_unref);
    g_clear_pointer(&evidence->pcr_blob, g_bytes_unref);
    for (unsigned kind = 0; kind < LOG_KINDS; kind++)
        g_clear_pointer(&evidence->log[kind], g_bytes_unref);
}

/* --- the quote ----------------------------------------------------------------------------- */

static GBytes *required_binary(const FieldReader *data, const char *name, size_t limit)
{
    guint errors = data->errors->len;
    GBytes *bytes = field_binary(data, name, limit);
    if (!bytes && data->errors->len == errors)
        field_wrong(data, name, "is required");
    return bytes;
}

static void check_pcrs(const FieldReader *data, Bytes blob, uint16_t hash, uint32_t pcrs)
{
    g_autoptr(GError) error = NULL;
    g_autofree PcrValues *values = pcr_blob_parse(blob, &error);
    if (!values)
        field_wrong(data, "subject_data", "must be the PCR values in the form of tpm2_quote: %s",
                    error->message);
    else if ((pcr_values_in_bank(values, hash) & pcrs) != pcrs)
        field_wrong(data, "subject_data", "must contain at least the PCRs requested");
}

static void read_quote(const FieldReader *data, const AskedEvidence *asked, Evidence *out)
{
    out->message = required_binary(data, "message", EVIDENCE_MAX_MESSAGE);
    out->signature = required_binary(data, "signature", EVIDENCE_MAX_SIGNATURE);
    out->pcr_blob = required_binary(data, "subject_data", EVIDENCE_MAX_PCR_BLOB);
    if (out->pcr_blob)
        check_pcrs(data, bytes_of_gbytes(out->pcr_blob), asked->hash, asked->pcrs);
}

/* --- logs ---------------------------------------------------------------------------------- */

static Json *text_member(const FieldReader *data, const char *name)
{
    Json *value = json_member(data->object, name);
    if (!value || json_object_is_type(value, json_type_string))
        return value;
    field_wrong(data, name, "is not a permitted value");
    return NULL;
}

/* Base64, else hexadecimal, else the text itself, which no event log begins with and the appraisal
 * then says so (measured-boot §3.4). */
static void read_uefi_log(const FieldReader *data, Evidence *out)
{
    Json *value = text_member(data, "entries");
    if (!value || json_object_get_string_len(value) == 0)
        return;
    const char *text = json_text(value);
    GBytes *bytes = text ? base64_decode(text) : NULL;
    if (!bytes && text)
        bytes = hex_decode(g_str_has_prefix(text, "0x") ? text + 2 : text);
    out->log[LOG_UEFI] = bytes ? bytes : json_string_bytes(value);
}

/* Names that are no UTF-8 come as U+FFFD in `entries`, and whole in `entries_raw` (decision D53).
 */
static GBytes *raw_entries(const FieldReader *data)
{
    Json *value = json_member(data->object, "entries_raw");
    if (!value)
        return NULL;
    const char *text = json_text(value);
    GBytes *raw = text ? base64_decode(text) : NULL;
    if (!raw)
        field_wrong(data, "entries_raw", "must be valid binary");
    return raw;
}

static void read_ima_log(const FieldReader *data, const AskedLog *asked, Evidence *out)
{
    guint before = data->errors->len;
    gint64 ignored;
    field_int(data, "entry_count", &ignored); /* what counts is the text */
    g_autoptr(GBytes) entries = json_string_bytes(text_member(data, "entries"));
    g_autoptr(GBytes) raw = raw_entries(data);
    if (data->errors->len > before)
        return;
    ImaEntriesCheck check = {
        .offset = (guint64)asked->offset,
        .entry_count = (guint64)MAX(0, asked->announced),
        .entries = bytes_of_gbytes(entries),
        .has_raw = raw != NULL,
        .raw = bytes_of_gbytes(raw),
    };
    ImaEntriesResult result = ima_push_check_entries(&check);
    if (result != IMA_ENTRIES_FIT) {
        g_autofree char *text = ima_entries_result_text(result, &check);
        field_wrong(data, result == IMA_ENTRIES_RAW_DIFFER ? "entries_raw" : "entries", "%s", text);
        return;
    }
    out->ima_received = (gint64)ima_log_count(check.entries);
    out->log[LOG_IMA] = raw       ? g_steal_pointer(&raw)
                        : entries ? g_steal_pointer(&entries)
                                  : g_bytes_new_static("", 0);
}

/* --- the list of items --------------------------------------------------------------------- */

/* What stands at a position: the quote comes first, then the logs in the order of LogKind. */
typedef struct {
    bool quote;
    LogKind kind;
} Expected;

static Expected expected_at(const AskedEvidence *asked, unsigned position)
{
    for (unsigned kind = 0; kind < LOG_KINDS && position > 0; kind++)
        if (asked->logs->log[kind].asked && --position == 0)
            return (Expected){.kind = (LogKind)kind};
    return (Expected){.quote = true};
}

static bool is_expected(const FieldReader *item, Expected expected)
{
    const char *class = json_member_text(item->object, "evidence_class");
    const char *type = json_member_text(item->object, "evidence_type");
    const char *wanted = expected.quote ? "tpm_quote" : log_kind_text(expected.kind);
    return g_strcmp0(class, expected.quote ? "certification" : "log") == 0 &&
           g_strcmp0(type, wanted) == 0;
}

static void read_data(const FieldReader *item, const AskedEvidence *asked, Expected expected,
                      Evidence *out)
{
    guint errors = item->errors->len;
    Json *object = field_object(item, "data");
    if (!object) {
        if (item->errors->len == errors)
            field_wrong(item, "data", "is required");
        return;
    }
    g_autofree char *pointer = field_pointer(item, "data", -1);
    FieldReader data = {object, pointer, item->errors, item->keep};
    if (expected.quote)
        read_quote(&data, asked, out);
    else if (expected.kind == LOG_UEFI)
        read_uefi_log(&data, out);
    else
        read_ima_log(&data, &asked->logs->log[LOG_IMA], out);
}

static const char items_name[] = "evidence_collected";

static void read_item(const FieldReader *item, const AskedEvidence *asked, unsigned position,
                      Evidence *out)
{
    Expected expected = expected_at(asked, position);
    if (!json_object_is_type(item->object, json_type_object))
        api_errors_add(item->errors, 422, "invalid_resource_data", item->pointer,
                       "Attribute '%s' may only contain objects with key-value pairs.", items_name);
    else if (!is_expected(item, expected))
        api_errors_add(item->errors, 422, "invalid_resource_data", item->pointer,
                       "Attribute '%s' must appear in the same order as the evidence requested:"
                       " element %u is a %s of type %s.",
                       items_name, position, expected.quote ? "certification" : "log",
                       expected.quote ? "tpm_quote" : log_kind_text(expected.kind));
    else
        read_data(item, asked, expected, out);
}

static void read_items(const FieldReader *reader, const AskedEvidence *asked, Evidence *out)
{
    Json *list = json_member(reader->object, items_name);
    if (list && !json_object_is_type(list, json_type_array)) {
        field_wrong(reader, items_name, "must be an array");
        return;
    }
    unsigned requested = 1 + asked_logs_count(asked->logs);
    size_t count = list ? json_object_array_length(list) : 0;
    if (count == 0) {
        field_wrong(reader, items_name, "is required");
    } else if (count != requested) {
        field_wrong(reader, items_name,
                    "must contain a number of elements equal to that which were requested (%u)",
                    requested);
    } else {
        for (unsigned i = 0; i < requested; i++) {
            g_autofree char *pointer = field_pointer(reader, items_name, (int)i);
            FieldReader item = {json_object_array_get_idx(list, i), pointer, reader->errors,
                                reader->keep};
            read_item(&item, asked, i, out);
        }
    }
}

bool evidence_read(Json *attributes, const AskedEvidence *asked, Evidence *out, ApiErrors *errors)
{
    *out = (Evidence){0};
    FieldKeep *keep = field_keep_new();
    guint before = errors->len;
    FieldReader reader = {attributes, "/data/attributes", errors, keep};
    read_items(&reader, asked, out);
    field_keep_free(keep);
    if (errors->len == before)
        return true;
    evidence_clear(out);
    return false;
}

/* --- showing ------------------------------------------------------------------------------- */

static Json *bank_to_json(const PcrValues *values, uint16_t hash, uint32_t pcrs)
{
    Json *bank = json_object_new_object();
    for (unsigned i = 0; i < PCR_COUNT; i++) {
        if (!(pcrs & (UINT32_C(1) << i)))
            continue;
        g_autofree char *hex = hex_encode(pcr_values_get(values, hash, i));
        g_autofree char *text = g_strdup_printf("0x%s", hex);
        g_autofree char *number = g_strdup_printf("%u", i);
        json_add_text(bank, number, text);
    }
    return bank;
}

static void add_pcrs(Json *meta, Bytes pcr_blob)
{
    g_autofree PcrValues *values = pcr_blob_parse(pcr_blob, NULL);
    if (!values)
        return;
    Json *banks = json_object_new_object();
    for (size_t i = 0; i < values->selection.count; i++) {
        uint16_t hash = values->selection.bank[i].hash;
        const char *name = tpm_algorithm_name(hash);
        if (name)
            json_add(banks, name, bank_to_json(values, hash, values->selection.bank[i].pcrs));
    }
    json_add(meta, "pcrs", banks);
}

static void add_clock(Json *meta, Bytes message)
{
    TpmAttest attest;
    if (!tpm_attest_parse(message, &attest, NULL))
        return;
    Json *clock = json_object_new_object();
    json_add(clock, "clock", json_object_new_uint64(attest.clock.clock));
    json_add_int(clock, "reset_count", attest.clock.reset_count);
    json_add_int(clock, "restart_count", attest.clock.restart_count);
    json_add_int(clock, "safe", attest.clock.safe);
    json_add(meta, "clock_info", clock);
}

Json *quote_data_to_json(Bytes message, Bytes signature, Bytes pcr_blob)
{
    Json *data = json_object_new_object();
    json_add_base64(data, "subject_data", pcr_blob);
    json_add_base64(data, "message", message);
    json_add_base64(data, "signature", signature);
    Json *meta = json_object_new_object();
    add_pcrs(meta, pcr_blob);
    add_clock(meta, message);
    json_add(data, "meta", meta);
    return data;
}

/* The text as it came, and line by line in escapes where a name is no UTF-8 (decision D53). */
static void add_entries(Json *data, Bytes list)
{
    if (list.size == 0) {
        json_add_null(data, "entries");
        return;
    }
    if (g_utf8_validate_len((const char *)list.data, list.size, NULL)) {
        json_add_utf8(data, "entries", list);
        return;
    }
    g_autoptr(GString) text = g_string_sized_new(list.size);
    while (list.size > 0) {
        const uint8_t *end = memchr(list.data, '\n', list.size);
        Bytes line = bytes_of(list.data, end ? (size_t)(end - list.data) : list.size);
        g_autofree char *escaped = utf8_escape(line);
        g_string_append(text, escaped);
        if (end)
            g_string_append_c(text, '\n');
        size_t taken = line.size + (end != NULL);
        list = bytes_of(list.data + taken, list.size - taken);
    }
    json_add_text(data, "entries", text->str);
}

Json *log_data_to_json(LogKind kind, const AskedLog *log, GBytes *content)
{
    Bytes bytes = bytes_of_gbytes(content);
    Json *data = json_object_new_object();
    if (kind == LOG_IMA) {
        json_add_int(data, "entry_count", MAX(0, log->received));
        add_entries(data, bytes);
        if (log->certified >= 0)
            json_add_int(data, "certified_entry_count", log->certified);
    } else if (content) {
        json_add_base64(data, "entries", bytes);
    } else {
        json_add_null(data, "entries");
    }
    return data;
}
