/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.agent.attestation"

#include "agent/attestation.h"

#include "agent/message_registration.h"
#include "base/log.h"
#include "base/secret.h"

#include <string.h>

#define JSON_API_TYPE "application/vnd.api+json"

static void drop_token(Attestation *self)
{
    g_clear_pointer(&self->token, secret_free_text);
}

void attestation_clear(Attestation *attestation)
{
    drop_token(attestation);
    g_clear_pointer(&attestation->location, g_free);
    g_clear_pointer(&attestation->boot_time, g_free);
    evidence_request_clear(&attestation->request);
}

/* --- answers
 * ---------------------------------------------------------------------------------------- */

/* A 403 about the attestation itself says nothing against the token. */
static bool concerns_attestation(const char *code)
{
    static const char *const codes[] = {"old_attestation", "evidence_immutable",
                                        "challenges_expired", "agent_attestations_disabled", NULL};
    return code && g_strv_contains(codes, code);
}

static ProtocolError error_of_status(unsigned status, const char *code)
{
    if (status == 401)
        return PROTOCOL_ERROR_UNAUTHORISED;
    if (status == 404 && g_strcmp0(code, "not_found") == 0)
        return PROTOCOL_ERROR_NOT_ENROLLED;
    return PROTOCOL_ERROR_REFUSED;
}

static bool set_refusal(Attestation *self, const HttpAnswer *answer, const char *what,
                        GError **error)
{
    g_autoptr(Json) body = http_answer_json(answer);
    g_autofree char *details = remedy_answer_details(body);
    const char *code = remedy_answer_code(body);
    g_autofree char *remedy = remedy_for_attestation(answer->status, body, self->agent_id);
    if (answer->status == 401) {
        log_warning("Received 401 Unauthorized, clearing token for future requests");
        drop_token(self);
    } else if (answer->status == 403 && !concerns_attestation(code)) {
        log_warning("Received 403 Forbidden, clearing token for future requests");
        drop_token(self);
    }
    g_set_error(error, PROTOCOL_ERROR, error_of_status(answer->status, code), "%s%u%s%s%s%s%s%s",
                what, answer->status, *details ? ": " : "", details, remedy ? "; " : "",
                remedy ? remedy : "", code && !remedy ? " " : "", code && !remedy ? code : "");
    return false;
}

/* --- negotiation
 * ------------------------------------------------------------------------------------ */

static bool need_token(Attestation *self, GError **error)
{
    if (self->token)
        return true;
    log_info("No authentication token available, performing initial authentication");
    self->token = session_authenticate(self->verifier, &self->settings->verifier, self->attester,
                                       self->agent_id, error);
    return self->token != NULL;
}

/* A list that cannot be read is none: the other evidence still says much. */
static guint64 count_entries(MeasurementList *list)
{
    g_autoptr(GError) error = NULL;
    guint64 entries;
    if (!measurement_list_count(list, &entries, &error))
        log_error("%s; IMA evidence is not offered", error->message);
    return entries;
}

static Capabilities what_is_offered(const Attestation *self)
{
    return (Capabilities){
        .tpm = &self->attester->capabilities,
        .ak = self->attester->ak,
        .server_identifier = self->settings->server_identifier,
        .boot_time = self->boot_time,
        .has_uefi_log = self->uefi_log->bytes != NULL,
        .uefi_events = self->uefi_log->events,
        .uefi_version = self->settings->uefi_version,
        .ima_entries = count_entries(self->ima_log),
    };
}

static HttpAnswer *offer(Attestation *self, const Capabilities *capabilities, GError **error)
{
    g_autofree char *segment = http_encode_segment(self->agent_id);
    g_autofree char *url =
        url_join(&self->settings->verifier, "/v3.0/agents/%s/attestations", segment);
    g_autofree char *text = capabilities_write(capabilities);
    log_info("Capabilities negotiation URL (POST): %s", url);
    PeerRequest request = {.method = "POST",
                           .url = url,
                           .content_type = JSON_API_TYPE,
                           .accept = JSON_API_TYPE,
                           .token = self->token,
                           .body = text};
    return peer_send(self->verifier, &request, error);
}

