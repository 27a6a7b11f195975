/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/attestation/resource.h"

#include "verifier/attestation/evidence_message.h"

#include <string.h>

char *attestation_path(const char *version_prefix, const char *agent_id, gint64 index)
{
    return g_strdup_printf("%s/agents/%s/attestations/%" G_GINT64_FORMAT, version_prefix, agent_id,
                           index);
}

static void add_time(Json *attributes, const char *name, Timestamp time)
{
    if (time == 0)
        return;
    g_autofree char *text = timestamp_format(time);
    json_add_text(attributes, name, text);
}

static void add_system_info(Json *attributes, const AttestationRecord *record)
{
    if (record->boot_time == 0)
        return;
    Json *info = json_object_new_object();
    add_time(info, "boot_time", record->boot_time);
    json_add(attributes, "system_info", info);
}

static void add_times(Json *attributes, const AttestationRecord *record)
{
    add_time(attributes, "capabilities_received_at", record->capabilities_received_at);
    add_time(attributes, "challenges_expire_at", record->challenges_expire_at);
    add_time(attributes, "evidence_received_at", record->evidence_received_at);
}

/* {"sha256": [0, 10], "sha1": null}: the negotiated bank, and null for the others (decision D9). */
static Json *selected_subjects(uint16_t hash, uint32_t pcrs, const char *const *banks)
{
    Json *selected = json_object_new_object();
    const char *chosen = tpm_algorithm_name(hash);
    json_add(selected, chosen, pcr_bits_to_json(pcrs));
    for (; *banks; banks++)
        if (strcmp(*banks, chosen) != 0)
            json_add_null(selected, *banks);
    return selected;
}

/* `certification_key` is taken over. There is never a `format`: its presence tells agents that an
 * item is a log (verifier-push-api §1, row 9). */
static Json *chosen_parameters(const AttestationRecord *record, const char *const *banks,
                               Json *certification_key)
{
    Json *chosen = json_object_new_object();
    json_add_base64(chosen, "challenge", BYTES_OF_ARRAY(record->challenge));
    json_add_text(chosen, "signature_scheme", tpm_algorithm_name(record->quote_scheme));
    json_add_text(chosen, "hash_algorithm", tpm_algorithm_name(record->quote_hash));
    json_add(chosen, "selected_subjects",
             selected_subjects(record->quote_hash, record->quote_pcrs, banks));
    if (certification_key)
        json_add(chosen, "certification_key", certification_key);
    return chosen;
}

static Json *quote_item(void)
{
    Json *item = json_object_new_object();
    json_add_text(item, "evidence_class", "certification");
    json_add_text(item, "evidence_type", "tpm_quote");
    return item;
}

static Json *log_item(LogKind kind, const AskedLog *log)
{
    Json *item = json_object_new_object();
    json_add_text(item, "evidence_class", "log");
    json_add_text(item, "evidence_type", log_kind_text(kind));
    json_add(item, "chosen_parameters", asked_log_parameters(kind, log));
    return item;
}

static Json *resource_of(Json *attributes, const AttestationRecord *record,
                         const char *version_prefix)
{
    Json *resource = json_object_new_object();
    json_add_text(resource, "type", "attestation");
    g_autofree char *id = g_strdup_printf("%" G_GINT64_FORMAT, record->index);
    json_add_text(resource, "id", id);
    json_add(resource, "attributes", attributes);
    g_autofree char *path = attestation_path(version_prefix, record->agent_id, record->index);
    Json *links = json_object_new_object();
    json_add_text(links, "self", path);
    json_add(resource, "links", links);
    return resource;
}

Json *attestation_created_resource(const AttestationRecord *record, const Negotiated *negotiated,
                                   const char *version_prefix)
{
    const OfferedQuote *quote = negotiated->quote;
    const char *banks[PCR_MAX_BANKS + 1] = {NULL};
    for (unsigned i = 0; i < quote->bank_count; i++)
        banks[i] = quote->bank[i].name;
    Json *item = quote_item();
    json_add(item, "chosen_parameters",
             chosen_parameters(record, banks, offered_key_to_json(&quote->key[negotiated->key])));
    Json *requested = json_object_new_array_ext(1);
    json_object_array_add(requested, item);
    for (unsigned kind = 0; kind < LOG_KINDS; kind++)
        if (record->logs.log[kind].asked)
            json_object_array_add(requested, log_item((LogKind)kind, &record->logs.log[kind]));

    Json *attributes = json_object_new_object();
    json_add_text(attributes, "stage", attestation_stage_text(record->stage));
    json_add(attributes, "evidence_requested", requested);
    add_system_info(attributes, record);
    add_times(attributes, record);
    return resource_of(attributes, record, version_prefix);
}

Json *attestation_received_resource(const AttestationRecord *record, const char *version_prefix)
{
    Json *attributes = json_object_new_object();
    json_add_text(attributes, "stage", attestation_stage_text(STAGE_EVALUATING_EVIDENCE));
    json_add(attributes, "evidence", json_object_new_array_ext(1));
    add_system_info(attributes, record);
    add_times(attributes, record);
    return resource_of(attributes, record, version_prefix);
}

static Json *full_item(const AttestationRecord *record)
{
    g_autoptr(Json) stored = json_parse(bytes_of_text(record->capabilities), NULL);
    g_autofree const char **banks = offered_quote_stored_banks(stored);
    Json *item = quote_item();
    json_add(item, "capabilities", offered_quote_stored_capabilities(stored));
    json_add(item, "chosen_parameters",
             chosen_parameters(record, banks, offered_quote_stored_key(stored, record->quote_key)));
    if (record->message && record->signature && record->pcr_blob)
        json_add(item, "data",
                 quote_data_to_json(bytes_of_gbytes(record->message),
                                    bytes_of_gbytes(record->signature),
                                    bytes_of_gbytes(record->pcr_blob)));
    return item;
}

static Json *full_log_item(const AttestationRecord *record, LogKind kind, GBytes *content)
{
    const AskedLog *log = &record->logs.log[kind];
    Json *item = log_item(kind, log);
    json_add(item, "capabilities", json_object_get(log->capabilities));
    if (record->stage != STAGE_AWAITING_EVIDENCE)
        json_add(item, "data", log_data_to_json(kind, log, content));
    return item;
}

/* A column that holds a JSON array; an empty one for NULL. */
static Json *stored_list(const char *text)
{
    Json *list = text ? json_parse(bytes_of_text(text), NULL) : NULL;
    return list ? list : json_object_new_array_ext(1);
}

Json *attestation_resource(const AttestationRecord *record, GBytes *const *logs,
                           const char *version_prefix)
{
    Json *attributes = json_object_new_object();
    json_add_text(attributes, "stage", attestation_stage_text(record->stage));
    json_add_text(attributes, "evaluation", evaluation_text(record->evaluation));
    json_add_text(attributes, "failure_reason", record->failure_reason);
    Json *items = json_object_new_array_ext(1);
    json_object_array_add(items, full_item(record));
    for (unsigned kind = 0; kind < LOG_KINDS; kind++)
        if (record->logs.log[kind].asked)
            json_object_array_add(items,
                                  full_log_item(record, (LogKind)kind, logs ? logs[kind] : NULL));
    json_add(attributes, "evidence", items);
    add_system_info(attributes, record);
    add_times(attributes, record);
    add_time(attributes, "verification_completed_at", record->verification_completed_at);
    json_add(attributes, "failures", stored_list(record->failures));
    json_add(attributes, "warnings", stored_list(record->warnings));
    return resource_of(attributes, record, version_prefix);
}
