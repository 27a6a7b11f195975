/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Appraisal of a measurement list: replays PCR 10, finds where the quote stands, and judges every
 * entry against the runtime policy (ima §4, §5). Pure: the verdict depends on the arguments only.
 */
#pragma once

#include "evidence/ima/judge.h"
#include "evidence/ima/state.h"

typedef struct {
    Bytes list;                  /* from the state's `entries` on to the list's end */
    const RuntimePolicy *policy; /* NULL: no policy object, all files pass */
    const ImaKeyring *keys; /* verification keys besides the policy's (decision D55), or NULL */
    bool without_keyrings;  /* one-shot verification: signatures count for nothing (ima §5.3) */
    uint16_t bank;          /* the replayed one: SHA-1, 256, 384 or 512 */
    Bytes quoted;           /* PCR 10 of the quote; empty: there is none, all is covered */
    const GPtrArray *boot_aggregates; /* of GBytes, from the event log (evidence/uefi/
                                         replay.h); may be NULL */
    ImaRules rules;
    ImaSignatureCache *cache; /* may be NULL */
} ImaInput;

/* What was found on the way, whatever the verdict. */
typedef struct {
    guint64 lines;      /* blank ones too */
    guint64 entries;    /* lines that are not blank */
    bool matched;       /* the replay reached the quote, */
    guint64 match_line; /* after so many lines, */
    guint64 certified;  /* so many entries */
    size_t pcr_size;
    uint8_t pcr[TPM_MAX_DIGEST]; /* after the last line */
    ImaKeyrings *rings;          /* as after the list; NULL when without */
} ImaOutcome;

void ima_outcome_clear(ImaOutcome *outcome);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ImaOutcome, ima_outcome_clear)

/*
 * Adds the failures to the verdict: those of each entry in the list's order, then those of the list
 * (`ima.pcr_mismatch` or `ima.quote_progress`). Each context has "message" and "rule", and of an
 * entry its number "entry" in the whole list, "path", "digest", "expected" and "got" where they are
 * known (evidence/ima/report.h).
 *
 * When nothing failed, *state is moved on to the quote; otherwise it stays as it was. A state of 0
 * entries means a whole list: the replay begins with zeros (decision D40).
 * `state` may be NULL: one list, and nothing is remembered or compared with the last round.
 * `outcome`, which may be NULL, is to be cleared.
 *
 * True when this list failed nothing.
 */
bool ima_appraise(const ImaInput *input, ImaState *state, Verdict *verdict, ImaOutcome *outcome);
