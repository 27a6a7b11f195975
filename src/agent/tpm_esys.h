/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real TPM, or a simulator, through tpm2-tss (ESAPI) and any TCTI.
 */
#pragma once

#include "agent/tpm_device.h"

typedef struct {
    KeyTemplate keys;
    uint32_t ek_handle;     /* persistent EK; 0 = create it from the template (decision D95) */
    Bytes endorsement_auth; /* tpm_ownerpassword: authorisation of the hierarchy; empty = none */
} EsysSettings;

/*
 * TCTI from the environment variable TCTI, else /dev/tpmrm0, else /dev/tpm0 (push-agent §5.1). The
 * error names each place tried and what to do (contract C8, C118, C121). An emulator is announced
 * with lines beginning "INSECURE:".
 */
TpmDevice *tpm_esys_open(const EsysSettings *settings, GError **error);
