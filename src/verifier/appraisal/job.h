/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One appraisal: its inputs, its run (pure), and the effects of its verdict (verifier-push-api §7;
 * decisions D35, D66, D68, D69, D82). The rows' `job_starts` is the fence: who was overtaken by
 * another process, or by the time limit, changes nothing.
 */
#pragma once

#include "evidence/appraisal.h"
#include "verifier/agent_record.h"
#include "verifier/appraisal/failure_severity.h"
#include "verifier/attestation/record.h"
#include "verifier/attestation/reference.h"

/* Starts of one appraisal before it is given up (decision D69). */
#define APPRAISAL_MAX_STARTS 3

/* Event ids of failures that are ours, not the agent's. */
#define EVENT_TIMEOUT "internal.verification_timeout"
#define EVENT_FAILED "internal.appraisal_failed"

typedef struct AppraisalJob {
    gint references;
    char *agent_id;
    gint64 index;
    gint64 starts;
    Timestamp lease;
    Timestamp evidence_received_at;
    AgentRecord *agent;
    SharedKey *key;    /* NULL: see `broken` */
    TpmPolicy *policy; /* likewise */
    char *broken;      /* why it cannot be appraised at all, or NULL */
    uint8_t challenge[CHALLENGE_SIZE];
    uint16_t scheme, hash;
    uint32_t pcrs;
    GBytes *message, *signature, *pcr_blob;
    Timestamp boot_time; /* as told with the capabilities */
    AskedLogs logs;
    /* What appraisal_job_prepare() finds; NULL = not asked for, or not wanted any more. */
    bool has_logs; /* `log` is what was received; false: it is in the database */
    GBytes *log[LOG_KINDS];
    size_t held; /* bytes of `log` that the pool counts */
    RuntimePolicy *runtime;
    BootPolicy *boot;
    ImaKeyring *ima_keys;    /* of the enrolment, or NULL */
    ImaPushState *ima_state; /* from which the list goes on */
    char *ima_state_text;    /* as it is stored, or NULL */
} AppraisalJob;

/* Takes `agent` over; `attestation` has its evidence. */
AppraisalJob *appraisal_job_new(AgentRecord *agent, const AttestationRecord *attestation,
                                References *references);
AppraisalJob *appraisal_job_ref(AppraisalJob *job);
void appraisal_job_unref(AppraisalJob *job);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AppraisalJob, appraisal_job_unref)

/* The logs as they were received, which need not be read from the database then. */
void appraisal_job_hold_logs(AppraisalJob *job, GBytes *const *logs);
/* Forgets them: they are in the database. */
void appraisal_job_drop_logs(AppraisalJob *job);
size_t appraisal_job_log_size(const AppraisalJob *job);

/* Nothing that judges the agent's logs needs to be read or compiled first. */
bool appraisal_job_policies_are_compiled(const AgentRecord *agent, References *references);

/*
 * Before the run: what a job of logs needs besides its rows, from memory or the database: logs,
 * policies as they are now, the state of the list. False when the database cannot be used.
 */
bool appraisal_job_prepare(AppraisalJob *job, Database *database, const VerifierSettings *settings,
                           References *references, GError **error);

/* appraise(), or a slower one in tests. */
typedef Verdict *(*AppraisalFunction)(const AppraisalInput *input, AppraisalState *state,
                                      VerifiedQuote **quote);

/* What a verdict did to the status that operators see. */
typedef enum {
    STATUS_KEPT,
    STATUS_FAILED,    /* it became FAIL */
    STATUS_RECOVERED, /* it is PASS again after FAIL or TIMEOUT */
} StatusChange;

/* What a run yields. */
typedef struct {
    AppraisalJob *job; /* a reference */
    Verdict *verdict;
    AppraisalState state;
    ImaPushState *ima_state; /* from which the next list goes on; NULL: none was judged */
    bool ima_passed;
    gint64 ima_certified; /* entries of the list up to the quote, -1 = unknown */
    bool forgiven;     /* the list must be sent whole after a reboot: no failure of the machine */
    Severity severity; /* of the verdict; level -1 as long as nobody judged it */
    bool firmware_changed;
    bool applied;        /* set by appraisal_effects(): false = somebody else was faster */
    StatusChange change; /* likewise */
    guint64 pruned;      /* likewise: older attestations that were deleted */
} AppraisalResult;

void appraisal_result_free(AppraisalResult *result);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AppraisalResult, appraisal_result_free)

/* Appraises; touches nothing else. */
AppraisalResult *appraisal_job_run(AppraisalJob *job, const VerifierSettings *settings,
                                   References *references, AppraisalFunction function);
/* A verdict of ours: the run did not end well. */
AppraisalResult *appraisal_job_fail(AppraisalJob *job, const char *event_id, const char *format,
                                    ...) G_GNUC_PRINTF(3, 4);

/* What the attestation shows of a verdict that is given at `now`. */
void appraisal_result_show(const AppraisalResult *result, Timestamp now, AttestationRecord *record);
/* The event id of the failure that the agent's record shows, NULL after a pass; borrowed. */
const char *appraisal_worst_event(const AppraisalResult *result);
/* The effects on the agent of a verdict that the same transaction stores with the attestation;
 * result->applied false: it is enrolled with another key by now. */
bool appraisal_settle(Connection *connection, const VerifierSettings *settings, Timestamp now,
                      AppraisalResult *result, GError **error);
/* Logs it; after the commit. */
void appraisal_report(const AppraisalResult *result, const VerifierSettings *settings);

/*
 * Writes the effects of results (array of AppraisalResult) in one transaction, each as if alone,
 * and logs them. Results that are dealt with leave the array: a single one that the database
 * refuses, too, as its evidence will be verified again. False: the database cannot be used; what is
 * left in the array is to be written later.
 */
bool appraisal_effects(Database *database, const VerifierSettings *settings, GPtrArray *results,
                       GError **error);
