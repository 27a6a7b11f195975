/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Appraisals run here, after the 202 and apart from the workers that answer requests, so that a
 * large log never delays a challenge; small evidence alone is judged by the worker that received
 * it. Threads and queue are bounded. The database holds every job from the moment its evidence was
 * accepted (decision D69): what the queue has no room for, and what a killed process left behind,
 * is found there by the scan of any verifier.
 */
#pragma once

#include "verifier/appraisal/job.h"
#include "verifier/verifier.h"

/* Starts the threads and takes up what an earlier process of a database of its own left. `verifier`
 * must outlive the pool. */
AppraisalPool *appraisal_pool_new(Verifier *verifier, GError **error);
/* With another appraisal than appraise(): tests slow it down. */
AppraisalPool *appraisal_pool_new_with(Verifier *verifier, AppraisalFunction function,
                                       GError **error);
/* Ends running appraisals and joins the threads; what waits is given back to the database. NULL is
 * fine. */
void appraisal_pool_free(AppraisalPool *pool);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AppraisalPool, appraisal_pool_free)

/* Parsed keys and policies, for whoever needs them. */
References *appraisal_pool_references(AppraisalPool *pool);

/*
 * Room for one job, asked for before the evidence is stored so that the row can say that it is
 * worked on. After true, exactly one of submit and release follows. False: the job is stored with
 * no lease, and the scan takes it up as soon as there is room.
 */
bool appraisal_pool_reserve(AppraisalPool *pool);
void appraisal_pool_release(AppraisalPool *pool);
/* Takes `job` over. */
void appraisal_pool_submit(AppraisalPool *pool, AppraisalJob *job);

/* Appraises on this thread, for evidence that is judged sooner than handed over. The log tells of
 * the start. NULL when the database cannot say what else the job needs. */
AppraisalResult *appraisal_pool_judge(AppraisalPool *pool, AppraisalJob *job);

/* Until when a process that takes a job up now counts as alive: at least 120 s (decision D69), and
 * longer than the longest run. */
Timestamp appraisal_pool_lease(const VerifierSettings *settings, Timestamp now);
