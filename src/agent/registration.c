/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.agent.registration"

#include "agent/registration.h"

#include "agent/device_certificate.h"
#include "agent/message_registration.h"
#include "base/log.h"
#include "base/secret.h"
#include "tpm/credential.h"

#include <string.h>

G_DEFINE_QUARK(keylime - protocol - error, protocol_error)

#define JSON_TYPE "application/json"
/* From this version on the IAK signs the hash of the agent id (tpm-formats §8.3). */
#define HASHED_ID_VERSION "2.6"

typedef struct {
    Peer *registrar;
    Attester *attester;
    const AgentSettings *settings;
    const char *agent_id;
    char *version;          /* "2.6" */
    bool hashed_qualifying; /* the registrar lists 2.6 */
} Registration;

static bool is_success(const HttpAnswer *answer)
{
    return answer->status >= 200 && answer->status < 300;
}

static bool set_refusal(GError **error, const HttpAnswer *answer, const char *what,
                        const char *agent_id)
{
    g_autoptr(Json) body = http_answer_json(answer);
    g_autofree char *details = remedy_answer_details(body);
    const char *reason = *details ? details : "no reason given";
    if (answer->status == 403)
        g_set_error(error, PROTOCOL_ERROR, PROTOCOL_ERROR_FORBIDDEN,
                    "%s forbidden (403): %s. The registrar knows this agent id with another TPM "
                    "identity; if that is right: keylime_tenant -c regdelete -u %s",
                    what, reason, agent_id);
    else
        g_set_error(error, PROTOCOL_ERROR, PROTOCOL_ERROR_REFUSED, "%s refused (%u): %s", what,
                    answer->status, reason);
    return false;
}

/* --- version
 * ---------------------------------------------------------------------------------------- */

static bool negotiate_version(Registration *self, GError **error)
{
    g_autofree char *url = url_join(&self->settings->registrar, "/version");
    PeerRequest request = {.method = "GET", .url = url, .accept = "*/*"};
    g_autoptr(HttpAnswer) answer = peer_send(self->registrar, &request, error);
    if (!answer)
        return false;
    g_autoptr(Json) body = http_answer_json(answer);
    g_autofree const char **offered = NULL;
    if (is_success(answer)) {
        offered = version_answer_read(body, error);
        if (!offered)
            return false;
    } else {
        log_info("Registrar at '%s' does not support the '/version' endpoint",
                 self->settings->registrar.origin);
    }
    const char *version = version_choose(self->settings->registrar_versions, offered);
    if (!version) {
        g_autofree char *theirs = g_strjoinv(", ", (char **)offered);
        g_set_error(error, PROTOCOL_ERROR, PROTOCOL_ERROR_REFUSED,
                    "Registrar and agent API versions are incompatible: the registrar has %s; see "
                    "registrar_api_versions",
                    theirs);
        return false;
    }
    self->version = g_strdup(version);
    self->hashed_qualifying = !offered || g_strv_contains(offered, HASHED_ID_VERSION);
    return true;
}

/* --- register
 * --------------------------------------------------------------------------------------- */

static bool prove_device(Registration *self, DeviceIdentityProof *proof, GError **error)
{
    uint8_t digest[SHA256_SIZE];
    Bytes qualifying = bytes_of_text(self->agent_id);
    if (self->hashed_qualifying) {
        sha256(qualifying, digest);
        qualifying = BYTES_OF_ARRAY(digest);
    }
    return tpm_device_identity(self->attester->device, &self->settings->identity, qualifying, proof,
                               error);
}

static char *agent_path(const Registration *self)
{
    g_autofree char *segment = http_encode_segment(self->agent_id);
    return url_join(&self->settings->registrar, "/v%s/agents/%s", self->version, segment);
}

/* A certificate for another key would be refused by the registrar without a reason that helps. */
static bool check_certificate(GBytes *certificate, const char *option, GBytes *key, GError **error)
{
    if (!certificate || device_certificate_fits(certificate, key))
        return true;
    g_set_error(error, PROTOCOL_ERROR, PROTOCOL_ERROR_REFUSED,
                "[agent] %s: it is a certificate for another key than the TPM's (see "
                "iak_idevid_template)",
                option);
    return false;
}