static bool take_location(Attestation *self, const HttpAnswer *answer, GError **error)
{
    g_clear_pointer(&self->location, g_free);
    if (!answer->location) {
        g_set_error_literal(error, MESSAGE_ERROR, MESSAGE_ERROR_MALFORMED,
                            "the verifier's 201 answer has no Location header");
        return false;
    }
    self->location = url_resolve_location(&self->settings->verifier, answer->location);
    if (!self->location) {
        g_set_error(error, MESSAGE_ERROR, MESSAGE_ERROR_MALFORMED,
                    "the verifier's Location '%s' lies outside %s: not followed", answer->location,
                    self->settings->verifier.origin);
        return false;
    }
    return true;
}

bool attestation_negotiate(Attestation *attestation, GError **error)
{
    log_info("--- Phase 1: Sending Capabilities Negotiation ---");
    if (!need_token(attestation, error))
        return false;
    Capabilities capabilities = what_is_offered(attestation);
    g_autoptr(HttpAnswer) answer = offer(attestation, &capabilities, error);
    if (!answer)
        return false;
    if (answer->status != 201)
        return set_refusal(attestation, answer, "Negotiation failed with status code: ", error);
    g_autoptr(Json) body = http_answer_json(answer);
    return take_location(attestation, answer, error) &&
           evidence_request_read(body, &capabilities, &attestation->request, error);
}

/* --- evidence
 * --------------------------------------------------------------------------------------- */

static GBytes *read_ima_log(Attestation *self, guint64 *entries, GError **error)
{
    const EvidenceRequest *request = &self->request;
    *entries = 0;
    if (!evidence_request_has(request, EVIDENCE_IMA_LOG))
        return g_bytes_new_static(NULL, 0);
    GBytes *text = measurement_list_read(self->ima_log, request->ima_first, request->ima_limit,
                                         entries, error);
    if (text)
        log_info("IMA measurement list: %" G_GUINT64_FORMAT
                 " entries from number %" G_GUINT64_FORMAT " on, %" G_GSIZE_FORMAT " bytes",
                 *entries, request->ima_first, g_bytes_get_size(text));
    return text;
}

/* The quote comes before the list, so that the list is never shorter than what the quote covers
 * (ima §9.3). */
static char *collect(Attestation *self, GError **error)
{
    g_autofree PcrValues *values = g_new(PcrValues, 1);
    g_autoptr(GBytes) message = NULL;
    g_autoptr(GBytes) signature = NULL;
    if (!tpm_device_quote(self->attester->device, &self->request.selection,
                          bytes_of_gbytes(self->request.challenge), &message, &signature, values,
                          error))
        return NULL;
    guint64 ima_entries;
    g_autoptr(GBytes) ima_text = read_ima_log(self, &ima_entries, error);
    if (!ima_text)
        return NULL;
    g_autoptr(GBytes) blob = pcr_blob_make(values);
    Evidence evidence = {
        .message = bytes_of_gbytes(message),
        .signature = bytes_of_gbytes(signature),
        .pcr_blob = bytes_of_gbytes(blob),
        .uefi_log = bytes_of_gbytes(self->uefi_log->bytes),
        .ima_text = bytes_of_gbytes(ima_text),
        .ima_entries = ima_entries,
    };
    return evidence_write(&self->request, &evidence);
}

static bool take_acceptance(Attestation *self, const HttpAnswer *answer, gint64 *directive,
                            GError **error)
{
    log_info("PATCH Response code:%u", answer->status);
    if (answer->status != 202) {
        set_refusal(self, answer, "Verifier rejected the evidence with code: ", error);
        return false;
    }
    g_autoptr(Json) body = http_answer_json(answer);
    *directive = acceptance_read(body);
    if (*directive < 0)
        log_warning("The verifier's answer names no time for the next attestation: "
                    "attestation_interval_seconds is used");
    log_info("SUCCESS! Evidence accepted by the Verifier.");
    return true;
}

bool attestation_submit(Attestation *attestation, gint64 *directive, GError **error)
{
    log_info("--- Phase 2: Preparing and Sending Evidence ---");
    g_autofree char *url = g_steal_pointer(&attestation->location);
    g_autofree char *text = collect(attestation, error);
    if (!text)
        return false;
    log_info("Evidence handling URL (PATCH): %s", url);
    PeerRequest request = {.method = "PATCH",
                           .url = url,
                           .content_type = JSON_API_TYPE,
                           .accept = JSON_API_TYPE,
                           .token = attestation->token,
                           .body = text,
                           .not_after = attestation->request.expires};
    g_autoptr(HttpAnswer) answer = peer_send(attestation->verifier, &request, error);
    return answer && take_acceptance(attestation, answer, directive, error);
}
