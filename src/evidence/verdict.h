/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outcome of an appraisal: pass or fail, with each failure as an event that upstream's tools
 * know by its id (verifier-push-api §7.2, configuration-and-operations §14.4).
 */
#pragma once

#include "base/json.h"

typedef enum { EVALUATION_PENDING, EVALUATION_PASS, EVALUATION_FAIL } Evaluation;

/* Static words of the API: "pending", "pass", "fail". */
const char *evaluation_text(Evaluation evaluation);

/* At most so many failures are kept; the rest are only counted (decision D70). One that breaks the
 * chain of evidence is kept in any case, in the last one's place: it explains the reason. */
#define VERDICT_MAX_FAILURES 100

typedef struct {
    Evaluation evaluation; /* PASS until something is added */
    Json *failures;        /* array of {"event_id", "context"} */
    guint failure_count;   /* those beyond the limit too */
    bool broken_evidence;  /* some failure breaks the chain of evidence */
    GPtrArray *warnings;   /* of char*: accepted, but the operator should know */
} Verdict;

Verdict *verdict_new(void);
void verdict_free(Verdict *verdict);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Verdict, verdict_free)

/* Adds a failure; `context` (taken over) is an object with at least "message". Ids
 * `qoute_validation.quote_validation`, `measured_boot.invalid_pcr_*`, `ima.pcr_mismatch` (and ours
 * of D39) break the chain of evidence, all others are violations of policy. */
void verdict_fail(Verdict *verdict, const char *event_id, Json *context);
/* False once a violation of policy would only be counted: its context need not be made. */
bool verdict_keeps_more(const Verdict *verdict);
/* With a "message" only. */
void verdict_fail_message(Verdict *verdict, const char *event_id, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
/* Adds another verdict's failures and warnings. */
void verdict_add(Verdict *verdict, const Verdict *other);
void verdict_warn(Verdict *verdict, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* NULL, "broken_evidence_chain" or "policy_violation"; static. */
const char *verdict_failure_reason(const Verdict *verdict);
/* First failures in one line for a log: "PCR 15 (sha256): expected ..., got ...". Newly allocated.
 */
char *verdict_summary(const Verdict *verdict);