static char *write_request(Registration *self, const DeviceIdentityProof *proof, GError **error)
{
    g_autoptr(GBytes) ak = tpm_public_to_tpm2b(self->attester->ak);
    g_autoptr(GBytes) ek = tpm_public_to_tpm2b(self->attester->ek);
    g_autofree char *certificates = attester_ek_certificates_pem(self->attester);
    GBytes *iak_certificate = self->settings->iak_certificate;
    GBytes *idevid_certificate = self->settings->idevid_certificate;
    if (!check_certificate(iak_certificate, "iak_cert", proof->iak_public, error) ||
        !check_certificate(idevid_certificate, "idevid_cert", proof->idevid_public, error))
        return NULL;
    RegistrationRequest message = {
        .ak_public = bytes_of_gbytes(ak),
        .ek_public = bytes_of_gbytes(ek),
        .ek_certificates = certificates,
        .iak_public = bytes_of_gbytes(proof->iak_public),
        .idevid_public = bytes_of_gbytes(proof->idevid_public),
        .iak_attest = bytes_of_gbytes(proof->attest),
        .iak_signature = bytes_of_gbytes(proof->signature),
        .iak_certificate = bytes_of_gbytes(iak_certificate),
        .idevid_certificate = bytes_of_gbytes(idevid_certificate),
        .contact_ip = self->settings->contact_ip,
        .contact_port = self->settings->contact_port,
    };
    return registration_request_write(&message);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(DeviceIdentityProof, device_identity_proof_clear)

static GBytes *send_keys(Registration *self, GError **error)
{
    g_auto(DeviceIdentityProof) proof = {0};
    if (self->settings->use_device_identity && !prove_device(self, &proof, error))
        return NULL;
    g_autofree char *url = agent_path(self);
    g_autofree char *text = write_request(self, &proof, error);
    if (!text)
        return NULL;
    PeerRequest request = {
        .method = "POST", .url = url, .content_type = JSON_TYPE, .accept = JSON_TYPE, .body = text};
    g_autoptr(HttpAnswer) answer = peer_send(self->registrar, &request, error);
    if (!answer)
        return NULL;
    if (!is_success(answer)) {
        set_refusal(error, answer, "Registration", self->agent_id);
        return NULL;
    }
    g_autoptr(Json) body = http_answer_json(answer);
    GBytes *blob = registration_answer_read(body, error);
    if (blob)
        log_info("SUCCESS: Agent %s registered", self->agent_id);
    return blob;
}

/* --- activate
 * --------------------------------------------------------------------------------------- */

static bool send_proof(Registration *self, const char *auth_tag, GError **error)
{
    g_autofree char *url = agent_path(self);
    g_autofree char *text = activation_request_write(auth_tag);
    PeerRequest request = {
        .method = "PUT", .url = url, .content_type = JSON_TYPE, .accept = JSON_TYPE, .body = text};
    g_autoptr(HttpAnswer) answer = peer_send(self->registrar, &request, error);
    if (!answer)
        return false;
    if (!is_success(answer))
        return set_refusal(error, answer, "Activation", self->agent_id);
    g_autoptr(Json) body = http_answer_json(answer);
    if (!activation_answer_read(body, error))
        return false;
    log_info("SUCCESS: Agent %s activated", self->agent_id);
    return true;
}

static bool activate(Registration *self, GBytes *blob, GError **error)
{
    g_autoptr(GBytes) credential =
        tpm_device_activate(self->attester->device, bytes_of_gbytes(blob), error);
    if (!credential)
        return false;
    g_autofree char *auth_tag = credential_auth_tag(bytes_of_gbytes(credential), self->agent_id);
    return send_proof(self, auth_tag, error);
}

bool registration_run(Peer *registrar, Attester *attester, const AgentSettings *settings,
                      const char *agent_id, GError **error)
{
    Registration self = {registrar, attester, settings, agent_id, NULL, false};
    g_autoptr(GBytes) blob = NULL;
    bool done = negotiate_version(&self, error) && (blob = send_keys(&self, error)) != NULL &&
                activate(&self, blob, error);
    g_free(self.version);
    return done;
}
