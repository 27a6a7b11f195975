/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/esys_device.h"

#include "base/secret.h"
#include "tpm/credential.h"

#include <string.h>
#include <tss2/tss2_mu.h>

#define ATTRIBUTE_USER_WITH_AUTH 0x00000040u

GBytes *esys_public_area(const TPMT_PUBLIC *public)
{
    uint8_t buffer[sizeof(TPMT_PUBLIC)];
    size_t size = 0;
    TSS2_RC rc = Tss2_MU_TPMT_PUBLIC_Marshal(public, buffer, sizeof buffer, &size);
    return rc == TSS2_RC_SUCCESS ? g_bytes_new(buffer, size) : NULL;
}

static bool read_template(Bytes area, TPM2B_PUBLIC *out, GError **error)
{
    size_t offset = 0;
    memset(out, 0, sizeof *out);
    TSS2_RC rc = Tss2_MU_TPMT_PUBLIC_Unmarshal(area.data, area.size, &offset, &out->publicArea);
    if (rc == TSS2_RC_SUCCESS && offset == area.size)
        return true;
    g_set_error_literal(error, TPM_DEVICE_ERROR, TPM_DEVICE_ERROR_KEY, "not a TPM public area");
    return false;
}

bool esys_create_primary(EsysDevice *device, Bytes template, ESYS_TR *handle, GBytes **tpmt,
                         GError **error)
{
    TPM2B_PUBLIC in_public;
    if (!read_template(template, &in_public, error))
        return false;
    TPM2B_SENSITIVE_CREATE sensitive = {0};
    TPM2B_DATA outside = {0};
    TPML_PCR_SELECTION creation_pcrs = {0};
    ESYS_AUTO TPM2B_PUBLIC *public = NULL;
    TSS2_RC rc = Esys_CreatePrimary(device->esys, ESYS_TR_RH_ENDORSEMENT, ESYS_TR_PASSWORD,
                                    ESYS_TR_NONE, ESYS_TR_NONE, &sensitive, &in_public, &outside,
                                    &creation_pcrs, handle, &public, NULL, NULL, NULL);
    if (!esys_check(rc, "TPM2_CreatePrimary in the endorsement hierarchy", error)) {
        *handle = ESYS_TR_NONE;
        return false;
    }
    *tpmt = esys_public_area(&public->publicArea);
    if (*tpmt)
        return true;
    (void)Esys_FlushContext(device->esys, *handle);
    *handle = ESYS_TR_NONE;
    g_set_error_literal(error, TPM_DEVICE_ERROR, TPM_DEVICE_ERROR_REFUSED,
                        "the TPM returned an unusable key");
    return false;
}

/* --- endorsement key
 * -------------------------------------------------------------------------------- */

static GBytes *open_persistent_ek(EsysDevice *device, GError **error)
{
    g_autofree char *what = g_strdup_printf("using the EK of ek_handle 0x%08x", device->ek_handle);
    TSS2_RC rc = Esys_TR_FromTPMPublic(device->esys, device->ek_handle, ESYS_TR_NONE, ESYS_TR_NONE,
                                       ESYS_TR_NONE, &device->ek);
    if (!esys_check(rc, what, error)) {
        device->ek = ESYS_TR_NONE;
        return NULL;
    }
    ESYS_AUTO TPM2B_PUBLIC *public = NULL;
    rc = Esys_ReadPublic(device->esys, device->ek, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                         &public, NULL, NULL);
    return esys_check(rc, what, error) ? esys_public_area(&public->publicArea) : NULL;
}

static GBytes *read_loaded_ek(EsysDevice *device, GError **error)
{
    ESYS_AUTO TPM2B_PUBLIC *public = NULL;
    TSS2_RC rc = Esys_ReadPublic(device->esys, device->ek, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                 &public, NULL, NULL);
    return esys_check(rc, "TPM2_ReadPublic of the EK", error)
               ? esys_public_area(&public->publicArea)
               : NULL;
}

GBytes *esys_ek_public(TpmDevice *device, GError **error)
{
    EsysDevice *self = esys_device(device);
    if (self->ek != ESYS_TR_NONE)
        return read_loaded_ek(self, error);
    if (self->ek_handle)
        return open_persistent_ek(self, error);
    TpmTemplate kind = key_template_ek(&self->keys);
    g_autoptr(GBytes) template = tpm_template_to_tpmt(&kind);
    GBytes *tpmt = NULL;
    return esys_create_primary(self, bytes_of_gbytes(template), &self->ek, &tpmt, error) ? tpmt
                                                                                         : NULL;
}

