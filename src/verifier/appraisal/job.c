/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/appraisal/job.h"

#include "verifier/attestation/log_progress.h"

#include <string.h>

/* --- the inputs ---------------------------------------------------------------------------- */

AppraisalJob *appraisal_job_new(AgentRecord *agent, const AttestationRecord *attestation,
                                References *references)
{
    AppraisalJob *job = g_new0(AppraisalJob, 1);
    job->references = 1;
    job->agent_id = g_strdup(attestation->agent_id);
    job->index = attestation->index;
    job->starts = attestation->job_starts;
    job->lease = attestation->job_lease;
    job->evidence_received_at = attestation->evidence_received_at;
    job->agent = agent;
    memcpy(job->challenge, attestation->challenge, CHALLENGE_SIZE);
    job->scheme = attestation->quote_scheme;
    job->hash = attestation->quote_hash;
    job->pcrs = attestation->quote_pcrs;
    job->message = g_bytes_ref(attestation->message);
    job->signature = g_bytes_ref(attestation->signature);
    job->pcr_blob = g_bytes_ref(attestation->pcr_blob);
    job->boot_time = attestation->boot_time;
    asked_logs_copy(&attestation->logs, &job->logs);

    g_autoptr(GError) error = NULL;
    job->key = references_key(references, agent->ak_tpm, &error);
    if (job->key)
        job->policy = references_policy(references, agent->tpm_policy, &error);
    if (error)
        job->broken = g_strdup(error->message);
    return job;
}

AppraisalJob *appraisal_job_ref(AppraisalJob *job)
{
    g_atomic_int_inc(&job->references);
    return job;
}

void appraisal_job_unref(AppraisalJob *job)
{
    if (!job || !g_atomic_int_dec_and_test(&job->references))
        return;
    g_free(job->agent_id);
    agent_record_free(job->agent);
    shared_key_unref(job->key);
    g_clear_pointer(&job->policy, tpm_policy_unref);
    g_free(job->broken);
    g_bytes_unref(job->message);
    g_bytes_unref(job->signature);
    g_bytes_unref(job->pcr_blob);
    asked_logs_clear(&job->logs);
    appraisal_job_drop_logs(job);
    runtime_policy_unref(job->runtime);
    boot_policy_unref(job->boot);
    ima_keyring_free(job->ima_keys);
    ima_push_state_free(job->ima_state);
    g_free(job->ima_state_text);
    g_free(job);
}

/* --- the run ------------------------------------------------------------------------------- */

void appraisal_result_free(AppraisalResult *result)
{
    if (!result)
        return;
    appraisal_job_unref(result->job);
    verdict_free(result->verdict);
    ima_push_state_free(result->ima_state);
    g_free(result);
}

static AppraisalResult *result_of(AppraisalJob *job, Verdict *verdict)
{
    AppraisalResult *result = g_new0(AppraisalResult, 1);
    result->job = appraisal_job_ref(job);
    result->verdict = verdict;
    result->state = job->agent->appraisal;
    result->ima_certified = -1;
    result->severity.level = -1;
    return result;
}

AppraisalResult *appraisal_job_fail(AppraisalJob *job, const char *event_id, const char *format,
                                    ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    Verdict *verdict = verdict_new();
    verdict_fail_message(verdict, event_id, "%s", message);
    return result_of(job, verdict);
}

/* The list and what judges it; NULL when there is none to judge. */
static ImaCheck *ima_of(AppraisalJob *job, const VerifierSettings *settings, References *references,
                        const char *reference, ImaCheck *storage)
{
    if (!job->runtime)
        return NULL;
    *storage = (ImaCheck){
        .list = {.list = bytes_of_gbytes(job->log[LOG_IMA]),
                 .policy = job->runtime,
                 .keys = job->ima_keys,
                 .rules = ima_rules_default,
                 .cache = references_signatures(references)},
        .round = {.offset = (guint64)job->logs.log[LOG_IMA].offset,
                  .boot_time = log_progress_boot_time(job->boot_time),
                  .policy_checksum = reference},
        .state = g_steal_pointer(&job->ima_state),
    };
    storage->list.rules.violations = settings->ima_violations;
    return storage;
}

static const BootInput *boot_of(const AppraisalJob *job, const VerifierSettings *settings,
                                BootInput *storage)
{
    if (!job->boot)
        return NULL;
    *storage = (BootInput){
        .log = bytes_of_gbytes(job->log[LOG_UEFI]),
        .policy = job->boot,
        .profile = settings->boot_profile,
        .evaluate = settings->boot_evaluate,
        .pcrs = settings->boot_pcrs,
        .max_log_size = settings->boot_max_log_size,
        .max_events = settings->boot_max_events,
    };
    return storage;
}

/* What the list's appraisal leaves for the next one and for readers. */
static void keep_progress(AppraisalResult *result, const ImaCheck *ima)
{
    result->ima_state = ima->state;
    result->ima_passed = ima->passed;
    result->ima_certified = ima->passed ? (gint64)ima->result.certified : -1;
    result->forgiven = ima->result.forgiven && result->verdict->failure_count == 1;
}

AppraisalResult *appraisal_job_run(AppraisalJob *job, const VerifierSettings *settings,
                                   References *references, AppraisalFunction function)
{
    if (job->broken)
        return appraisal_job_fail(job, EVENT_FAILED, "the enrolment cannot be read: %s",
                                  job->broken);
    /* What was negotiated is what counts, and nothing else. */
    const char *const schemes[] = {tpm_algorithm_name(job->scheme), NULL};
    const char *const hashes[] = {tpm_algorithm_name(job->hash), NULL};
    ImaCheck ima_storage;
    g_autofree char *reference = log_progress_ima_reference(job->agent, settings->ima_violations);
    ImaCheck *ima = ima_of(job, settings, references, reference, &ima_storage);
    BootInput boot_storage;
    AppraisalInput input = {
        .quote = {.ak = shared_key_public(job->key),
                  .message = bytes_of_gbytes(job->message),
                  .signature = bytes_of_gbytes(job->signature),
                  .pcr_blob = bytes_of_gbytes(job->pcr_blob),
                  .nonce = BYTES_OF_ARRAY(job->challenge),
                  .scheme = job->scheme,
                  .hash = job->hash,
                  .required_pcrs = job->pcrs,
                  .rules = {.schemes = schemes, .hashes = hashes}},
        .tpm_policy = job->policy,
        .require_safe_clock = settings->require_safe_clock,
        .boot = boot_of(job, settings, &boot_storage),
        .ima = ima,
    };
    AppraisalState state = job->agent->appraisal;
    AppraisalResult *result = result_of(job, function(&input, &state, NULL));
    if (ima)
        keep_progress(result, ima);
    result->firmware_changed =
        result->state.known && state.known &&
        result->state.firmware_version != state.firmware_version &&
        bytes_equal(bytes_of(result->state.ak_name, result->state.ak_name_size),
                    bytes_of(state.ak_name, state.ak_name_size));
    result->state = state;
    return result;
}
