/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence on the wire: the body of PATCH .../attestations/{index}, and how a quote is shown
 * afterwards (verifier-push-api §5.5, §5.6, §6.1; decision D3).
 */
#pragma once

#include "http/envelope.h"
#include "tpm/pcr.h"
#include "verifier/attestation/logs.h"

#define EVIDENCE_MAX_MESSAGE 4096 /* bytes of a TPMS_ATTEST; real ones have about 150 */
#define EVIDENCE_MAX_SIGNATURE 4096
/* 16 banks of 24 PCRs in lists of eight (verifier-push-api §6.1). */
#define EVIDENCE_MAX_PCR_BLOB (136 + 532 * 48)

/* What was asked for. */
typedef struct {
    uint16_t hash; /* the bank of the quote */
    uint32_t pcrs;
    const AskedLogs *logs;
} AskedEvidence;

typedef struct {
    GBytes *message, *signature, *pcr_blob;
    GBytes *log[LOG_KINDS]; /* NULL: not asked for, or nothing was sent in its place */
    gint64 ima_received;    /* lines of the IMA list */
} Evidence;

void evidence_clear(Evidence *evidence);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Evidence, evidence_clear)

/*
 * Reads `attributes` (NULL = none were sent) as the answer to what was asked for. False when it is
 * none: each problem was added to `errors` as 422 with its pointer. What the evidence proves is not
 * judged here; but PCR values that cannot be read, or that lack a PCR which was asked for, are
 * refused at once, and so is an IMA list that is shorter than announced (ima §9.3).
 */
bool evidence_read(Json *attributes, const AskedEvidence *asked, Evidence *out, ApiErrors *errors);

/* `data` of a quote as §5.8 shows it: the three parts, and what they say in words; new reference.
 */
Json *quote_data_to_json(Bytes message, Bytes signature, Bytes pcr_blob);
/* `data` of a log likewise; `content` NULL = it is not kept. */
Json *log_data_to_json(LogKind kind, const AskedLog *log, GBytes *content);
