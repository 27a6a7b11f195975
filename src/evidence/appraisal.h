/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The heart: (evidence, reference values, prior state) -> (verdict, new state). Pure: no lock, no
 * clock, no file, no socket.
 */
#pragma once

#include "evidence/pcr_check.h"
#include "tpm/quote.h"

/* What is remembered of the last attestation whose quote was authenticated, whatever its verdict.
 */
typedef struct {
    bool known;                    /* false: no authenticated quote so far */
    uint8_t ak_name[TPM_NAME_MAX]; /* compared only under the same AK (decision D12) */
    size_t ak_name_size;
    TpmClock clock;
    uint64_t firmware_version;
    BootState boot; /* of the last evaluation of a boot that passed, under this AK */
} AppraisalState;

typedef struct {
    QuoteInput quote;
    const TpmPolicy *tpm_policy; /* may be NULL: nothing to compare */
    bool require_safe_clock;
    const BootInput *boot; /* NULL: no boot event log and no policy for one */
    ImaCheck *ima;         /* NULL: no measurement list */
} AppraisalInput;

/*
 * Appraise. *state is replaced only when the quote was authenticated: signed by the AK over the
 * nonce, with the PCR values that were signed, and with a clock that follows the one in *state.
 * *quote (may be NULL) receives the verified quote (g_free()), or NULL. New verdict; never NULL.
 */
Verdict *appraise(const AppraisalInput *input, AppraisalState *state, VerifiedQuote **quote);
