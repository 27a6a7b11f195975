/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.verifier"
#include "verifier/session/routes.h"

#include "base/encoding.h"
#include "base/identifier.h"
#include "base/log.h"
#include "base/secret.h"
#include "http/envelope.h"
#include "verifier/appraisal/pool.h"
#include "verifier/database_trouble.h"
#include "verifier/session/limits.h"
#include "verifier/session/proof.h"
#include "verifier/session/store.h"

#include <string.h>

#define DETAIL_LIMIT "Rate limit exceeded. Please try again later."
#define DETAIL_AGENT_LIMIT "Rate limit exceeded for this agent. Please try again later."

/* --- reading ---------------------------------------------------------------------------------- */

/* `data.attributes`; an array of one resource counts as that one (decision D76). */
static Json *attributes_of(const HttpRequest *request)
{
    Json *data = json_member(http_request_json(request), "data");
    if (json_object_is_type(data, json_type_array) && json_object_array_length(data) == 1)
        data = json_object_array_get_idx(data, 0);
    return json_member_of_type(data, "attributes", json_type_object);
}

/* NULL: the answer says what is wrong with it. */
static const char *agent_id_of(Json *attributes, HttpResponse *response)
{
    const char *agent_id = json_member_text(attributes, "agent_id");
    if (agent_id_is_valid(agent_id))
        return agent_id;
    bool given = json_member(attributes, "agent_id") && (!agent_id || *agent_id);
    envelope_gate_error(response, 400,
                        given ? "agent_id must be a text of 1 to 80 characters out of"
                                " A-Z a-z 0-9 . _ -"
                              : "agent_id is required");
    return NULL;
}

/* Some element with authentication_type tpm_pop; its class is not looked at. */
static bool offers_possession(Json *attributes)
{
    Json *methods = json_member_of_type(attributes, "authentication_supported", json_type_array);
    size_t count = methods ? json_object_array_length(methods) : 0;
    for (size_t i = 0; i < count; i++) {
        const char *type =
            json_member_text(json_object_array_get_idx(methods, i), "authentication_type");
        if (g_strcmp0(type, "tpm_pop") == 0)
            return true;
    }
    return false;
}

/* --- writing ---------------------------------------------------------------------------------- */

static void add_time(Json *object, const char *name, Timestamp time)
{
    g_autofree char *text = timestamp_format(time);
    json_add_text(object, name, text);
}

/* {"authentication_class", "authentication_type", "chosen_parameters": {"challenge"}}, in an array.
 */
static Json *method_of(const SessionChallenge *challenge, Json **methods)
{
    Json *parameters = json_object_new_object();
    json_add_base64(parameters, "challenge",
                    bytes_of(challenge->challenge, SESSION_CHALLENGE_SIZE));
    Json *method = json_object_new_object();
    json_add_text(method, "authentication_class", "pop");
    json_add_text(method, "authentication_type", "tpm_pop");
    json_add(method, "chosen_parameters", parameters);
    *methods = json_object_new_array();
    json_object_array_add(*methods, method);
    return method;
}

static void send_session(HttpResponse *response, unsigned code, const char *id, Json *attributes)
{
    Json *data = json_object_new_object();
    json_add_text(data, "type", "session");
    json_add_text(data, "id", id);
    json_add(data, "attributes", attributes);
    envelope_data(response, code, data);
}

/* The id tells the expiry, and the expiry the creation: nothing else is remembered of a challenge.
 */
static void add_challenge_times(Json *attributes, const SessionChallenge *challenge,
                                const VerifierSettings *settings)
{
    add_time(attributes, "created_at", challenge->expires - settings->nonce_lifetime);
    add_time(attributes, "challenges_expire_at", challenge->expires);
}

static void refuse_for(HttpResponse *response, unsigned seconds, const char *detail)
{
    envelope_gate_error(response, 429, detail);
    http_response_retry_after(response, seconds);
}

/* --- POST ------------------------------------------------------------------------------------- */

/* Whether the agent is enrolled is not looked at: strangers learn nothing (verifier-push-api §4.6).
 */
