/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What verdicts make known: an agent whose status became FAIL, or PASS after FAIL or TIMEOUT
 * (decision D108).
 */
#pragma once

#include "verifier/appraisal/job.h"

/* Within the transaction that settled the results, last in it (verifier/notification/outbox.h). */
bool appraisal_notify(Connection *connection, const VerifierSettings *settings,
                      AppraisalResult *const *results, guint count, Timestamp now, GError **error);
