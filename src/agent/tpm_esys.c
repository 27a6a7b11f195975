/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/esys_device.h"

#include "base/secret.h"

#include <string.h>

static void device_close(TpmDevice *device)
{
    EsysDevice *self = esys_device(device);
    esys_connection_close(self);
    g_free(self);
}

static const TpmDeviceOperations operations = {
    .close = device_close,
    .capabilities = esys_capabilities,
    .ek_public = esys_ek_public,
    .ek_release = esys_ek_release,
    .ek_certificates = esys_ek_certificates,
    .ak_create = esys_ak_create,
    .ak_load = esys_ak_load,
    .activate = esys_activate,
    .certify = esys_certify,
    .quote = esys_quote,
    .identity = esys_identity,
};

static bool set_endorsement_auth(EsysDevice *device, Bytes auth, GError **error)
{
    TPM2B_AUTH value = {0};
    if (auth.size > sizeof value.buffer) {
        g_set_error_literal(error, TPM_DEVICE_ERROR, TPM_DEVICE_ERROR_UNSUITABLE,
                            "tpm_ownerpassword is longer than a TPM takes");
        return false;
    }
    value.size = (UINT16)auth.size;
    if (auth.size > 0)
        memcpy(value.buffer, auth.data, auth.size);
    TSS2_RC rc = Esys_TR_SetAuth(device->esys, ESYS_TR_RH_ENDORSEMENT, &value);
    secret_wipe(&value, sizeof value);
    return esys_check(rc, "setting the hierarchy's password", error);
}

TpmDevice *tpm_esys_open(const EsysSettings *settings, GError **error)
{
    EsysDevice *self = g_new0(EsysDevice, 1);
    g_autoptr(TpmDevice) device = &self->base;
    self->base.operations = &operations;
    self->keys = settings->keys;
    self->ek_handle = settings->ek_handle;
    self->ek = ESYS_TR_NONE;
    self->ak = ESYS_TR_NONE;
    if (!esys_connection_open(self, error) ||
        !set_endorsement_auth(self, settings->endorsement_auth, error) ||
        !esys_announce_emulator(self, error))
        return NULL;
    return g_steal_pointer(&device);
}