void session_create(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Verifier *verifier = context;
    Timestamp now = timestamp_now();
    const char *peer = http_request_peer(request);
    unsigned wait = session_limits_count_address(verifier->limits, peer, now);
    if (wait > 0) {
        refuse_for(response, wait, DETAIL_LIMIT);
        return;
    }
    Json *attributes = attributes_of(request);
    const char *agent_id = agent_id_of(attributes, response);
    if (!agent_id)
        return;
    wait = session_limits_count_agent(verifier->limits, peer, agent_id, now);
    if (wait > 0) {
        refuse_for(response, wait, DETAIL_AGENT_LIMIT);
        return;
    }
    if (!offers_possession(attributes)) {
        envelope_gate_error(response, 400,
                            "authentication_supported must include tpm_pop authentication type");
        return;
    }
    g_auto(ServerKeySet) keys = {0};
    server_keys_get(verifier->keys, now, &keys);
    SessionChallenge challenge;
    session_challenge_make(keys.secret[0], agent_id, now + verifier->settings.nonce_lifetime,
                           &challenge);
    Json *answer = json_object_new_object(), *methods;
    json_add_text(answer, "agent_id", agent_id);
    method_of(&challenge, &methods);
    json_add(answer, "authentication_requested", methods);
    add_challenge_times(answer, &challenge, &verifier->settings);
    send_session(response, 200, challenge.id, answer);
}

/* --- PATCH ------------------------------------------------------------------------------------ */

/* What one PATCH is about, filled step by step. */
typedef struct {
    Verifier *verifier;
    HttpResponse *response;
    const char *peer, *agent_id;
    const char *message, *signature; /* texts as received, "" when absent */
    bool possession;                 /* the first element's type is tpm_pop */
    SessionChallenge challenge;
    Timestamp received_at;
    AgentRecord *record;
    bool consumed;
} Proof;

/* Only the first element counts. False: it is no array. */
static bool read_proof(Json *attributes, Proof *proof)
{
    proof->message = proof->signature = "";
    Json *provided = json_member(attributes, "authentication_provided");
    if (provided && !json_object_is_type(provided, json_type_array))
        return false;
    Json *first = provided && json_object_array_length(provided) > 0
                      ? json_object_array_get_idx(provided, 0)
                      : NULL;
    Json *data = json_member_of_type(first, "data", json_type_object);
    const char *message = json_member_text(data, "message");
    const char *signature = json_member_text(data, "signature");
    proof->possession = g_strcmp0(json_member_text(first, "authentication_type"), "tpm_pop") == 0;
    proof->message = message ? message : "";
    proof->signature = signature ? signature : "";
    return true;
}

/* The object that passes and failures share (verifier-push-api §4.2). */
static Json *proof_attributes(const Proof *proof, const char *evaluation, const char *token)
{
    Json *attributes = json_object_new_object(), *methods;
    json_add_text(attributes, "agent_id", proof->agent_id);
    json_add_text(attributes, "evaluation", evaluation);
    if (token)
        json_add_text(attributes, "token", token);
    Json *data = json_object_new_object();
    json_add_text(data, "message", proof->message);
    json_add_text(data, "signature", proof->signature);
    json_add(method_of(&proof->challenge, &methods), "data", data);
    json_add(attributes, "authentication", methods);
    add_challenge_times(attributes, &proof->challenge, &proof->verifier->settings);
    add_time(attributes, "response_received_at", proof->received_at);
    return attributes;
}

static void send_failure(const Proof *proof, unsigned code)
{
    send_session(proof->response, code, proof->challenge.id, proof_attributes(proof, "fail", NULL));
}

static bool load_work(Connection *connection, gpointer data, GError **error)
{
    Proof *proof = data;
    g_clear_pointer(&proof->record, agent_record_free);
    return session_store_is_consumed(connection, proof->challenge.id, &proof->consumed, error) &&
           agent_record_load(connection, proof->agent_id, &proof->record, error);
}

/* Steps 2 and 3: the id, under the keys in memory, then under fresh ones. */
static bool find_challenge(Proof *proof, const char *id)
{
    SessionIdResult result = SESSION_ID_UNKNOWN;
    for (unsigned attempt = 0; attempt < 2 && result == SESSION_ID_UNKNOWN; attempt++) {
        if (attempt > 0 && !server_keys_refresh(proof->verifier->keys, proof->received_at))
            break;
        g_auto(ServerKeySet) keys = {0};
        server_keys_get(proof->verifier->keys, proof->received_at, &keys);
        result = session_challenge_check(&keys, id, proof->agent_id, &proof->challenge);
    }
    if (result == SESSION_ID_UNKNOWN)
        envelope_gate_error(proof->response, 404, "Session not found");
    if (result == SESSION_ID_OTHER_AGENT)
        envelope_gate_error(proof->response, 400, "Agent ID mismatch");
    return result == SESSION_ID_GENUINE;
}

