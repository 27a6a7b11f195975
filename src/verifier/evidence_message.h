/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence on the wire: the body of PATCH .../attestations/{index}, and how a quote is shown
 * afterwards (verifier-push-api §5.5, §5.6, §6.1; decision D3).
 */
#pragma once

#include "http/envelope.h"
#include "tpm/pcr.h"

#define EVIDENCE_MAX_MESSAGE 4096 /* bytes of a TPMS_ATTEST; real ones have about 150 */
#define EVIDENCE_MAX_SIGNATURE 4096
/* 16 banks of 24 PCRs in lists of eight (verifier-push-api §6.1). */
#define EVIDENCE_MAX_PCR_BLOB (136 + 532 * 48)

typedef struct {
    GBytes *message, *signature, *pcr_blob;
} QuoteEvidence;

void quote_evidence_clear(QuoteEvidence *evidence);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(QuoteEvidence, quote_evidence_clear)

/*
 * Reads `attributes` (NULL = none were sent) as the answer to a request for one tpm_quote over
 * `pcrs` of the bank `hash`. False when it is none: each problem was added to `errors` as 422 with
 * its pointer. What the quote proves is not judged here; but PCR values that cannot be read, or
 * that lack a PCR which was asked for, are refused at once.
 */
bool quote_evidence_read(Json *attributes, uint16_t hash, uint32_t pcrs, QuoteEvidence *out,
                         ApiErrors *errors);

/* `data` of a quote as §5.8 shows it: the three parts, and what they say in words; new reference.
 */
Json *quote_data_to_json(Bytes message, Bytes signature, Bytes pcr_blob);
