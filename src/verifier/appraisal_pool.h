/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Appraisals run here, after the 202 and apart from the workers that answer requests, so that a
 * large log never delays a challenge. Threads and queue are bounded. The database holds every job
 * from the moment its evidence was accepted (decision D69): what the queue has no room for, and
 * what a killed process left behind, is found there by the scan of any verifier.
 */
#pragma once

#include "evidence/appraisal.h"
#include "verifier/verifier.h"

typedef struct AppraisalJob AppraisalJob; /* verifier/appraisal_job.h */

/* Starts the threads and takes up what an earlier process of a database of its own left. `verifier`
 * must outlive the pool. */
AppraisalPool *appraisal_pool_new(Verifier *verifier, GError **error);
/* Ends running appraisals and joins the threads; what waits stays in the database. NULL is fine. */
void appraisal_pool_free(AppraisalPool *pool);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AppraisalPool, appraisal_pool_free)

/*
 * Room for one job, asked for before the evidence is stored so that the row can say who works on
 * it. After true, exactly one of submit and release follows.
 */
bool appraisal_pool_reserve(AppraisalPool *pool);
void appraisal_pool_release(AppraisalPool *pool);
/* Takes `job` over. */
void appraisal_pool_submit(AppraisalPool *pool, AppraisalJob *job);
/* Tells that a job was stored for which there was no room: the scan follows as soon as there is. */
void appraisal_pool_overflowed(AppraisalPool *pool);

/* Until when a process that takes a job up now counts as alive: at least 120 s, and longer than the
 * longest run. */
Timestamp appraisal_pool_lease(const Verifier *verifier, Timestamp now);
