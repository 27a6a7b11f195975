/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `agent_data.json`: the attestation key over restarts, in the format that upstream's agents share
 * (push-agent §5.3, tpm-formats §5, decision D94).
 */
#pragma once

#include "agent/tpm_device.h"

#define AGENT_DATA_ERROR (agent_data_error_quark())
typedef enum { AGENT_DATA_ERROR_UNUSABLE } AgentDataError;
GQuark agent_data_error_quark(void);

typedef struct {
    uint16_t hash, scheme;
    GBytes *ak_public;  /* TPMT_PUBLIC */
    GBytes *ak_private; /* contents of TPM2B_PRIVATE */
    char *ek_hash;      /* 64 hex digits */
} AgentData;
void agent_data_clear(AgentData *data);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(AgentData, agent_data_clear)

/* Parse the file's content; AGENT_DATA_ERROR names the member that is wrong. */
bool agent_data_parse(Bytes content, AgentData *out, GError **error);
/* Indented by two, one array element a line, as upstream writes it. Newly allocated;
 * secret_free_text() where the TPM is software. */
char *agent_data_write(const AgentData *data);

/*
 * Load the stored AK into `device`, or make one and store it. The stored one is used when both
 * algorithms and the EK are the present ones; otherwise the file is kept as `.bak` (`.bak.1`, ...
 * where there is one already) with a WARNING that the registrar will refuse the new key. A file
 * that cannot be read, or a key that the TPM does not load, is an error: never a silent new key.
 * The AK's public area, or NULL.
 */
TpmPublic *agent_data_load_ak(const char *path, TpmDevice *device, const KeyTemplate *keys,
                              const TpmPublic *ek, const char *agent_id, GError **error);
