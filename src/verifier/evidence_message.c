/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/evidence_message.h"

#include "base/encoding.h"
#include "tpm/attest.h"
#include "verifier/attestation_field.h"

#include <string.h>

void quote_evidence_clear(QuoteEvidence *evidence)
{
    g_clear_pointer(&evidence->message, g_bytes_unref);
    g_clear_pointer(&evidence->signature, g_bytes_unref);
    g_clear_pointer(&evidence->pcr_blob, g_bytes_unref);
}

/* --- reading ------------------------------------------------------------------------------- */

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

static void read_quote(const FieldReader *item, uint16_t hash, uint32_t pcrs, QuoteEvidence *out)
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
    out->message = required_binary(&data, "message", EVIDENCE_MAX_MESSAGE);
    out->signature = required_binary(&data, "signature", EVIDENCE_MAX_SIGNATURE);
    out->pcr_blob = required_binary(&data, "subject_data", EVIDENCE_MAX_PCR_BLOB);
    if (out->pcr_blob)
        check_pcrs(&data, bytes_of_gbytes(out->pcr_blob), hash, pcrs);
}

static bool is_quote(const FieldReader *item)
{
    const char *class = json_member_text(item->object, "evidence_class");
    const char *type = json_member_text(item->object, "evidence_type");
    return g_strcmp0(class, "certification") == 0 && g_strcmp0(type, "tpm_quote") == 0;
}

static void read_items(const FieldReader *reader, uint16_t hash, uint32_t pcrs, QuoteEvidence *out)
{
    static const char name[] = "evidence_collected";
    Json *list = json_member(reader->object, name);
    if (list && !json_object_is_type(list, json_type_array)) {
        field_wrong(reader, name, "must be an array");
        return;
    }
    size_t count = list ? json_object_array_length(list) : 0;
    if (count == 0) {
        field_wrong(reader, name, "is required");
        return;
    }
    if (count != 1) {
        field_wrong(reader, name,
                    "must contain a number of elements equal to that which were requested (1)");
        return;
    }
    g_autofree char *pointer = field_pointer(reader, name, 0);
    FieldReader item = {json_object_array_get_idx(list, 0), pointer, reader->errors, reader->keep};
    if (!json_object_is_type(item.object, json_type_object))
        api_errors_add(reader->errors, 422, "invalid_resource_data", pointer,
                       "Attribute '%s' may only contain objects with key-value pairs.", name);
    else if (!is_quote(&item))
        api_errors_add(reader->errors, 422, "invalid_resource_data", pointer,
                       "Attribute '%s' must appear in the same order as the evidence requested:"
                       " element 0 is a certification of type tpm_quote.",
                       name);
    else
        read_quote(&item, hash, pcrs, out);
}

bool quote_evidence_read(Json *attributes, uint16_t hash, uint32_t pcrs, QuoteEvidence *out,
                         ApiErrors *errors)
{
    *out = (QuoteEvidence){0};
    FieldKeep *keep = field_keep_new();
    guint before = errors->len;
    FieldReader reader = {attributes, "/data/attributes", errors, keep};
    read_items(&reader, hash, pcrs, out);
    field_keep_free(keep);
    if (errors->len == before)
        return true;
    quote_evidence_clear(out);
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
