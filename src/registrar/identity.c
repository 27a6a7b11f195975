/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.registrar"
#include "registrar/identity.h"

#include "base/encoding.h"
#include "base/log.h"
#include "pki/pem_file.h"
#include "registrar/device_identity.h"

#include <string.h>

void identity_result_clear(IdentityResult *result)
{
    agent_identity_clear(&result->identity);
    g_clear_pointer(&result->ek, tpm_public_free);
    g_clear_pointer(&result->ak, tpm_public_free);
    g_clear_pointer(&result->reason, g_free);
}

/* One check's view of everything. */
typedef struct {
    const Registrar *registrar;
    const char *agent_id;
    const RegisterMessage *message;
    const AgentIdentity *stored; /* of the active record, or NULL */
    GBytes *tombstone_ek;
    IdentityResult *out;
    EkCertificate *ekcert; /* parsed, or NULL */
} Check;

static bool refuse(Check *check, const char *format, ...) G_GNUC_PRINTF(2, 3);
static bool refuse(Check *check, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_free(check->out->reason);
    check->out->reason = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    return false;
}

static bool same_bytes(GBytes *a, GBytes *b)
{
    return a && b && g_bytes_equal(a, b);
}

/* --- keys
 * ----------------------------------------------------------------------------------------- */

static bool parse_key(Check *check, GBytes *tpm2b, const char *name, TpmPublic **out)
{
    if (!tpm2b)
        return refuse(check, "%s is required", name);
    g_autoptr(GError) error = NULL;
    *out = tpm_public_from_tpm2b(bytes_of_gbytes(tpm2b), &error);
    return *out || refuse(check, "%s: %s", name, error->message);
}

static bool parse_keys(Check *check)
{
    return parse_key(check, check->message->ek_tpm, "ek_tpm", &check->out->ek) &&
           parse_key(check, check->message->aik_tpm, "aik_tpm", &check->out->ak);
}

/* Decision D5: a key that only a TPM can have made, for each of the two roles. */
static bool check_roles(Check *check)
{
    g_autoptr(GError) error = NULL;
    if (!tpm_public_check_endorsement_key(check->out->ek, &error))
        return refuse(check, "ek_tpm: %s", error->message);
    if (!tpm_public_check_attestation_key(check->out->ak, &error))
        return refuse(check, "aik_tpm: %s", error->message);
    if (EVP_PKEY_eq(check->out->ek->key, check->out->ak->key) == 1)
        return refuse(check, "aik_tpm must be another key than ek_tpm");
    return true;
}

/* --- certificates
 * --------------------------------------------------------------------------------- */

static bool parse_ekcert(Check *check)
{
    const char *text = check->message->ekcert;
    if (!text)
        return true;
    g_autoptr(GError) error = NULL;
    check->ekcert = ek_certificate_parse(text, &error);
    return check->ekcert || refuse(check, "ekcert %s", error->message);
}

bool identity_check_encoding(const Registrar *registrar, const char *agent_id, const char *name,
                             const EkCertificate *certificate, char **reason)
{
    if (!certificate->malformed || registrar->settings.malformed == MALFORMED_IGNORE)
        return true;
    if (registrar->settings.malformed == MALFORMED_REJECT) {
        *reason =
            g_strdup_printf("%s is not encoded by the rules of DER (malformed_cert_action)", name);
        return false;
    }
    log_warning("%s of agent '%s' is not encoded by the rules of DER", name, agent_id);
    return true;
}

/* What GET shows of the certificate's trust (decision D19). */
static void set_status(Check *check, const char *status, const char *reason)
{
    AgentIdentity *identity = &check->out->identity;
    g_free(identity->ek_cert_status);
    g_free(identity->ek_cert_reason);
    identity->ek_cert_status = g_strdup(status);
    identity->ek_cert_reason = g_strdup(reason);
}

/* Without a certificate in the request the stored one goes on to count, with its verdict. */
static bool judge_missing_ekcert(Check *check)
{
    const AgentIdentity *stored = check->stored;
    bool require = check->registrar->settings.ek_cert_check == EK_CHECK_REQUIRE;
    if (stored && stored->ekcert) {
        check->out->identity.ekcert = g_bytes_ref(stored->ekcert);
        set_status(check, stored->ek_cert_status, stored->ek_cert_reason);
        if (require && strcmp(stored->ek_cert_status, EK_CERT_VERIFIED) != 0)
            return refuse(check, "the stored ekcert was not verified, and none was sent "
                                 "(ek_cert_check = require)");
        return true;
    }
    set_status(check, EK_CERT_ABSENT, NULL);
    return !require || refuse(check, "ekcert is required (ek_cert_check = require)");
}

