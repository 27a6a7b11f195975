/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.registrar"
#include "registrar/handlers.h"

#include "base/identifier.h"
#include "base/log.h"
#include "base/secret.h"
#include "http/envelope.h"
#include "registrar/identity.h"
#include "registrar/rate_limit.h"
#include "registrar/registration.h"
#include "tpm/credential.h"

#include <string.h>

#define INVALID_DATA "Could not register agent with invalid data"
/* A wrong tag is shown as upstream shows it, but not whatever its size. */
#define SHOWN_TAG_MAX 128

static void respond(HttpResponse *response, unsigned code, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
static void respond(HttpResponse *response, unsigned code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    envelope_v2(response, code, text, NULL);
}

/* From the path, or from the body where the path has none. NULL when it is no agent id. */
static const char *agent_id_of(const HttpRequest *request)
{
    const char *id = http_request_parameter(request, "agent_id");
    if (*id == '\0')
        id = json_member_text(http_request_json(request), "agent_id");
    return agent_id_is_valid(id) ? id : NULL;
}

static void refuse_agent_id(HttpResponse *response)
{
    respond(response, 400,
            "agent_id is required: 1 to %d letters, digits, dots, underscores and hyphens",
            AGENT_ID_MAX);
}

/* --- register
 * ------------------------------------------------------------------------------------- */

static bool within_limit(Registrar *registrar, const HttpRequest *request, HttpResponse *response)
{
    guint64 wait = 1;
    const char *peer = http_request_peer(request);
    if (rate_limit_take(registrar->rate_limit, peer, g_get_monotonic_time(), &wait))
        return true;
    respond(response, 429,
            "Too many registrations from %s, more than %u a minute (register_rate_limit_per_ip)",
            peer, registrar->settings.register_rate_limit_per_ip);
    http_response_retry_after(response, wait);
    return false;
}

static void refuse_data(HttpResponse *response, const char *agent_id, const char *reason)
{
    log_warning("Registration of agent '%s' refused: %s", agent_id, reason);
    respond(response, 400, INVALID_DATA ": %s", reason);
}

static void refuse_identity(HttpResponse *response, const char *agent_id)
{
    log_warning("Registration of agent '%s' refused: the id belongs to another TPM identity "
                "(keylime_tenant -c regdelete -u %s frees it)",
                agent_id, agent_id);
    respond(response, 403,
            "Agent re-registration with different TPM identity is forbidden for security reasons");
}

/* Seals a fresh secret to the EK and stores what its opener must answer. */
static void challenge(Registrar *registrar, const HttpRequest *request, HttpResponse *response,
                      const char *agent_id, const IdentityResult *claim)
{
    uint8_t secret[CREDENTIAL_SIZE];
    secret_random(secret, sizeof secret);
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) blob =
        credential_make(claim->ek, tpm_public_name(claim->ak), BYTES_OF_ARRAY(secret), &error);
    char *tag = credential_auth_tag(BYTES_OF_ARRAY(secret), agent_id);
    secret_wipe(secret, sizeof secret);
    if (!blob) {
        refuse_data(response, agent_id, error->message);
    } else if (!registration_stage(registrar->database, agent_id, &claim->identity, tag,
                                   http_request_peer(request), &error)) {
        database_trouble(response, error);
    } else {
        log_info("Agent '%s' registered, its TPM is asked for a proof (EK certificate: %s)",
                 agent_id, claim->identity.ek_cert_status);
        envelope_v2(response, 200, NULL, register_message_answer(bytes_of_gbytes(blob)));
    }
    secret_free_text(tag);
}

void registration_register(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Registrar *registrar = context;
    const char *agent_id = agent_id_of(request);
    if (!agent_id) {
        refuse_agent_id(response);
        return;
    }
    if (!within_limit(registrar, request, response))
        return;
    g_auto(RegisterMessage) message = {0};
    g_autofree char *reason = NULL;
    if (!register_message_parse(http_request_json(request), &message, &reason)) {
        refuse_data(response, agent_id, reason);
        return;
    }
    g_autoptr(GError) error = NULL;
    g_auto(AgentLookup) known = {0};
    if (!agent_lookup(registrar->database, agent_id, &known, &error)) {
        database_trouble(response, error);
        return;
    }
    g_auto(IdentityResult) claim = {0};
    switch (identity_check(registrar, agent_id, &message, &known, &claim)) {
    case IDENTITY_GOOD:
        challenge(registrar, request, response, agent_id, &claim);
        break;
    case IDENTITY_INVALID:
        refuse_data(response, agent_id, claim.reason);
        break;
    case IDENTITY_FORBIDDEN:
        refuse_identity(response, agent_id);
        break;
    }
}

/* --- activate
 * ------------------------------------------------------------------------------------- */

static void refuse_tag(HttpResponse *response, const char *agent_id, const char *tag)
{
    log_warning("Proof of agent '%s' refused: the auth_tag answers no open challenge", agent_id);
    bool shown = strlen(tag) <= SHOWN_TAG_MAX;
    respond(response, 400, "Auth tag '%s' for agent '%s' does not match expected value.",
            shown ? tag : "(too long)", agent_id);
}

static void answer(HttpResponse *response, ActivationResult result, const char *agent_id,
                   const char *tag)
{
    switch (result) {
    case ACTIVATION_DONE:
        log_info("Agent '%s' activated: its AK and EK are in one TPM", agent_id);
        envelope_v2(response, 200, NULL, NULL);
        break;
    case ACTIVATION_REPEATED:
        envelope_v2(response, 200, NULL, NULL);
        break;
    case ACTIVATION_WRONG_TAG:
        refuse_tag(response, agent_id, tag);
        break;
    case ACTIVATION_UNKNOWN:
        respond(response, 404, "Agent with ID '%s' not found", agent_id);
        break;
    case ACTIVATION_FORBIDDEN:
        refuse_identity(response, agent_id);
        break;
    }
}

void registration_prove(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Registrar *registrar = context;
    const char *agent_id = agent_id_of(request);
    if (!agent_id) {
        refuse_agent_id(response);
        return;
    }
    const char *tag = json_member_text(http_request_json(request), "auth_tag");
    if (!tag || !*tag) {
        respond(response, 400, "auth_tag is required: a text of hexadecimal digits");
        return;
    }
    g_autoptr(GError) error = NULL;
    ActivationResult result;
    if (registration_activate(registrar->database, agent_id, tag, http_request_peer(request),
                              &result, &error))
        answer(response, result, agent_id, tag);
    else
        database_trouble(response, error);
}
