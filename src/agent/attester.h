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

/* The TPM and its EK, which the agent's id may be made from. False: TPM_DEVICE_ERROR; nothing stays
 * open then. */
bool attester_open(Attester *attester, const AgentSettings *settings, GError **error);
/* The AK, which completes it. `agent_id` is for messages. False: TPM_DEVICE_ERROR, AGENT_DATA_ERROR
 * or STATE_FILE_ERROR. */
bool attester_load_ak(Attester *attester, const AgentSettings *settings, const char *agent_id,
                      GError **error);
void attester_close(Attester *attester);
/* Close and open both; another AK than before is said in the log. */
bool attester_reopen(Attester *attester, const AgentSettings *settings, const char *agent_id,
                     GError **error);

/* PEM of the EK certificate and its chain, NULL when the TPM holds none. Newly allocated. */
char *attester_ek_certificates_pem(const Attester *attester);
