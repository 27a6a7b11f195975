/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of the attestation routes: capabilities, what the verifier asks for, evidence,
 * acceptance (verifier-push-api §5; push-agent §9, §19.6-19.9). Pure.
 */
#pragma once

#include "agent/tpm_device.h"
#include "base/json.h"
#include "base/timestamp.h"

/* The kinds of evidence, in the order in which they are offered. */
typedef enum { EVIDENCE_QUOTE, EVIDENCE_UEFI_LOG, EVIDENCE_IMA_LOG, EVIDENCE_KINDS } EvidenceKind;

typedef struct {
    const TpmCapabilities *tpm;
    const TpmPublic *ak;
    const char *server_identifier; /* "ak" */
    const char *boot_time;         /* RFC 3339 */
    bool has_uefi_log;
    guint64 uefi_events;      /* those after the header; 0 = not known */
    const char *uefi_version; /* uefi_logs_evidence_version */
    guint64 ima_entries;      /* 0: there is no list, and none is offered (decision D54) */
} Capabilities;

/* Newly allocated, compact. Offers what is available: a TPM quote always, logs where there are any.
 */
char *capabilities_write(const Capabilities *capabilities);

typedef struct {
    EvidenceKind kinds[EVIDENCE_KINDS]; /* what is asked for, in the order of the answer */
    size_t count;
    GBytes *challenge;
    uint16_t scheme, hash;        /* 0 = the verifier left it open */
    PcrSelection selection;       /* one bank */
    guint64 ima_first, ima_limit; /* starting_offset; entry_count, 0 = all */
    Timestamp expires;            /* of the challenge; 0 = not told */
} EvidenceRequest;
void evidence_request_clear(EvidenceRequest *request);
bool evidence_request_has(const EvidenceRequest *request, EvidenceKind kind);

/*
 * The answer to the capabilities `offered`. Another bank than that of the AK's hash, PCRs above 23,
 * logs without a quote, or evidence that was not offered is MESSAGE_ERROR (decision D98: nothing is
 * sent then).
 */
bool evidence_request_read(Json *body, const Capabilities *offered, EvidenceRequest *out,
                           GError **error);

/* What was collected; the logs only as far as they were asked for. */
typedef struct {
    Bytes message, signature, pcr_blob;
    Bytes uefi_log;
    Bytes ima_text; /* whole lines */
    guint64 ima_entries;
} Evidence;

/*
 * One item for each kind that `request` names, in its order; newly allocated. A list that is no
 * UTF-8 goes as text with U+FFFD and, beside it, as it is (`entries_raw`, decision D53).
 */
char *evidence_write(const EvidenceRequest *request, const Evidence *evidence);

/* meta.seconds_to_next_attestation, -1 when the answer has none that is usable (decision D96). */
gint64 acceptance_read(Json *body);

/* attestation_status of this agent's own record (GET /v2.6/agents/{id}); NULL when absent.
 * Borrowed. */
const char *own_status_read(Json *body);
