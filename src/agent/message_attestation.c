/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/message_attestation.h"

#include "agent/message_registration.h"
#include "base/encoding.h"

#include <string.h>

#define CHALLENGE_MAX 66

/* {"data": {"type": "attestation", "attributes": ...}} */
static char *attestation_document(Json *attributes)
{
    Json *data = json_object_new_object();
    json_add_text(data, "type", "attestation");
    json_add(data, "attributes", attributes);
    g_autoptr(Json) document = json_object_new_object();
    json_add(document, "data", data);
    return json_to_text(document);
}

static const struct {
    const char *evidence_class, *type;
} kinds[EVIDENCE_KINDS] = {
    [EVIDENCE_QUOTE] = {"certification", "tpm_quote"},
    [EVIDENCE_UEFI_LOG] = {"log", "uefi_log"},
    [EVIDENCE_IMA_LOG] = {"log", "ima_log"},
};

/* Adds {"evidence_class", "evidence_type", `member`: `value`}; `value` is taken over. */
static void add_item(Json *items, EvidenceKind kind, const char *member, Json *value)
{
    Json *item = json_object_new_object();
    json_add_text(item, "evidence_class", kinds[kind].evidence_class);
    json_add_text(item, "evidence_type", kinds[kind].type);
    json_add(item, member, value);
    json_object_array_add(items, item);
}

/* --- capabilities
 * ----------------------------------------------------------------------------------- */

static Json *signature_schemes(const TpmCapabilities *tpm)
{
    const char *names[5] = {0};
    size_t count = 0;
    if (tpm->ecdsa)
        names[count++] = "ecdsa";
    if (tpm->ecschnorr)
        names[count++] = "ecschnorr";
    if (tpm->rsapss)
        names[count++] = "rsapss";
    if (tpm->rsassa)
        names[count++] = "rsassa";
    return json_new_texts(names);
}

static Json *hash_algorithms(const PcrSelection *banks)
{
    const char *names[PCR_MAX_BANKS + 1] = {0};
    for (size_t i = 0; i < banks->count; i++)
        names[i] = tpm_algorithm_name(banks->bank[i].hash);
    return json_new_texts(names);
}

static Json *available_subjects(const PcrSelection *banks)
{
    Json *subjects = json_object_new_object();
    for (size_t i = 0; i < banks->count; i++) {
        Json *numbers = json_object_new_array();
        for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++) {
            if (banks->bank[i].pcrs & (1u << pcr))
                json_object_array_add(numbers, json_object_new_int((int)pcr));
        }
        json_add(subjects, tpm_algorithm_name(banks->bank[i].hash), numbers);
    }
    return subjects;
}

/* Exactly one hash and one scheme: the verifier requests PCRs in every allowed bank, a quote covers
 * one (verifier-push-api §10). */
static Json *certification_key(const Capabilities *capabilities)
{
    const TpmPublic *ak = capabilities->ak;
    g_autofree char *name = hex_encode(tpm_public_name(ak));
    const char *hash[] = {tpm_algorithm_name(ak->scheme_hash), NULL};
    const char *scheme[] = {tpm_algorithm_name(ak->scheme), NULL};
    Json *key = json_object_new_object();
    json_add_text(key, "key_class", "asymmetric");
    json_add_text(key, "key_algorithm", ak->type == TPM_ALG_RSA ? "rsa" : "ecc");
    json_add_int(key, "key_size", ak->key_bits);
    json_add_text(key, "server_identifier", capabilities->server_identifier);
    json_add_text(key, "local_identifier", name);
    json_add_base64(key, "public", bytes_of_gbytes(ak->tpmt));
    json_add(key, "allowable_hash_algorithms", json_new_texts(hash));
    json_add(key, "allowable_signature_schemes", json_new_texts(scheme));
    return key;
}

static Json *quote_capabilities(const Capabilities *capabilities)
{
    const PcrSelection *banks = &capabilities->tpm->banks;
    Json *keys = json_object_new_array();
    json_object_array_add(keys, certification_key(capabilities));
    Json *quote = json_object_new_object();
    json_add_text(quote, "component_version", "2.0");
    json_add(quote, "hash_algorithms", hash_algorithms(banks));
    json_add(quote, "signature_schemes", signature_schemes(capabilities->tpm));
    json_add(quote, "available_subjects", available_subjects(banks));
    json_add(quote, "certification_keys", keys);
    return quote;
}

/* `partial`: it grows, and can be sent from any entry on. */
static Json *log_capabilities(const char *version, guint64 entries, bool partial,
                              const char *format)
{
    const char *formats[] = {format, NULL};
    Json *log = json_object_new_object();
    if (version)
        json_add_text(log, "evidence_version", version);
    json_add_int(log, "entry_count", (gint64)entries);
    json_add_bool(log, "supports_partial_access", partial);
    json_add_bool(log, "appendable", partial);
    json_add(log, "formats", json_new_texts(formats));
    return log;
}