void esys_ek_release(TpmDevice *device)
{
    EsysDevice *self = esys_device(device);
    if (self->ek == ESYS_TR_NONE)
        return;
    if (self->ek_handle)
        (void)Esys_TR_Close(self->esys, &self->ek);
    else
        (void)Esys_FlushContext(self->esys, self->ek);
    self->ek = ESYS_TR_NONE;
}

/*
 * How the EK is used: with an empty password where its attributes allow it (the high-range
 * templates), else a policy session with PolicySecret of the endorsement hierarchy (tpm-formats
 * §4.2). A policy session is used up by one command; the caller's EsysTransient flushes what a
 * failed one leaves.
 */
static bool ek_session(EsysDevice *device, EsysTransient *out, GError **error)
{
    ESYS_AUTO TPM2B_PUBLIC *public = NULL;
    TSS2_RC rc = Esys_ReadPublic(device->esys, device->ek, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                 &public, NULL, NULL);
    if (!esys_check(rc, "TPM2_ReadPublic of the EK", error))
        return false;
    if (public->publicArea.objectAttributes & ATTRIBUTE_USER_WITH_AUTH)
        return true; /* out->handle stays ESYS_TR_NONE: the caller uses the password session */
    const TPMT_SYM_DEF_OBJECT *cipher = &public->publicArea.parameters.asymDetail.symmetric;
    TPMT_SYM_DEF symmetric = {
        .algorithm = cipher->algorithm, .keyBits = cipher->keyBits, .mode = cipher->mode};
    rc = Esys_StartAuthSession(device->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                               ESYS_TR_NONE, NULL, TPM2_SE_POLICY, &symmetric,
                               public->publicArea.nameAlg, &out->handle);
    if (!esys_check(rc, "starting a policy session", error)) {
        out->handle = ESYS_TR_NONE;
        return false;
    }
    rc = Esys_TRSess_SetAttributes(device->esys, out->handle, TPMA_SESSION_CONTINUESESSION, 0xFF);
    if (!esys_check(rc, "preparing a policy session", error))
        return false;
    rc = Esys_PolicySecret(device->esys, ESYS_TR_RH_ENDORSEMENT, out->handle, ESYS_TR_PASSWORD,
                           ESYS_TR_NONE, ESYS_TR_NONE, NULL, NULL, NULL, 0, NULL, NULL);
    return esys_check(rc, "TPM2_PolicySecret of the endorsement hierarchy (tpm_ownerpassword)",
                      error);
}

static ESYS_TR session_or_password(const EsysTransient *session)
{
    return session->handle == ESYS_TR_NONE ? ESYS_TR_PASSWORD : session->handle;
}

/* The EK is needed as parent or for activation: loaded now if it is not. */
static bool need_ek(EsysDevice *device, GError **error)
{
    if (device->ek != ESYS_TR_NONE)
        return true;
    g_autoptr(GBytes) public = esys_ek_public(&device->base, error);
    return public != NULL;
}

/* --- attestation key
 * -------------------------------------------------------------------------------- */

static bool load(EsysDevice *device, const TPM2B_PUBLIC *public, const TPM2B_PRIVATE *private_part,
                 GError **error)
{
    g_auto(EsysTransient) session = {device, ESYS_TR_NONE};
    if (!ek_session(device, &session, error))
        return false;
    if (device->ak != ESYS_TR_NONE)
        (void)Esys_FlushContext(device->esys, device->ak);
    TSS2_RC rc = Esys_Load(device->esys, device->ek, session_or_password(&session), ESYS_TR_NONE,
                           ESYS_TR_NONE, private_part, public, &device->ak);
    if (rc == TSS2_RC_SUCCESS)
        return true;
    device->ak = ESYS_TR_NONE;
    return esys_check(rc, "loading the attestation key", error);
}

