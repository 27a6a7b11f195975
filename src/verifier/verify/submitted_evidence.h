/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence that anybody submits together with what it is to be judged by, for one verdict and
 * without an enrolment: the `data` of POST /verify/evidence (tenant-and-management-api §8.2).
 *
 * Two kinds of wrong are told apart. What the requester says (types, policies) must be right, else
 * there is an error. What the attester made (quote, key, logs) is evidence, and yields a verdict
 * whatever it is. Pure.
 */
#pragma once

#include "evidence/verdict.h"
#include "policy/boot_policy.h"
#include "policy/runtime_policy.h"
#include "policy/tpm_policy.h"
#include "verifier/settings.h"

/* Longest body of a request (decision D107). */
#define SUBMITTED_BODY_MAX ((size_t)16 * 1024 * 1024)

#define SUBMITTED_ERROR (submitted_error_quark())
typedef enum {
    SUBMITTED_ERROR_MISSING,   /* a member */
    SUBMITTED_ERROR_NO_POLICY, /* nothing to judge by */
    SUBMITTED_ERROR_INVALID,   /* a member */
} SubmittedError;
GQuark submitted_error_quark(void);
/* The event that upstream's answer tells such an error by: "missing_param", "missing_policy"; and
 * "invalid_param". Static. */
const char *submitted_error_event(const GError *error);

typedef struct {
    const char *quote, *nonce, *hash_alg;
    GBytes *ak; /* TPM2B_PUBLIC, unread */
    TpmPolicy *tpm_policy;
    RuntimePolicy *runtime_policy;
    BootPolicy *boot_policy;
    Bytes ima_list;   /* empty: none */
    GBytes *boot_log; /* NULL: none */
} SubmittedEvidence;

/* Reads `data`, which it borrows from as long as *out lives. The policies are compiled, those of
 * boots under `boot_rules`. On an error *member names what is wrong (static; NULL: no one member),
 * and *out is empty. */
bool submitted_evidence_read(Json *data, BootRules boot_rules, SubmittedEvidence *out,
                             const char **member, GError **error);
void submitted_evidence_clear(SubmittedEvidence *evidence);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SubmittedEvidence, submitted_evidence_clear)

/*
 * The verdict. Nothing is remembered of earlier evidence: no clock is compared, the list is
 * replayed from its beginning, a boot is always evaluated (decision D57), and signatures of files
 * do not count (ima §5.3).
 */
Verdict *submitted_evidence_appraise(const SubmittedEvidence *evidence,
                                     const VerifierSettings *settings);