static bool is_offered(const Capabilities *capabilities, EvidenceKind kind)
{
    switch (kind) {
    case EVIDENCE_QUOTE:
        return true;
    case EVIDENCE_UEFI_LOG:
        return capabilities->has_uefi_log;
    case EVIDENCE_IMA_LOG:
        return capabilities->ima_entries > 0;
    case EVIDENCE_KINDS:
        break;
    }
    return false;
}

char *capabilities_write(const Capabilities *capabilities)
{
    Json *supported = json_object_new_array();
    add_item(supported, EVIDENCE_QUOTE, "capabilities", quote_capabilities(capabilities));
    if (is_offered(capabilities, EVIDENCE_UEFI_LOG))
        add_item(supported, EVIDENCE_UEFI_LOG, "capabilities",
                 log_capabilities(capabilities->uefi_version, capabilities->uefi_events, false,
                                  "application/octet-stream"));
    if (is_offered(capabilities, EVIDENCE_IMA_LOG))
        add_item(supported, EVIDENCE_IMA_LOG, "capabilities",
                 log_capabilities(NULL, capabilities->ima_entries, true, "text/plain"));
    Json *system = json_object_new_object();
    json_add_text(system, "boot_time", capabilities->boot_time);
    Json *attributes = json_object_new_object();
    json_add(attributes, "evidence_supported", supported);
    json_add(attributes, "system_info", system);
    return attestation_document(attributes);
}

/* --- what is asked for
 * ------------------------------------------------------------------------------ */

void evidence_request_clear(EvidenceRequest *request)
{
    g_clear_pointer(&request->challenge, g_bytes_unref);
    *request = (EvidenceRequest){0};
}

bool evidence_request_has(const EvidenceRequest *request, EvidenceKind kind)
{
    for (size_t i = 0; i < request->count; i++) {
        if (request->kinds[i] == kind)
            return true;
    }
    return false;
}

static bool refuse(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
static bool refuse(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, MESSAGE_ERROR, MESSAGE_ERROR_MALFORMED, text);
    return false;
}

static bool read_subjects(Json *parameters, uint16_t hash, EvidenceRequest *out, GError **error)
{
    Json *subjects = json_member(parameters, "selected_subjects");
    Json *numbers = json_member_of_type(subjects, tpm_algorithm_name(hash), json_type_array);
    size_t count = numbers ? json_object_array_length(numbers) : 0;
    out->selection.count = 1;
    out->selection.bank[0].hash = hash;
    for (size_t i = 0; i < count; i++) {
        Json *number = json_object_array_get_idx(numbers, i);
        gint64 pcr =
            json_object_is_type(number, json_type_int) ? json_object_get_int64(number) : -1;
        if (pcr < 0 || pcr >= PCR_COUNT)
            return refuse(error, "the verifier asks for a PCR that no TPM has");
        out->selection.bank[0].pcrs |= 1u << pcr;
    }
    return true;
}

/* An algorithm that the verifier names must be the AK's. */
static bool fits(const char *name, uint16_t own, const char *what, GError **error)
{
    if (!name || g_strcmp0(name, tpm_algorithm_name(own)) == 0)
        return true;
    return refuse(error,
                  "Mismatching AK signing scheme algorithms: the verifier asks for %s %s, the "
                  "attestation key has %s",
                  what, name, tpm_algorithm_name(own));
}

static bool read_quote_request(Json *parameters, uint16_t own_scheme, uint16_t own_hash,
                               EvidenceRequest *out, GError **error)
{
    const char *text = json_member_text(parameters, "challenge");
    g_autoptr(GBytes) challenge = text ? base64_decode(text) : NULL;
    if (!challenge || g_bytes_get_size(challenge) == 0 ||
        g_bytes_get_size(challenge) > CHALLENGE_MAX)
        return refuse(error, "the verifier's request for a quote has no usable challenge");
    if (!fits(json_member_text(parameters, "signature_scheme"), own_scheme, "scheme", error) ||
        !fits(json_member_text(parameters, "hash_algorithm"), own_hash, "hash", error) ||
        !read_subjects(parameters, own_hash, out, error))
        return false;
    out->scheme = own_scheme;
    out->hash = own_hash;
    out->challenge = g_steal_pointer(&challenge);
    return true;
}

static bool read_ima_request(Json *parameters, EvidenceRequest *out, GError **error)
{
    gint64 first = 0;
    gint64 limit = 0;
    json_member_int(parameters, "starting_offset", false, &first);
    json_member_int(parameters, "entry_count", false, &limit);
    if (first < 0 || limit < 0)
        return refuse(error, "the verifier asks for a negative number of log entries");
    out->ima_first = (guint64)first;
    out->ima_limit = (guint64)limit;
    return true;
}

