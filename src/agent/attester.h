/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This machine's TPM, opened and ready to attest: keys loaded, capabilities known. It can be opened
 * again when the TPM went away (contract C115b).
 */
#pragma once

#include "agent/settings.h"

typedef struct {
    TpmDevice *device;
    TpmPublic *ek, *ak;
    TpmCapabilities capabilities;
    GPtrArray *ek_certificates; /* of GBytes, DER */
} Attester;

/* False: TPM_DEVICE_ERROR, AGENT_DATA_ERROR or STATE_FILE_ERROR; nothing stays open then. */
bool attester_open(Attester *attester, const AgentSettings *settings, GError **error);
void attester_close(Attester *attester);
/* Close and open; a TPM with another AK than before is an error. */
bool attester_reopen(Attester *attester, const AgentSettings *settings, GError **error);

/* PEM of the EK certificate and its chain, NULL when the TPM holds none. Newly allocated. */
char *attester_ek_certificates_pem(const Attester *attester);
