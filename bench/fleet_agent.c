/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet_agent.h"

#include "base/encoding.h"
#include "tpm/credential.h"

#include <string.h>

#define JSON_API "Content-Type: application/vnd.api+json"

G_DEFINE_QUARK(fleet - error - quark, fleet_error)

static bool surprise(GError **error, const char *what, const HttpAnswer *answer)
{
    Bytes body = bytes_of_gbytes(answer->body);
    g_set_error(error, FLEET_ERROR, 0, "%s: %u %.*s", what, answer->status,
                (int)MIN(body.size, 400), (const char *)body.data);
    return false;
}

HttpClient *fleet_connect(const FleetServers *servers, bool tls, GError **error)
{
    HttpClientSettings settings = {
        .ca_file = tls ? servers->ca_file : NULL,
        .verify_peer = tls,
        .verify_host = tls,
        .timeout_ms = servers->timeout_ms,
        .wake_fd = -1,
    };
    return http_client_new(&settings, error);
}

static char *base64_of(GBytes *bytes)
{
    return base64_encode(bytes_of_gbytes(bytes));
}

static char *capabilities_body(const TpmPublic *ak)
{
    g_autofree char *public = base64_of(ak->tpmt);
    g_autofree char *name = hex_encode(tpm_public_name(ak));
    const char *family = tpm_algorithm_name(ak->type);
    const char *hash = tpm_algorithm_name(ak->scheme_hash);
    const char *scheme = tpm_algorithm_name(ak->scheme);
    return g_strdup_printf(
        "{\"data\":{\"type\":\"attestation\",\"attributes\":{\"evidence_supported\":[{"
        "\"evidence_class\":\"certification\",\"evidence_type\":\"tpm_quote\",\"capabilities\":{"
        "\"component_version\":\"2.0\",\"hash_algorithms\":[\"%s\"],\"signature_schemes\":[\"%s\"],"
        "\"available_subjects\":{\"%s\":[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,"
        "22,"
        "23]},\"certification_keys\":[{\"key_class\":\"asymmetric\",\"key_algorithm\":\"%s\","
        "\"key_size\":%u,\"server_identifier\":\"ak\",\"local_identifier\":\"%s\",\"public\":\"%"
        "s\","
        "\"allowable_hash_algorithms\":[\"%s\"],\"allowable_signature_schemes\":[\"%s\"]}]}}],"
        "\"system_info\":{\"boot_time\":\"2026-11-20T08:00:00Z\"}}}}",
        hash, scheme, hash, family, ak->key_bits, name, public, hash, scheme);
}

FleetAgent *fleet_agent_new(const char *id, SoftwareTpm *tpm, GError **error)
{
    FleetAgent *agent = g_new0(FleetAgent, 1);
    agent->id = g_strdup(id);
    agent->tpm = tpm;
    agent->capabilities = capabilities_body(software_tpm_ak(tpm));
    return agent;
}

void fleet_agent_free(FleetAgent *agent)
{
    if (!agent)
        return;
    g_free(agent->id);
    http_client_free(agent->verifier);
    g_free(agent->token);
    g_free(agent->capabilities);
    g_free(agent);
}

static HttpAnswer *send_json(HttpClient *client, const char *method, const char *url,
                             const char *type, const char *authorization, const char *body,
                             GError **error)
{
    const char *headers[] = {type, authorization, NULL};
    return http_client_send(client, method, url, headers, bytes_of_text(body), error);
}

bool fleet_register(FleetAgent *agent, HttpClient *registrar, const char *url, GError **error)
{
    g_autofree char *target = g_strdup_printf("%s/v2.6/agents/%s", url, agent->id);
    g_autoptr(GBytes) ek = tpm_public_to_tpm2b(software_tpm_ek(agent->tpm));
    g_autoptr(GBytes) ak = tpm_public_to_tpm2b(software_tpm_ak(agent->tpm));
    g_autofree char *ek_text = base64_of(ek);
    g_autofree char *ak_text = base64_of(ak);
    g_autofree char *body =
        g_strdup_printf("{\"aik_tpm\":\"%s\",\"ek_tpm\":\"%s\",\"ekcert\":\"\",\"iak_cert\":null,"
                        "\"idevid_cert\":null,"
                        "\"ip\":\"127.0.0.1\",\"mtls_cert\":\"disabled\",\"port\":9002}",
                        ak_text, ek_text);
    g_autoptr(HttpAnswer) registered =
        send_json(registrar, "POST", target, "Content-Type: application/json", NULL, body, error);
    if (!registered)
        return false;
    g_autoptr(Json) answer = http_answer_json(registered);
    const char *blob_text = json_member_text(json_member(answer, "results"), "blob");
    g_autoptr(GBytes) blob = blob_text ? base64_decode(blob_text) : NULL;
    if (registered->status != 200 || !blob)
        return surprise(error, "registration", registered);
    g_autoptr(GBytes) credential = software_tpm_activate(agent->tpm, bytes_of_gbytes(blob), error);
    if (!credential)
        return false;
    g_autofree char *tag = credential_auth_tag(bytes_of_gbytes(credential), agent->id);
    g_autofree char *proof = g_strdup_printf("{\"auth_tag\":\"%s\"}", tag);
    g_autoptr(HttpAnswer) activated =
        send_json(registrar, "PUT", target, "Content-Type: application/json", NULL, proof, error);
    if (!activated)
        return false;
    return activated->status == 200 || surprise(error, "activation", activated);
}

