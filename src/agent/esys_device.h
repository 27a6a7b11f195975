/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the rooms of the ESYS back end share: the open connection and the rule that every handle is
 * flushed on every path. Private to esys_*.c and tpm_esys.c.
 */
#pragma once

#include "agent/tpm_esys.h"

#include <tss2/tss2_esys.h>

typedef struct {
    TpmDevice base;
    KeyTemplate keys;
    TSS2_TCTI_CONTEXT *tcti;
    ESYS_CONTEXT *esys;
    uint32_t ek_handle;
    ESYS_TR ek; /* ESYS_TR_NONE while not loaded */
    ESYS_TR ak;
} EsysDevice;

static inline EsysDevice *esys_device(TpmDevice *device)
{
    return (EsysDevice *)device;
}

/* --- esys_connection.c
 * ------------------------------------------------------------------------------ */

/* Opens device->tcti and device->esys. */
bool esys_connection_open(EsysDevice *device, GError **error);
void esys_connection_close(EsysDevice *device);
/* False with `what` and the response code in words; a broken transport is told from a refusal. */
bool esys_check(TSS2_RC rc, const char *what, GError **error);
/* A handle that is flushed when it leaves scope; a persistent object's is only forgotten. */
typedef struct {
    EsysDevice *device;
    ESYS_TR handle;
    bool persistent;
} EsysTransient;
void esys_transient_clear(EsysTransient *transient);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(EsysTransient, esys_transient_clear)
/* ESAPI allocates its results. */
void esys_free(void *pointer); /* of a pointer variable, for the cleanup attribute */
#define ESYS_AUTO __attribute__((cleanup(esys_free)))

/* --- esys_capability.c
 * ------------------------------------------------------------------------------ */

bool esys_capabilities(TpmDevice *device, TpmCapabilities *out, GError **error);
/* An INSECURE warning when the vendor string says that this is an emulator. */
bool esys_announce_emulator(EsysDevice *device, GError **error);

/* --- esys_key.c
 * ------------------------------------------------------------------------------------- */

GBytes *esys_ek_public(TpmDevice *device, GError **error);
void esys_ek_release(TpmDevice *device);
bool esys_ak_create(TpmDevice *device, GBytes **tpmt, GBytes **private_part, GError **error);
bool esys_ak_load(TpmDevice *device, Bytes tpmt, Bytes private_part, GError **error);
GBytes *esys_activate(TpmDevice *device, Bytes blob, GError **error);
/* TPM2_CreatePrimary in the endorsement hierarchy from a marshalled template. */
bool esys_create_primary(EsysDevice *device, Bytes template, ESYS_TR *handle, GBytes **tpmt,
                         GError **error);
GBytes *esys_public_area(const TPMT_PUBLIC *public);

/* --- esys_nv.c
 * -------------------------------------------------------------------------------------- */

GPtrArray *esys_ek_certificates(TpmDevice *device);

/* --- esys_attest.c
 * ---------------------------------------------------------------------------------- */

bool esys_certify(TpmDevice *device, Bytes nonce, GBytes **message, GBytes **signature,
                  GError **error);
bool esys_quote(TpmDevice *device, const PcrSelection *selection, Bytes nonce, GBytes **message,
                GBytes **signature, PcrValues *values, GError **error);
bool esys_identity(TpmDevice *device, const DeviceIdentitySettings *settings, Bytes qualifying,
                   DeviceIdentityProof *out, GError **error);
