/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of the attestation routes: capabilities, what the verifier asks for, evidence,
 * acceptance (verifier-push-api §5; push-agent §9, §19.6-19.9). Pure.
 */
#pragma once

#include "agent/tpm_device.h"
#include "base/json.h"
#include "base/timestamp.h"

typedef struct {
    const TpmCapabilities *tpm;
    const TpmPublic *ak;
    const char *server_identifier; /* "ak" */
    const char *boot_time;         /* RFC 3339 */
} Capabilities;

/* Newly allocated, compact. Offers what is available: in this version a TPM quote. */
char *capabilities_write(const Capabilities *capabilities);

typedef struct {
    GBytes *challenge;
    uint16_t scheme, hash;  /* 0 = the verifier left it open */
    PcrSelection selection; /* one bank */
    Timestamp expires;      /* of the challenge; 0 = not told */
} EvidenceRequest;
void evidence_request_clear(EvidenceRequest *request);

/*
 * The answer to the capabilities. `own_hash`: the bank that a quote by this AK can cover; another
 * choice, PCRs above 23, or evidence that was not offered is MESSAGE_ERROR (decision D98: nothing
 * is sent then).
 */
bool evidence_request_read(Json *body, uint16_t own_scheme, uint16_t own_hash, EvidenceRequest *out,
                           GError **error);

/* One tpm_quote item; newly allocated. */
char *evidence_write(Bytes message, Bytes signature, Bytes pcr_blob);

/* meta.seconds_to_next_attestation, -1 when the answer has none that is usable (decision D96). */
gint64 acceptance_read(Json *body);

/* attestation_status of this agent's own record (GET /v2.6/agents/{id}); NULL when absent.
 * Borrowed. */
const char *own_status_read(Json *body);
