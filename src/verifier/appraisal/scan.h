/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The appraisal jobs in the database: finding those that nobody works on, and saying who does
 * (decision D69).
 */
#pragma once

#include "verifier/appraisal/job.h"

/* Takes up to `limit` jobs; array of AppraisalJob. One that was started too often becomes a failed
 * result in `results` instead. NULL and *error on a failure. */
GPtrArray *appraisal_scan_claim(Database *database, const VerifierSettings *settings,
                                References *references, gint64 limit, GPtrArray *results,
                                GError **error);

/* The lease of a job that waited for long starts anew; false: it is another's by now. */
bool appraisal_scan_renew(Database *database, const VerifierSettings *settings, AppraisalJob *job);

/* Jobs that were not started, so that another process finds them at once. */
void appraisal_scan_give_back(Database *database, const GQueue *jobs);

/* At start: with SQLite no other process works on anything, so every lease is a dead one's. */
bool appraisal_scan_reclaim(Database *database, GError **error);
