/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An attestation as the database holds it (table `attestations`, verifier-push-api §5.1).
 */
#pragma once

#include "evidence/verdict.h"
#include "store/database.h"
#include "verifier/attestation/logs.h"
#include "verifier/attestation/negotiation.h"

#define CHALLENGE_SIZE 16

typedef enum {
    STAGE_AWAITING_EVIDENCE,
    STAGE_EVALUATING_EVIDENCE,
    STAGE_VERIFICATION_COMPLETE,
} AttestationStage;

/* "awaiting_evidence", ...; static. */
const char *attestation_stage_text(AttestationStage stage);

typedef struct {
    char *agent_id;
    gint64 index;
    AttestationStage stage;
    Evaluation evaluation;
    char *failure_reason; /* or NULL */
    char *failures;       /* JSON array, or NULL */
    char *warnings;       /* JSON array, or NULL */
    Timestamp boot_time;  /* 0 = not told */
    Timestamp capabilities_received_at, challenges_expire_at;
    Timestamp evidence_received_at, verification_completed_at; /* 0 = not yet */
    uint8_t challenge[CHALLENGE_SIZE];
    char *capabilities; /* offered_quote_store() */
    uint16_t quote_scheme, quote_hash;
    uint32_t quote_pcrs;
    unsigned quote_key;
    AskedLogs logs;                         /* what was asked for beside the quote */
    GBytes *message, *signature, *pcr_blob; /* NULL until evidence was received */
    gint64 job_starts;
    Timestamp job_lease; /* 0 = nobody works on it */
} AttestationRecord;

void attestation_record_free(AttestationRecord *record);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AttestationRecord, attestation_record_free)

/* *out NULL = there is none. False only on a database error. */
bool attestation_record_latest(Connection *connection, const char *agent_id,
                               AttestationRecord **out, GError **error);
bool attestation_record_load(Connection *connection, const char *agent_id, gint64 index,
                             AttestationRecord **out, GError **error);
/* The newest `limit` of those with an index below `before`, in ascending order; *out is an array of
 * AttestationRecord that frees them. */
bool attestation_record_list(Connection *connection, const char *agent_id, gint64 before,
                             gint64 limit, GPtrArray **out, GError **error);
/* Of the table's columns: those of a new attestation that awaits its evidence. */
bool attestation_record_insert(Connection *connection, const AttestationRecord *record,
                               GError **error);
/* Stage, evidence, job and, where it is known, verdict of `record`, of which the database has the
 * challenge. *changed 0: it awaits no evidence any more. */
bool attestation_record_receive(Connection *connection, const AttestationRecord *record,
                                guint64 *changed, GError **error);

/* In SQL, $1 being now and $2 a new lease + CLOCK_SET_BACK. */
#define ATTESTATION_JOB_IS_FREE                                                                    \
    "stage = 'evaluating_evidence' AND (job_lease < $1 OR job_lease > $2)"

/*
 * Jobs that nobody works on at `now`, oldest first, at most `limit`: each is taken (its lease set,
 * its starts counted) in the same statement, so that of several processes one gets it. *out as
 * above.
 */
bool attestation_record_claim(Connection *connection, Timestamp now, Timestamp lease, gint64 limit,
                              GPtrArray **out, GError **error);