/* Steps 4 and 5: consumed, expired, not enrolled. False when the answer is given. */
static bool may_prove(Proof *proof)
{
    g_autoptr(GError) error = NULL;
    if (!database_read(proof->verifier->database, load_work, proof, &error)) {
        database_trouble_gate(proof->response, error);
        return false;
    }
    if (proof->consumed) {
        envelope_gate_error(proof->response, 404, "Session not found");
        return false;
    }
    if (proof->received_at > proof->challenge.expires) {
        log_info("Authentication failed for agent '%s': the challenge has expired",
                 proof->agent_id);
        Json *attributes = proof_attributes(proof, "fail", NULL);
        json_add_null(attributes, "token_expires_at");
        send_session(proof->response, 200, proof->challenge.id, attributes);
        return false;
    }
    if (!proof->record) {
        log_warning("Authentication failed for unenrolled agent '%s'", proof->agent_id);
        send_failure(proof, 200);
        return false;
    }
    return true;
}

static bool is_proven(const Proof *proof)
{
    const char *reason = NULL;
    if (!proof->possession || !*proof->message || !*proof->signature)
        reason = "no proof of possession was given";
    else
        reason = session_proof_check(
            proof->record, appraisal_pool_references(proof->verifier->appraisals), proof->message,
            proof->signature, bytes_of(proof->challenge.challenge, SESSION_CHALLENGE_SIZE));
    if (!reason)
        return true;
    log_warning("Authentication failed for agent '%s': proof does not match the enrolled AK (%s)",
                proof->agent_id, reason);
    return false;
}

static bool open_work(Connection *connection, gpointer data, GError **error)
{
    return session_store_open(connection, data, error);
}

static void open_session(Proof *proof)
{
    uint8_t hash[TOKEN_HASH_SIZE];
    char *token = token_make(proof->challenge.id, hash);
    Timestamp now = timestamp_now();
    SessionOpening opening = {
        .agent_id = proof->agent_id,
        .challenge = &proof->challenge,
        .ak_name = bytes_of_gbytes(proof->record->ak_name),
        .token_hash = hash,
        .now = now,
        .expires = now + proof->verifier->settings.session_lifetime,
    };
    g_autoptr(GError) error = NULL;
    if (!database_write(proof->verifier->database, open_work, &opening, &error)) {
        database_trouble_gate(proof->response, error);
    } else if (opening.result == SESSION_CONSUMED) {
        envelope_gate_error(proof->response, 404, "Session not found");
    } else if (opening.result == SESSION_NOT_ENROLLED) {
        log_warning("Authentication failed for unenrolled agent '%s'", proof->agent_id);
        send_failure(proof, 200);
    } else {
        session_limits_proven(proof->verifier->limits, proof->peer, proof->agent_id);
        g_autofree char *fingerprint = secret_fingerprint(token);
        log_info("Agent '%s' authenticated, token %s", proof->agent_id, fingerprint);
        Json *attributes = proof_attributes(proof, "pass", token);
        add_time(attributes, "token_expires_at", opening.expires);
        send_session(proof->response, 200, proof->challenge.id, attributes);
        http_response_header(proof->response, "Cache-Control", "no-store");
    }
    secret_free_text(token);
}

static void prove(Proof *proof, const char *id)
{
    if (!find_challenge(proof, id) || !may_prove(proof))
        return;
    unsigned wait =
        session_limits_proofs_wait(proof->verifier->limits, proof->peer, proof->received_at);
    if (wait > 0) {
        refuse_for(proof->response, wait, DETAIL_LIMIT);
    } else if (is_proven(proof)) {
        open_session(proof);
    } else {
        session_limits_count_failed_proof(proof->verifier->limits, proof->peer, proof->received_at);
        send_failure(proof, 401);
        http_response_header(proof->response, "WWW-Authenticate", "Bearer");
    }
}

void session_prove(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Proof proof = {
        .verifier = context,
        .response = response,
        .peer = http_request_peer(request),
        .received_at = timestamp_now(),
    };
    Json *attributes = attributes_of(request);
    proof.agent_id = agent_id_of(attributes, response);
    if (!proof.agent_id)
        return;
    if (!read_proof(attributes, &proof)) {
        envelope_gate_error(response, 400, "authentication_provided must be an array");
        return;
    }
    prove(&proof, http_request_parameter(request, "session_id"));
    agent_record_free(proof.record);
}