static bool judge_trust(Check *check)
{
    EkCheck rule = check->registrar->settings.ek_cert_check;
    if (rule == EK_CHECK_OFF) {
        set_status(check, EK_CERT_UNVERIFIED, "not checked (ek_cert_check = off)");
        return true;
    }
    g_autofree char *warning = NULL;
    g_autoptr(GError) error = NULL;
    if (tpm_trust_verify_ek(check->registrar->trust, check->ekcert, &warning, &error)) {
        set_status(check, EK_CERT_VERIFIED, warning);
        return true;
    }
    set_status(check, EK_CERT_UNVERIFIED, error->message);
    if (rule == EK_CHECK_REQUIRE)
        return refuse(check, "ekcert: %s (ek_cert_check = require)", error->message);
    log_warning("EK certificate of agent '%s' is not verified: %s", check->agent_id,
                error->message);
    return true;
}

static bool judge_ekcert(Check *check)
{
    if (!check->ekcert)
        return judge_missing_ekcert(check);
    if (!ek_certificate_has_key(check->ekcert, check->out->ek->key))
        return refuse(check, "ekcert does not hold the key ek_tpm");
    check->out->identity.ekcert = g_bytes_ref(check->ekcert->der);
    return identity_check_encoding(check->registrar, check->agent_id, "ekcert", check->ekcert,
                                   &check->out->reason) &&
           judge_trust(check);
}

/* --- the id
 * --------------------------------------------------------------------------------------- */

/* Decision D18: an id that was proven, or is still bound after its deletion, keeps its TPM. */
static bool belongs_to_another(const Check *check)
{
    const RegisterMessage *message = check->message;
    const AgentIdentity *stored = check->stored;
    if (check->tombstone_ek && !same_bytes(check->tombstone_ek, message->ek_tpm))
        return true;
    if (!stored)
        return false;
    if (!same_bytes(stored->ek_tpm, message->ek_tpm) ||
        !same_bytes(stored->aik_tpm, message->aik_tpm))
        return true;
    return check->ekcert && stored->ekcert && !same_bytes(stored->ekcert, check->ekcert->der);
}

/* --- contact
 * -------------------------------------------------------------------------------------- */

static bool take_mtls_certificate(Check *check)
{
    const char *text = check->message->mtls_cert;
    char **out = &check->out->identity.mtls_cert;
    if (!text || g_ascii_strcasecmp(text, "disabled") == 0) {
        *out = g_strdup("disabled"); /* what tells a tenant that this is a push agent (D28) */
        return true;
    }
    g_autoptr(GError) error = NULL;
    g_autoptr(EkCertificate) certificate = ek_certificate_parse(text, &error);
    if (!certificate)
        return refuse(check, "mtls_cert %s", error->message);
    *out = pem_of_certificate(certificate->leaf);
    return true;
}

static bool take_contact(Check *check)
{
    AgentIdentity *identity = &check->out->identity;
    identity->ip = g_strdup(check->message->ip);
    identity->has_port = check->message->has_port;
    identity->port = check->message->port;
    return take_mtls_certificate(check);
}

static bool judge_device(Check *check)
{
    DeviceIdentityRequest request = {
        .registrar = check->registrar,
        .agent_id = check->agent_id,
        .message = check->message,
        .stored = check->stored,
        .ak = check->out->ak,
    };
    return device_identity_check(&request, &check->out->identity, &check->out->reason);
}

static void take_keys(Check *check)
{
    check->out->identity.ek_tpm = g_bytes_ref(check->message->ek_tpm);
    check->out->identity.aik_tpm = g_bytes_ref(check->message->aik_tpm);
}

IdentityVerdict identity_check(const Registrar *registrar, const char *agent_id,
                               const RegisterMessage *message, const AgentLookup *known,
                               IdentityResult *out)
{
    *out = (IdentityResult){0};
    Check check = {
        .registrar = registrar,
        .agent_id = agent_id,
        .message = message,
        .stored = known->record ? &known->record->identity : NULL,
        .tombstone_ek = known->tombstone_ek,
        .out = out,
    };
    IdentityVerdict verdict = IDENTITY_INVALID;
    if (parse_keys(&check) && parse_ekcert(&check)) {
        if (belongs_to_another(&check)) {
            verdict = IDENTITY_FORBIDDEN;
        } else if (check_roles(&check) && judge_ekcert(&check) && judge_device(&check) &&
                   take_contact(&check)) {
            take_keys(&check);
            verdict = IDENTITY_GOOD;
        }
    }
    g_clear_pointer(&check.ekcert, ek_certificate_free);
    return verdict;
}
