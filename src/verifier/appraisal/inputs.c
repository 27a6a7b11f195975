/* SPDX-License-Identifier: Apache-2.0 */
/* What a job of logs needs besides its rows. */
#include "verifier/appraisal/job.h"
#include "verifier/attestation/log_progress.h"
#include "verifier/policies/policy_record.h"

/* One look at the database for all that is not in memory. */
typedef struct {
    AppraisalJob *job;
    bool needs_runtime, needs_boot;
    GBytes *log[LOG_KINDS];
    PolicyRecord *runtime, *boot;
    char *ima_state;
} Missing;

static void missing_clear(Missing *missing)
{
    for (unsigned kind = 0; kind < LOG_KINDS; kind++)
        g_clear_pointer(&missing->log[kind], g_bytes_unref);
    g_clear_pointer(&missing->runtime, policy_record_free);
    g_clear_pointer(&missing->boot, policy_record_free);
    g_clear_pointer(&missing->ima_state, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Missing, missing_clear)

static bool load_logs(Connection *connection, Missing *missing, GError **error)
{
    const AppraisalJob *job = missing->job;
    for (unsigned kind = 0; kind < LOG_KINDS; kind++)
        if (job->logs.log[kind].asked &&
            !evidence_log_load(connection, job->agent_id, job->index, (LogKind)kind,
                               &missing->log[kind], error))
            return false;
    return true;
}

static bool load(Connection *connection, gpointer data, GError **error)
{
    Missing *missing = data;
    const AppraisalJob *job = missing->job;
    missing_clear(missing);
    if (!job->has_logs && !load_logs(connection, missing, error))
        return false;
    if (missing->needs_runtime && !policy_record_of_agent(connection, POLICY_RUNTIME, job->agent_id,
                                                          &missing->runtime, error))
        return false;
    if (missing->needs_boot && !policy_record_of_agent(connection, POLICY_MEASURED_BOOT,
                                                       job->agent_id, &missing->boot, error))
        return false;
    return !job->logs.log[LOG_IMA].asked ||
           log_progress_load(connection, job->agent_id, &missing->ima_state, error);
}

/* --- policies ------------------------------------------------------------------------------- */

static void set_text(char **slot, const char *text)
{
    g_free(*slot);
    *slot = g_strdup(text);
}

/* The policy changed since the job was made: the present one counts, under its own checksum. */
static bool take_present(PolicyUse *use, const PolicyRecord *present)
{
    set_text(&use->name, present ? present->name : NULL);
    set_text(&use->checksum, present ? present->checksum : NULL);
    use->wants_log = present && present->wants_log && present->text;
    return use->wants_log;
}

static void compile_runtime(AppraisalJob *job, const Missing *missing, References *references)
{
    g_autoptr(GError) error = NULL;
    if (!missing->needs_runtime || !take_present(&job->agent->runtime, missing->runtime))
        return;
    job->runtime = references_add_runtime(references, missing->runtime->checksum,
                                          missing->runtime->text, &error);
    if (!job->runtime && !job->broken)
        job->broken =
            g_strdup_printf("runtime policy '%s': %s", missing->runtime->name, error->message);
}

static void compile_boot(AppraisalJob *job, const Missing *missing,
                         const VerifierSettings *settings, References *references)
{
    if (missing->needs_boot && take_present(&job->agent->boot, missing->boot))
        job->boot = references_add_boot(references, missing->boot->checksum, settings->boot_rules,
                                        missing->boot->text);
}

/* --- the list's state ----------------------------------------------------------------------- */

static void read_ima_keys(AppraisalJob *job)
{
    const char *text = job->agent->ima_keys;
    g_autoptr(GError) error = NULL;
    if (!text || !*text)
        return;
    job->ima_keys = ima_keyring_parse(bytes_of_text(text), &ima_keyring_rules_enrolment, &error);
    if (!job->ima_keys && !job->broken)
        job->broken = g_strdup_printf("ima_sign_verification_keys: %s", error->message);
}

bool appraisal_job_policies_are_compiled(const AgentRecord *agent, References *references)
{
    g_autoptr(RuntimePolicy) runtime =
        agent->runtime.wants_log ? references_runtime(references, agent->runtime.checksum) : NULL;
    g_autoptr(BootPolicy) boot =
        agent->boot.wants_log ? references_boot(references, agent->boot.checksum) : NULL;
    return (runtime || !agent->runtime.wants_log) && (boot || !agent->boot.wants_log);
}

/* --- all of it ------------------------------------------------------------------------------ */

static void find_in_memory(AppraisalJob *job, References *references, Missing *missing)
{
    const AgentRecord *agent = job->agent;
    if (job->logs.log[LOG_IMA].asked && agent->runtime.wants_log) {
        job->runtime = references_runtime(references, agent->runtime.checksum);
        missing->needs_runtime = !job->runtime;
    }
    if (job->logs.log[LOG_UEFI].asked && agent->boot.wants_log) {
        job->boot = references_boot(references, agent->boot.checksum);
        missing->needs_boot = !job->boot;
    }
}

bool appraisal_job_prepare(AppraisalJob *job, Database *database, const VerifierSettings *settings,
                           References *references, GError **error)
{
    if (asked_logs_count(&job->logs) == 0)
        return true;
    g_auto(Missing) missing = {.job = job};
    find_in_memory(job, references, &missing);
    bool complete = job->has_logs && !missing.needs_runtime && !missing.needs_boot &&
                    !job->logs.log[LOG_IMA].asked;
    if (!complete && !database_read(database, load, &missing, error))
        return false;
    compile_runtime(job, &missing, references);
    compile_boot(job, &missing, settings, references);
    if (!job->has_logs)
        appraisal_job_hold_logs(job, missing.log);
    if (job->runtime) {
        read_ima_keys(job);
        job->ima_state_text = g_steal_pointer(&missing.ima_state);
        job->ima_state = log_progress_ima_state(job->agent_id, job->ima_state_text);
    }
    return true;
}

/* --- logs in memory ------------------------------------------------------------------------- */

void appraisal_job_hold_logs(AppraisalJob *job, GBytes *const *logs)
{
    job->has_logs = true;
    for (unsigned kind = 0; kind < LOG_KINDS; kind++)
        job->log[kind] = logs[kind] ? g_bytes_ref(logs[kind]) : NULL;
}

void appraisal_job_drop_logs(AppraisalJob *job)
{
    job->has_logs = false;
    for (unsigned kind = 0; kind < LOG_KINDS; kind++)
        g_clear_pointer(&job->log[kind], g_bytes_unref);
}

size_t appraisal_job_log_size(const AppraisalJob *job)
{
    size_t size = 0;
    for (unsigned kind = 0; kind < LOG_KINDS; kind++)
        size += job->log[kind] ? g_bytes_get_size(job->log[kind]) : 0;
    return size;
}
