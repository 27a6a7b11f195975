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

static Json *evidence_item(const char *evidence_class, const char *type)
{
    Json *item = json_object_new_object();
    json_add_text(item, "evidence_class", evidence_class);
    json_add_text(item, "evidence_type", type);
    return item;
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

char *capabilities_write(const Capabilities *capabilities)
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
    Json *item = evidence_item("certification", "tpm_quote");
    json_add(item, "capabilities", quote);
    Json *supported = json_object_new_array();
    json_object_array_add(supported, item);
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

bool evidence_request_read(Json *body, uint16_t own_scheme, uint16_t own_hash, EvidenceRequest *out,
                           GError **error)
{
    Json *attributes = json_member(json_member(body, "data"), "attributes");
    Json *requested = json_member_of_type(attributes, "evidence_requested", json_type_array);
    size_t count = requested ? json_object_array_length(requested) : 0;
    evidence_request_clear(out);
    if (count == 0)
        return refuse(error, "No valid evidence requests found");
    for (size_t i = 0; i < count; i++) {
        Json *item = json_object_array_get_idx(requested, i);
        const char *type = json_member_text(item, "evidence_type");
        if (g_strcmp0(type, "tpm_quote") != 0 || out->challenge)
            return refuse(error, "the verifier asks for evidence that was not offered: %s",
                          type ? type : "(no type)");
        if (!read_quote_request(json_member(item, "chosen_parameters"), own_scheme, own_hash, out,
                                error))
            return false;
    }
    const char *expires = json_member_text(attributes, "challenges_expire_at");
    if (!expires || !timestamp_parse(expires, &out->expires))
        out->expires = 0;
    return true;
}

/* --- evidence
 * --------------------------------------------------------------------------------------- */

char *evidence_write(Bytes message, Bytes signature, Bytes pcr_blob)
{
    Json *quote = json_object_new_object();
    json_add_base64(quote, "message", message);
    json_add_base64(quote, "signature", signature);
    json_add_base64(quote, "subject_data", pcr_blob);
    Json *item = evidence_item("certification", "tpm_quote");
    json_add(item, "data", quote);
    Json *collected = json_object_new_array();
    json_object_array_add(collected, item);
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
