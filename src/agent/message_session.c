/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/message_session.h"

#include "agent/message_registration.h"
#include "base/encoding.h"

#include <string.h>

/* TPM2B_DATA of a TPM with SHA-512; a shorter one than 16 bytes would not be fresh. */
#define CHALLENGE_MAX 66

static Json *session_document(const char *session_id, Json *attributes)
{
    Json *data = json_object_new_object();
    json_add_text(data, "type", "session");
    if (session_id)
        json_add_text(data, "id", session_id);
    json_add(data, "attributes", attributes);
    Json *document = json_object_new_object();
    json_add(document, "data", data);
    return document;
}

static Json *pop_method(void)
{
    Json *method = json_object_new_object();
    json_add_text(method, "authentication_class", "pop");
    json_add_text(method, "authentication_type", "tpm_pop");
    return method;
}

static Json *array_of_one(Json *item)
{
    Json *array = json_object_new_array();
    json_object_array_add(array, item);
    return array;
}

char *session_request_write(const char *agent_id)
{
    Json *attributes = json_object_new_object();
    json_add_text(attributes, "agent_id", agent_id);
    json_add(attributes, "authentication_supported", array_of_one(pop_method()));
    g_autoptr(Json) document = session_document(NULL, attributes);
    return json_to_text(document);
}

void session_challenge_clear(SessionChallenge *challenge)
{
    g_clear_pointer(&challenge->session_id, g_free);
    g_clear_pointer(&challenge->challenge, g_bytes_unref);
}

static bool is_pop(Json *item)
{
    return g_strcmp0(json_member_text(item, "authentication_class"), "pop") == 0 &&
           g_strcmp0(json_member_text(item, "authentication_type"), "tpm_pop") == 0;
}

bool session_challenge_read(Json *body, SessionChallenge *out, GError **error)
{
    static const char what[] = "answer to POST /v3.0/sessions";
    Json *data = json_member(body, "data");
    const char *id = json_member_text(data, "id");
    if (!id || !*id)
        return message_lacks(error, what, "data.id");
    Json *requested = json_member_of_type(json_member(data, "attributes"),
                                          "authentication_requested", json_type_array);
    size_t count = requested ? json_object_array_length(requested) : 0;
    for (size_t i = 0; i < count; i++) {
        Json *item = json_object_array_get_idx(requested, i);
        if (!is_pop(item))
            continue;
        const char *text = json_member_text(json_member(item, "chosen_parameters"), "challenge");
        g_autoptr(GBytes) challenge = text ? base64_decode(text) : NULL;
        if (!challenge || g_bytes_get_size(challenge) == 0 ||
            g_bytes_get_size(challenge) > CHALLENGE_MAX)
            return message_lacks(error, what, "challenge");
        out->session_id = g_strdup(id);
        out->challenge = g_steal_pointer(&challenge);
        return true;
    }
    return message_lacks(error, what, "authentication_requested with class pop and type tpm_pop");
}

char *session_proof_write(const char *agent_id, const char *session_id, Bytes message,
                          Bytes signature)
{
    Json *proof = json_object_new_object();
    json_add_base64(proof, "message", message);
    json_add_base64(proof, "signature", signature);
    Json *provided = pop_method();
    json_add(provided, "data", proof);
    Json *attributes = json_object_new_object();
    json_add_text(attributes, "agent_id", agent_id);
    json_add(attributes, "authentication_provided", array_of_one(provided));
    g_autoptr(Json) document = session_document(session_id, attributes);
    return json_to_text(document);
}

/* What may stand in an Authorization header (RFC 6750 section 2.1). */
static bool is_token(const char *text)
{
    if (!text || !*text)
        return false;
    for (const char *c = text; *c; c++) {
        if (!g_ascii_isalnum(*c) && !strchr("-._~+/=", *c))
            return false;
    }
    return true;
}

bool session_result_read(Json *body, char **evaluation, char **token, GError **error)
{
    static const char what[] = "answer to PATCH /v3.0/sessions";
    Json *attributes = json_member(json_member(body, "data"), "attributes");
    const char *text = json_member_text(attributes, "evaluation");
    if (!text)
        return message_lacks(error, what, "evaluation");
    const char *secret = json_member_text(attributes, "token");
    bool passed = strcmp(text, "pass") == 0;
    if (passed && !is_token(secret))
        return message_lacks(error, what, "token");
    *evaluation = g_strdup(text);
    *token = passed ? g_strdup(secret) : NULL;
    json_wipe_member(attributes, "token");
    return true;
}