char *fleet_enrolment(const FleetAgent *agent)
{
    g_autoptr(GBytes) ak = tpm_public_to_tpm2b(software_tpm_ak(agent->tpm));
    g_autofree char *ak_text = base64_of(ak);
    /* PCRs of a fresh software TPM are zero. */
    return g_strdup_printf(
        "{\"v\":null,\"cloudagent_ip\":null,\"cloudagent_port\":null,\"verifier_ip\":\"127.0.0.1\","
        "\"verifier_port\":8881,\"tpm_policy\":\"{\\\"0\\\": [\\\"%064d\\\"], \\\"mask\\\": "
        "\\\"0x1\\\"}\",\"runtime_policy\":\"\",\"runtime_policy_name\":\"\",\"runtime_policy_"
        "key\":"
        "\"\",\"mb_policy\":null,\"mb_policy_name\":\"\",\"ima_sign_verification_keys\":\"\","
        "\"metadata\":\"{}\",\"revocation_key\":\"\",\"accept_tpm_hash_algs\":[\"sha512\","
        "\"sha384\","
        "\"sha256\"],\"accept_tpm_encryption_algs\":[\"ecc\",\"rsa\"],\"accept_tpm_signing_algs\":["
        "\"rsassa\",\"rsapss\",\"ecdsa\"],\"ak_tpm\":\"%s\",\"mtls_cert\":\"disabled\","
        "\"supported_version\":\"2.6\"}",
        0, ak_text);
}

/* POST of a session; its answer's attributes hold the challenge. New reference to the document. */
static Json *open_session(FleetAgent *agent, HttpClient *client, const char *url, GError **error)
{
    g_autofree char *target = g_strdup_printf("%s/v3.0/sessions", url);
    g_autofree char *body = g_strdup_printf(
        "{\"data\":{\"type\":\"session\",\"attributes\":{\"agent_id\":\"%s\","
        "\"authentication_supported\":[{\"authentication_class\":\"pop\",\"authentication_type\":"
        "\"tpm_pop\"}]}}}",
        agent->id);
    g_autoptr(HttpAnswer) answer = send_json(client, "POST", target, JSON_API, NULL, body, error);
    if (!answer)
        return NULL;
    Json *document = answer->status == 200 ? http_answer_json(answer) : NULL;
    if (!document)
        surprise(error, "session", answer);
    return document;
}

bool fleet_anonymous_session(FleetAgent *agent, HttpClient *client, const char *url, GError **error)
{
    g_autoptr(Json) document = open_session(agent, client, url, error);
    return document != NULL;
}

static GBytes *session_challenge(Json *data)
{
    Json *requested = json_member_of_type(json_member(data, "attributes"),
                                          "authentication_requested", json_type_array);
    Json *first = requested ? json_object_array_get_idx(requested, 0) : NULL;
    const char *text = json_member_text(json_member(first, "chosen_parameters"), "challenge");
    return text ? base64_decode(text) : NULL;
}

bool fleet_authenticate(FleetAgent *agent, HttpClient *client, const char *url, GError **error)
{
    g_autoptr(Json) document = open_session(agent, client, url, error);
    if (!document)
        return false;
    Json *data = json_member(document, "data");
    const char *session = json_member_text(data, "id");
    g_autoptr(GBytes) challenge = session_challenge(data);
    g_autoptr(GBytes) message = NULL;
    g_autoptr(GBytes) signature = NULL;
    if (!session || !challenge ||
        !software_tpm_certify(agent->tpm, bytes_of_gbytes(challenge), &message, &signature, error))
        return false;
    g_autofree char *target = g_strdup_printf("%s/v3.0/sessions/%s", url, session);
    g_autofree char *message_text = base64_of(message);
    g_autofree char *signature_text = base64_of(signature);
    g_autofree char *body = g_strdup_printf(
        "{\"data\":{\"type\":\"session\",\"id\":\"%s\",\"attributes\":{\"agent_id\":\"%s\","
        "\"authentication_provided\":[{\"authentication_class\":\"pop\",\"authentication_type\":"
        "\"tpm_pop\",\"data\":{\"message\":\"%s\",\"signature\":\"%s\"}}]}}}",
        session, agent->id, message_text, signature_text);
    g_autoptr(HttpAnswer) answer = send_json(client, "PATCH", target, JSON_API, NULL, body, error);
    if (!answer)
        return false;
    g_autoptr(Json) proven = http_answer_json(answer);
    const char *token =
        json_member_text(json_member(json_member(proven, "data"), "attributes"), "token");
    if (answer->status != 200 || !token)
        return surprise(error, "proof", answer);
    g_free(agent->token);
    agent->token = g_strdup(token);
    return true;
}

