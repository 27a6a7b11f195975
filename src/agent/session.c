/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.agent.session"

#include "agent/session.h"

#include "agent/message_session.h"
#include "base/log.h"
#include "base/secret.h"

#include <string.h>

#define JSON_API_TYPE "application/vnd.api+json"

static void set_refusal(GError **error, const HttpAnswer *answer, const char *what, const char *id)
{
    g_autoptr(Json) body = http_answer_json(answer);
    g_autofree char *details = remedy_answer_details(body);
    g_autofree char *unenrolled = remedy_for_unknown_key(id);
    g_autofree char *foreign = remedy_for_foreign_server(answer->status);
    bool unknown_route = answer->status == 404 || answer->status == 405 || answer->status == 410;
    const char *remedy = "";
    if (unknown_route || !body)
        remedy = foreign;
    else if (answer->status == 401)
        remedy = unenrolled;
    g_set_error(error, PROTOCOL_ERROR, PROTOCOL_ERROR_REFUSED,
                "Authentication failed: %s answered %u%s%s%s%s", what, answer->status,
                *details ? ": " : "", details, *remedy ? "; " : "", remedy);
}

static bool request_challenge(Peer *verifier, const Url *url, const char *agent_id,
                              SessionChallenge *challenge, GError **error)
{
    g_autofree char *target = url_join(url, "/v3.0/sessions");
    g_autofree char *text = session_request_write(agent_id);
    PeerRequest request = {.method = "POST",
                           .url = target,
                           .content_type = JSON_API_TYPE,
                           .accept = "*/*",
                           .body = text};
    g_autoptr(HttpAnswer) answer = peer_send(verifier, &request, error);
    if (!answer)
        return false;
    if (answer->status < 200 || answer->status > 299) {
        set_refusal(error, answer, "POST /v3.0/sessions", agent_id);
        return false;
    }
    g_autoptr(Json) body = http_answer_json(answer);
    if (!body) {
        set_refusal(error, answer, "POST /v3.0/sessions", agent_id);
        return false;
    }
    return session_challenge_read(body, challenge, error);
}

/* The answer to a proof is final whatever it is: a challenge answers once. */
static HttpAnswer *send_proof(Peer *verifier, const Url *url, Attester *attester,
                              const char *agent_id, const SessionChallenge *challenge,
                              GError **error)
{
    g_autoptr(GBytes) message = NULL;
    g_autoptr(GBytes) signature = NULL;
    if (!tpm_device_certify(attester->device, bytes_of_gbytes(challenge->challenge), &message,
                            &signature, error))
        return NULL;
    g_autofree char *segment = http_encode_segment(challenge->session_id);
    g_autofree char *target = url_join(url, "/v3.0/sessions/%s", segment);
    g_autofree char *text = session_proof_write(
        agent_id, challenge->session_id, bytes_of_gbytes(message), bytes_of_gbytes(signature));
    PeerRequest request = {.method = "PATCH",
                           .url = target,
                           .content_type = JSON_API_TYPE,
                           .accept = "*/*",
                           .body = text};
    return peer_send(verifier, &request, error);
}

static char *take_result(const HttpAnswer *answer, const char *agent_id, GError **error)
{
    g_autoptr(Json) body = http_answer_json(answer);
    g_autofree char *evaluation = NULL;
    char *token = NULL;
    bool told = json_member(body, "data") != NULL;
    if ((answer->status < 200 || answer->status > 299) && !(answer->status == 401 && told)) {
        set_refusal(error, answer, "PATCH /v3.0/sessions", agent_id);
        return NULL;
    }
    if (!session_result_read(body, &evaluation, &token, error))
        return NULL;
    if (token && answer->status < 300)
        return token;
    secret_free_text(token);
    log_warning("Authentication failed with evaluation: %s", evaluation);
    g_autofree char *remedy = remedy_for_unknown_key(agent_id);
    g_set_error(error, PROTOCOL_ERROR, PROTOCOL_ERROR_NOT_ENROLLED,
                "Authentication failed with evaluation: %s; %s", evaluation, remedy);
    return NULL;
}

char *session_authenticate(Peer *verifier, const Url *url, Attester *attester, const char *agent_id,
                           GError **error)
{
    log_info("Starting authentication flow for agent: %s", agent_id);
    g_auto(SessionChallenge) challenge = {0};
    if (!request_challenge(verifier, url, agent_id, &challenge, error))
        return NULL;
    g_autoptr(HttpAnswer) answer = send_proof(verifier, url, attester, agent_id, &challenge, error);
    char *token = answer ? take_result(answer, agent_id, error) : NULL;
    if (token)
        log_info("Authentication successful");
    return token;
}
