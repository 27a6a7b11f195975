/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/appraisal/log_effects.h"

#include "verifier/attestation/log_progress.h"

#include <string.h>

static bool same_boot_state(const BootState *a, const BootState *b)
{
    return a->passed == b->passed &&
           (!a->passed || memcmp(a->fingerprint, b->fingerprint, sizeof a->fingerprint) == 0);
}

/* What was learned counts with the attestation that passed (decision D44). A list that failed tells
 * where to begin anew, and that is kept; one that passed beside another failure is judged again. */
static bool store_progress(Connection *connection, const AppraisalResult *result, GError **error)
{
    const AppraisalJob *job = result->job;
    bool passed = result->verdict->evaluation == EVALUATION_PASS;
    if (!passed && (!result->ima_state || result->ima_passed))
        return true;
    const BootState *before = &job->agent->appraisal.boot;
    const BootState *boot = passed ? &result->state.boot : before;
    g_autofree char *ima_state =
        result->ima_state ? ima_push_state_to_text(result->ima_state) : NULL;
    /* A machine at rest changes nothing. */
    if (same_boot_state(before, boot) && g_strcmp0(job->ima_state_text, ima_state) == 0)
        return true;
    return log_progress_store(connection, job->agent_id, boot, ima_state, error);
}

bool appraisal_log_effects(Connection *connection, const AppraisalResult *result, GError **error)
{
    const AppraisalJob *job = result->job;
    if (asked_logs_count(&job->logs) == 0)
        return true;
    if (!store_progress(connection, result, error))
        return false;
    return result->verdict->evaluation == EVALUATION_PASS
               ? evidence_logs_drop(connection, job->agent_id, job->index, error)
               : evidence_logs_prune(connection, job->agent_id, error);
}
