/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/tpm_device.h"

G_DEFINE_QUARK(keylime - tpm - device - error, tpm_device_error)

void tpm_device_close(TpmDevice *device)
{
    if (device)
        device->operations->close(device);
}

bool tpm_device_capabilities(TpmDevice *device, TpmCapabilities *out, GError **error)
{
    return device->operations->capabilities(device, out, error);
}

GBytes *tpm_device_ek_public(TpmDevice *device, GError **error)
{
    return device->operations->ek_public(device, error);
}

void tpm_device_release_ek(TpmDevice *device)
{
    device->operations->ek_release(device);
}

GPtrArray *tpm_device_ek_certificates(TpmDevice *device)
{
    return device->operations->ek_certificates(device);
}

bool tpm_device_create_ak(TpmDevice *device, GBytes **tpmt, GBytes **private_part, GError **error)
{
    return device->operations->ak_create(device, tpmt, private_part, error);
}

bool tpm_device_load_ak(TpmDevice *device, Bytes tpmt, Bytes private_part, GError **error)
{
    return device->operations->ak_load(device, tpmt, private_part, error);
}

GBytes *tpm_device_activate(TpmDevice *device, Bytes blob, GError **error)
{
    return device->operations->activate(device, blob, error);
}

bool tpm_device_certify(TpmDevice *device, Bytes nonce, GBytes **message, GBytes **signature,
                        GError **error)
{
    return device->operations->certify(device, nonce, message, signature, error);
}

bool tpm_device_quote(TpmDevice *device, const PcrSelection *selection, Bytes nonce,
                      GBytes **message, GBytes **signature, PcrValues *values, GError **error)
{
    return device->operations->quote(device, selection, nonce, message, signature, values, error);
}

bool tpm_device_identity(TpmDevice *device, const DeviceIdentitySettings *settings,
                         Bytes qualifying, DeviceIdentityProof *out, GError **error)
{
    return device->operations->identity(device, settings, qualifying, out, error);
}

void device_identity_proof_clear(DeviceIdentityProof *proof)
{
    g_clear_pointer(&proof->iak_public, g_bytes_unref);
    g_clear_pointer(&proof->idevid_public, g_bytes_unref);
    g_clear_pointer(&proof->attest, g_bytes_unref);
    g_clear_pointer(&proof->signature, g_bytes_unref);
}
