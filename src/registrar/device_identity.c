/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.registrar"
#include "registrar/device_identity.h"

#include "base/log.h"
#include "tpm/quote.h"

#include <string.h>

typedef struct {
    const char *name; /* "iak" */
    GBytes *tpm2b;
    const char *certificate;
    GBytes **out_key, **out_certificate;
} DeviceKey;

static bool refuse(char **reason, const char *name, const char *text)
{
    *reason = g_strdup_printf("%s%s", name, text);
    return false;
}

static bool judge_certificate(const DeviceIdentityRequest *request, const DeviceKey *key,
                              const TpmPublic *public, char **reason)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *name = g_strconcat(key->name, "_cert", NULL);
    g_autoptr(EkCertificate) certificate = ek_certificate_parse(key->certificate, &error);
    if (!certificate) {
        *reason = g_strdup_printf("%s %s", name, error->message);
        return false;
    }
    if (!ek_certificate_has_key(certificate, public->key)) {
        *reason = g_strdup_printf("%s does not hold the key %s_tpm", name, key->name);
        return false;
    }
    if (!identity_check_encoding(request->registrar, request->agent_id, name, certificate, reason))
        return false;
    g_autofree char *warning = NULL;
    if (!tpm_trust_verify_device(request->registrar->trust, certificate, &warning, &error)) {
        *reason = g_strdup_printf("%s: %s", name, error->message);
        return false;
    }
    if (warning)
        log_warning("%s of agent '%s': %s", name, request->agent_id, warning);
    *key->out_certificate = g_bytes_ref(certificate->der);
    return true;
}

/* A key and its certificate come together or not at all. *public is NULL when neither did. */
static bool judge_key(const DeviceIdentityRequest *request, const DeviceKey *key,
                      TpmPublic **public, char **reason)
{
    if (!key->tpm2b && !key->certificate)
        return true;
    if (!key->tpm2b)
        return refuse(reason, key->name, "_cert was sent without the key");
    if (!key->certificate)
        return refuse(reason, key->name, "_tpm was sent without its certificate");
    g_autoptr(GError) error = NULL;
    *public = tpm_public_from_tpm2b(bytes_of_gbytes(key->tpm2b), &error);
    if (!*public) {
        *reason = g_strdup_printf("%s_tpm: %s", key->name, error->message);
        return false;
    }
    if (!judge_certificate(request, key, *public, reason))
        return false;
    *key->out_key = g_bytes_ref(key->tpm2b);
    return true;
}

/* The AK of an active record cannot change, so only another IAK makes a new proof necessary. */
static bool proof_is_needed(const DeviceIdentityRequest *request)
{
    return !request->stored || !request->stored->iak_tpm ||
           !g_bytes_equal(request->stored->iak_tpm, request->message->iak_tpm);
}

static bool judge_proof(const DeviceIdentityRequest *request, const TpmPublic *iak, char **reason)
{
    const RegisterMessage *message = request->message;
    bool sent = message->iak_attest && message->iak_sign;
    if (!sent && !proof_is_needed(request))
        return true;
    if (!sent)
        return refuse(reason, "iak_attest", " and iak_sign are required with iak_tpm");
    g_autoptr(GError) error = NULL;
    if (!tpm_public_check_identity_key(iak, &error)) {
        *reason = g_strdup_printf("iak_tpm: %s", error->message);
        return false;
    }
    ProofResult result = certify_verify_iak(iak, request->ak, bytes_of_gbytes(message->iak_attest),
                                            bytes_of_gbytes(message->iak_sign), request->agent_id);
    if (result == PROOF_VERIFIED)
        return true;
    *reason = g_strdup_printf("iak_attest does not certify aik_tpm for this agent: %s",
                              proof_result_text(result));
    return false;
}

static void keep(GBytes **out, GBytes *stored)
{
    if (!*out && stored)
        *out = g_bytes_ref(stored);
}

static void keep_stored(const AgentIdentity *stored, AgentIdentity *out)
{
    if (!stored)
        return;
    keep(&out->iak_tpm, stored->iak_tpm);
    keep(&out->iak_cert, stored->iak_cert);
    keep(&out->idevid_tpm, stored->idevid_tpm);
    keep(&out->idevid_cert, stored->idevid_cert);
}

bool device_identity_check(const DeviceIdentityRequest *request, AgentIdentity *out, char **reason)
{
    const RegisterMessage *message = request->message;
    DeviceKey iak = {"iak", message->iak_tpm, message->iak_cert, &out->iak_tpm, &out->iak_cert};
    DeviceKey idevid = {"idevid", message->idevid_tpm, message->idevid_cert, &out->idevid_tpm,
                        &out->idevid_cert};
    g_autoptr(TpmPublic) iak_public = NULL;
    g_autoptr(TpmPublic) idevid_public = NULL;
    if (!judge_key(request, &iak, &iak_public, reason) ||
        !judge_key(request, &idevid, &idevid_public, reason) ||
        (iak_public && !judge_proof(request, iak_public, reason)))
        return false;
    keep_stored(request->stored, out);
    return true;
}