/* EVIDENCE_KINDS = none that was offered, or one that was asked for already. */
static EvidenceKind kind_of(const char *type, const Capabilities *offered,
                            const EvidenceRequest *request)
{
    for (EvidenceKind kind = EVIDENCE_QUOTE; kind < EVIDENCE_KINDS; kind++) {
        if (g_strcmp0(type, kinds[kind].type) == 0 && is_offered(offered, kind) &&
            !evidence_request_has(request, kind))
            return kind;
    }
    return EVIDENCE_KINDS;
}

static bool read_item(Json *item, const Capabilities *offered, EvidenceRequest *out, GError **error)
{
    const char *type = json_member_text(item, "evidence_type");
    Json *parameters = json_member(item, "chosen_parameters");
    EvidenceKind kind = kind_of(type, offered, out);
    if (kind == EVIDENCE_KINDS)
        return refuse(error, "the verifier asks for evidence that was not offered: %s",
                      type ? type : "(no type)");
    out->kinds[out->count++] = kind;
    if (kind == EVIDENCE_QUOTE)
        return read_quote_request(parameters, offered->ak->scheme, offered->ak->scheme_hash, out,
                                  error);
    return kind != EVIDENCE_IMA_LOG || read_ima_request(parameters, out, error);
}

bool evidence_request_read(Json *body, const Capabilities *offered, EvidenceRequest *out,
                           GError **error)
{
    Json *attributes = json_member(json_member(body, "data"), "attributes");
    Json *requested = json_member_of_type(attributes, "evidence_requested", json_type_array);
    size_t count = requested ? json_object_array_length(requested) : 0;
    evidence_request_clear(out);
    if (count == 0)
        return refuse(error, "No valid evidence requests found");
    for (size_t i = 0; i < count; i++) {
        if (!read_item(json_object_array_get_idx(requested, i), offered, out, error))
            return false;
    }
    if (!evidence_request_has(out, EVIDENCE_QUOTE))
        return refuse(error, "the verifier asks for logs without a quote that would prove them");
    const char *expires = json_member_text(attributes, "challenges_expire_at");
    if (!expires || !timestamp_parse(expires, &out->expires))
        out->expires = 0;
    return true;
}

/* --- evidence
 * --------------------------------------------------------------------------------------- */

static Json *quote_data(const Evidence *evidence)
{
    Json *data = json_object_new_object();
    json_add_base64(data, "message", evidence->message);
    json_add_base64(data, "signature", evidence->signature);
    json_add_base64(data, "subject_data", evidence->pcr_blob);
    return data;
}

/* Upstream's verifier and agent tell the two kinds of log apart by `entry_count`. */
static Json *uefi_data(const Evidence *evidence)
{
    Json *data = json_object_new_object();
    json_add_base64(data, "entries", evidence->uefi_log);
    return data;
}

static Json *ima_data(const Evidence *evidence)
{
    Json *data = json_object_new_object();
    const char *text = (const char *)evidence->ima_text.data;
    size_t size = evidence->ima_text.size;
    if (size == 0 || g_utf8_validate_len(text, size, NULL)) {
        json_add_utf8(data, "entries", evidence->ima_text);
    } else {
        g_autofree char *valid = g_utf8_make_valid(text, (gssize)size);
        json_add_text(data, "entries", valid);
        json_add_base64(data, "entries_raw", evidence->ima_text);
    }
    json_add_int(data, "entry_count", (gint64)evidence->ima_entries);
    return data;
}

char *evidence_write(const EvidenceRequest *request, const Evidence *evidence)
{
    static Json *(*const writers[EVIDENCE_KINDS])(const Evidence *evidence) = {
        [EVIDENCE_QUOTE] = quote_data,
        [EVIDENCE_UEFI_LOG] = uefi_data,
        [EVIDENCE_IMA_LOG] = ima_data,
    };
    Json *collected = json_object_new_array();
    for (size_t i = 0; i < request->count; i++)
        add_item(collected, request->kinds[i], "data", writers[request->kinds[i]](evidence));
    Json *attributes = json_object_new_object();
    json_add(attributes, "evidence_collected", collected);
    return attestation_document(attributes);
}

gint64 acceptance_read(Json *body)
{
    gint64 seconds;
    bool told =
        json_member_int(json_member(body, "meta"), "seconds_to_next_attestation", false, &seconds);
    return told && seconds >= 0 ? seconds : -1;
}

const char *own_status_read(Json *body)
{
    return json_member_text(json_member(body, "results"), "attestation_status");
}
