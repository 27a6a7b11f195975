/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's view of a TPM: one endorsement key, one attestation key, and the six things that push
 * attestation asks of them. Two back ends: tpm_esys.h (device or simulator), tpm_software.h.
 *
 * A back end holds at most three transient objects and no session between calls, whatever fails
 * (tpm-formats §11); the attestation key stays loaded from load/create until close.
 */
#pragma once

#include "agent/key_template.h"
#include "tpm/attest.h"

typedef struct TpmDevice TpmDevice;

#define TPM_DEVICE_ERROR (tpm_device_error_quark())
typedef enum {
    TPM_DEVICE_ERROR_UNAVAILABLE, /* cannot be opened, or the transport broke: reopen to go on */
    TPM_DEVICE_ERROR_REFUSED,     /* the TPM answered with an error; its words are in the message */
    TPM_DEVICE_ERROR_UNSUITABLE,  /* lacks an algorithm or bank that the configuration names */
    TPM_DEVICE_ERROR_KEY,         /* the stored attestation key cannot be loaded */
} TpmDeviceError;
GQuark tpm_device_error_quark(void);

typedef struct {
    PcrSelection
        banks; /* allocated ones with at least one PCR, in the TPM's order; SHA-2 and SHA-1 */
    bool ecdsa, ecschnorr, rsapss, rsassa;
} TpmCapabilities;

/* IAK or IDevID as the registrar wants it (registrar-api §8.5). */
typedef struct {
    KeyTemplate key;
    uint32_t iak_handle, idevid_handle;     /* persistent handles; 0 = create from the template */
    GBytes *iak_password, *idevid_password; /* NULL = empty */
} DeviceIdentitySettings;

typedef struct {
    GBytes *iak_public, *idevid_public; /* TPM2B_PUBLIC */
    GBytes *attest, *signature;         /* AK certified by the IAK */
} DeviceIdentityProof;
void device_identity_proof_clear(DeviceIdentityProof *proof);

typedef struct {
    void (*close)(TpmDevice *device);
    bool (*capabilities)(TpmDevice *device, TpmCapabilities *out, GError **error);
    GBytes *(*ek_public)(TpmDevice *device, GError **error);
    void (*ek_release)(TpmDevice *device);
    GPtrArray *(*ek_certificates)(TpmDevice *device);
    bool (*ak_create)(TpmDevice *device, GBytes **tpmt, GBytes **private_part, GError **error);
    bool (*ak_load)(TpmDevice *device, Bytes tpmt, Bytes private_part, GError **error);
    GBytes *(*activate)(TpmDevice *device, Bytes blob, GError **error);
    bool (*certify)(TpmDevice *device, Bytes nonce, GBytes **message, GBytes **signature,
                    GError **error);
    bool (*quote)(TpmDevice *device, const PcrSelection *selection, Bytes nonce, GBytes **message,
                  GBytes **signature, PcrValues *values, GError **error);
    bool (*identity)(TpmDevice *device, const DeviceIdentitySettings *settings, Bytes qualifying,
                     DeviceIdentityProof *out, GError **error);
} TpmDeviceOperations;

/* First member of every back end's own structure. */
struct TpmDevice {
    const TpmDeviceOperations *operations;
};

void tpm_device_close(TpmDevice *device); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TpmDevice, tpm_device_close)

bool tpm_device_capabilities(TpmDevice *device, TpmCapabilities *out, GError **error);

/* TPMT_PUBLIC of the EK; the EK stays loaded until tpm_device_release_ek(). New reference. */
GBytes *tpm_device_ek_public(TpmDevice *device, GError **error);
void tpm_device_release_ek(TpmDevice *device);
/* DER certificates of GBytes: the EK's, then its chain in reverse order of the NV data (the order
 * of `ekcert`, tpm-formats §2.4). Empty when the TPM holds none. Never NULL. */
GPtrArray *tpm_device_ek_certificates(TpmDevice *device);

/* Make an AK under the EK and load it. TPMT_PUBLIC and the private part to keep (agent_data.json).
 */
bool tpm_device_create_ak(TpmDevice *device, GBytes **tpmt, GBytes **private_part, GError **error);
bool tpm_device_load_ak(TpmDevice *device, Bytes tpmt, Bytes private_part, GError **error);

/* Open a credential blob (tpm-formats §6.1) with the EK, which is created anew when not loaded, and
 * released afterwards. New reference to the secret, which is wiped with the last one. */
GBytes *tpm_device_activate(TpmDevice *device, Bytes blob, GError **error);

/* TPM2_Certify of the AK by itself: TPMS_ATTEST and TPMT_SIGNATURE (tpm-formats §8.2). */
bool tpm_device_certify(TpmDevice *device, Bytes nonce, GBytes **message, GBytes **signature,
                        GError **error);

/* Quote with the PCR values that it covers: read, quoted, compared, at most QUOTE_TRIES times
 * because PCR 10 moves while the kernel measures (tpm-formats §7.6). */
#define QUOTE_TRIES 5
bool tpm_device_quote(TpmDevice *device, const PcrSelection *selection, Bytes nonce,
                      GBytes **message, GBytes **signature, PcrValues *values, GError **error);

/* Device identity keys and the AK certified by the IAK over `qualifying`. */
bool tpm_device_identity(TpmDevice *device, const DeviceIdentitySettings *settings,
                         Bytes qualifying, DeviceIdentityProof *out, GError **error);