bool esys_ak_create(TpmDevice *device, GBytes **tpmt, GBytes **private_part, GError **error)
{
    EsysDevice *self = esys_device(device);
    TpmTemplate kind = key_template_ak(&self->keys);
    g_autoptr(GBytes) template = tpm_template_to_tpmt(&kind);
    TPM2B_PUBLIC in_public;
    if (!need_ek(self, error) || !read_template(bytes_of_gbytes(template), &in_public, error))
        return false;
    ESYS_AUTO TPM2B_PUBLIC *public = NULL;
    ESYS_AUTO TPM2B_PRIVATE *private_area = NULL;
    {
        g_auto(EsysTransient) session = {self, ESYS_TR_NONE};
        if (!ek_session(self, &session, error))
            return false;
        TPM2B_SENSITIVE_CREATE sensitive = {0};
        TPM2B_DATA outside = {0};
        TPML_PCR_SELECTION creation_pcrs = {0};
        TSS2_RC rc = Esys_Create(self->esys, self->ek, session_or_password(&session), ESYS_TR_NONE,
                                 ESYS_TR_NONE, &sensitive, &in_public, &outside, &creation_pcrs,
                                 &private_area, &public, NULL, NULL, NULL);
        if (!esys_check(rc,
                        "creating an attestation key with tpm_encryption_alg, tpm_signing_alg and "
                        "tpm_hash_alg of the configuration",
                        error))
            return false;
    }
    if (!load(self, public, private_area, error))
        return false;
    *tpmt = esys_public_area(&public->publicArea);
    *private_part = g_bytes_new(private_area->buffer, private_area->size);
    return *tpmt != NULL;
}

bool esys_ak_load(TpmDevice *device, Bytes tpmt, Bytes private_part, GError **error)
{
    EsysDevice *self = esys_device(device);
    TPM2B_PUBLIC public;
    TPM2B_PRIVATE private_area = {0};
    if (private_part.size == 0 || private_part.size > sizeof private_area.buffer) {
        g_set_error_literal(error, TPM_DEVICE_ERROR, TPM_DEVICE_ERROR_KEY,
                            "the stored private part has an impossible size");
        return false;
    }
    private_area.size = (UINT16)private_part.size;
    memcpy(private_area.buffer, private_part.data, private_part.size);
    if (!read_template(tpmt, &public, error) || !need_ek(self, error))
        return false;
    g_autoptr(GError) reason = NULL;
    if (load(self, &public, &private_area, &reason))
        return true;
    int code = reason->code == TPM_DEVICE_ERROR_REFUSED ? TPM_DEVICE_ERROR_KEY : reason->code;
    g_set_error_literal(error, TPM_DEVICE_ERROR, code, reason->message);
    return false;
}

/* --- activation
 * ------------------------------------------------------------------------------------- */

static bool read_credential(Bytes blob, TPM2B_ID_OBJECT *id_object, TPM2B_ENCRYPTED_SECRET *secret,
                            GError **error)
{
    Bytes id_bytes, secret_bytes;
    if (!credential_parse(blob, &id_bytes, &secret_bytes, error))
        return false;
    if (id_bytes.size > sizeof id_object->credential || secret_bytes.size > sizeof secret->secret) {
        g_set_error_literal(error, TPM_DEVICE_ERROR, TPM_DEVICE_ERROR_REFUSED,
                            "the registrar's challenge is larger than a TPM takes");
        return false;
    }
    id_object->size = (UINT16)id_bytes.size;
    memcpy(id_object->credential, id_bytes.data, id_bytes.size);
    secret->size = (UINT16)secret_bytes.size;
    memcpy(secret->secret, secret_bytes.data, secret_bytes.size);
    return true;
}

static GBytes *activate_with_ek(EsysDevice *device, const TPM2B_ID_OBJECT *id_object,
                                const TPM2B_ENCRYPTED_SECRET *secret, GError **error)
{
    g_auto(EsysTransient) session = {device, ESYS_TR_NONE};
    if (!need_ek(device, error) || !ek_session(device, &session, error))
        return NULL;
    ESYS_AUTO TPM2B_DIGEST *credential = NULL;
    TSS2_RC rc = Esys_ActivateCredential(device->esys, device->ak, device->ek, ESYS_TR_PASSWORD,
                                         session_or_password(&session), ESYS_TR_NONE, id_object,
                                         secret, &credential);
    if (!esys_check(rc, "TPM2_ActivateCredential", error))
        return NULL;
    GBytes *out = secret_bytes_copy(bytes_of(credential->buffer, credential->size));
    secret_wipe(credential, sizeof *credential);
    return out;
}

GBytes *esys_activate(TpmDevice *device, Bytes blob, GError **error)
{
    TPM2B_ID_OBJECT id_object = {0};
    TPM2B_ENCRYPTED_SECRET secret = {0};
    if (!read_credential(blob, &id_object, &secret, error))
        return NULL;
    GBytes *credential = activate_with_ek(esys_device(device), &id_object, &secret, error);
    esys_ek_release(device);
    return credential;
}
