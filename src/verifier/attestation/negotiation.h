/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what an agent offers and what its enrolment allows to what it must prove: a pure function
 * (verifier-push-api §5.3 stage B, §5.4; decisions D6-D9, D79).
 */
#pragma once

#include "policy/accept.h"
#include "verifier/attestation/capabilities.h"

/* The enrolment's side. */
typedef struct {
    const TpmPublic *ak;
    AcceptLists accept;
    uint32_t required_pcrs; /* of the agent's policies; 0 = none, then one PCR is chosen (D79) */
} NegotiationTerms;

/* The outcome; the challenge is the caller's. */
typedef struct {
    const OfferedQuote *quote; /* the item that was chosen; borrowed */
    unsigned key;              /* number of the key in it */
    uint16_t scheme, hash;     /* TPM_ALG_ID; the bank is the hash's */
    uint32_t pcrs;             /* never 0 */
} Negotiated;

/*
 * False when no offered item fits: what stands in the way of each was added to `errors` as 422, in
 * words that name what the agent offers, the accepted list and the tenant's option (contract
 * C116b).
 */
bool negotiate(const Capabilities *capabilities, const NegotiationTerms *terms, Negotiated *out,
               ApiErrors *errors);
