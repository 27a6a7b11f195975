/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a verdict means for the logs of an agent: where they go on, and which are kept (decisions
 * D39, D44, D47, D57, D81).
 */
#pragma once

#include "verifier/appraisal/job.h"

/* In the transaction of the verdict; nothing to do for attestations of a quote alone. */
bool appraisal_log_effects(Connection *connection, const AppraisalResult *result, GError **error);