/* PCRs of the answer's tpm_quote item and its nonce. */
static GBytes *read_request(Json *document, PcrSelection *selection)
{
    Json *attributes = json_member(json_member(document, "data"), "attributes");
    Json *items = json_member_of_type(attributes, "evidence_requested", json_type_array);
    Json *parameters =
        items ? json_member(json_object_array_get_idx(items, 0), "chosen_parameters") : NULL;
    const char *hash = json_member_text(parameters, "hash_algorithm");
    const char *challenge = json_member_text(parameters, "challenge");
    Json *pcrs = hash ? json_member_of_type(json_member(parameters, "selected_subjects"), hash,
                                            json_type_array)
                      : NULL;
    if (!pcrs || !challenge)
        return NULL;
    *selection = (PcrSelection){.count = 1};
    selection->bank[0].hash = tpm_hash_from_name(hash);
    for (size_t i = 0; i < json_object_array_length(pcrs); i++)
        selection->bank[0].pcrs |=
            1u << (json_object_get_int(json_object_array_get_idx(pcrs, i)) & 31);
    return base64_decode(challenge);
}

static char *evidence_body(FleetAgent *agent, const PcrSelection *selection, GBytes *nonce,
                           GError **error)
{
    g_autoptr(GBytes) message = NULL;
    g_autoptr(GBytes) signature = NULL;
    g_autofree PcrValues *values = g_new0(PcrValues, 1);
    if (!software_tpm_quote(agent->tpm, selection, bytes_of_gbytes(nonce), &message, &signature,
                            values, error))
        return NULL;
    g_autoptr(GBytes) blob = pcr_blob_make(values);
    g_autofree char *blob_text = base64_of(blob);
    g_autofree char *message_text = base64_of(message);
    g_autofree char *signature_text = base64_of(signature);
    return g_strdup_printf(
        "{\"data\":{\"type\":\"attestation\",\"attributes\":{\"evidence_collected\":[{"
        "\"evidence_class\":\"certification\",\"evidence_type\":\"tpm_quote\",\"data\":{"
        "\"subject_data\":\"%s\",\"message\":\"%s\",\"signature\":\"%s\"}}]}}}",
        blob_text, message_text, signature_text);
}

bool fleet_attest(FleetAgent *agent, HttpClient *client, const char *url, FleetCycle *cycle,
                  GError **error)
{
    *cycle = (FleetCycle){0};
    g_autofree char *authorization = g_strdup_printf("Authorization: Bearer %s", agent->token);
    g_autofree char *target = g_strdup_printf("%s/v3.0/agents/%s/attestations", url, agent->id);
    gint64 started = g_get_monotonic_time();
    g_autoptr(HttpAnswer) created =
        send_json(client, "POST", target, JSON_API, authorization, agent->capabilities, error);
    cycle->challenge_us = g_get_monotonic_time() - started;
    if (!created)
        return false;
    if (created->status == 503 || created->status == 429) {
        cycle->busy = true;
        return true;
    }
    g_autoptr(Json) document = http_answer_json(created);
    PcrSelection selection;
    g_autoptr(GBytes) nonce = read_request(document, &selection);
    if (created->status != 201 || !nonce || !created->location)
        return surprise(error, "challenge", created);
    g_autofree char *body = evidence_body(agent, &selection, nonce, error);
    if (!body)
        return false;
    g_autofree char *evidence_url = g_strconcat(url, created->location, NULL);
    started = g_get_monotonic_time();
    g_autoptr(HttpAnswer) accepted =
        send_json(client, "PATCH", evidence_url, JSON_API, authorization, body, error);
    cycle->evidence_us = g_get_monotonic_time() - started;
    if (!accepted)
        return false;
    cycle->challenge = (Traffic){strlen(agent->capabilities), g_bytes_get_size(created->body)};
    cycle->evidence = (Traffic){strlen(body), g_bytes_get_size(accepted->body)};
    return accepted->status == 202 || surprise(error, "evidence", accepted);
}
