/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.verifier"
#include "base/log.h"
#include "verifier/appraisal/log_effects.h"
#include "verifier/notification/appraisal_notice.h"
#include "verifier/upkeep/history.h"

/* From then on an appraisal counts as long: the agent could not send evidence meanwhile, so its
 * deadline starts anew with the verdict (decision D64: our own delay never times an agent out). */
#define LONG_APPRAISAL TIMESTAMP_SECOND

typedef struct {
    const VerifierSettings *settings;
    AppraisalResult **results;
    guint count;
    Timestamp now;
} Effects;

/* The columns of AppraisalState; NULL as long as no quote was authenticated. */
typedef struct {
    Bytes name;
    const Bytes *name_or_null;
    gint64 clock, reset_count, restart_count, safe, firmware;
} StateColumns;

static void state_columns(const AppraisalState *state, StateColumns *out)
{
    *out = (StateColumns){
        .name = bytes_of(state->ak_name, state->ak_name_size),
        .clock = (gint64)state->clock.clock,
        .reset_count = state->clock.reset_count,
        .restart_count = state->clock.restart_count,
        .safe = state->clock.safe,
        .firmware = (gint64)state->firmware_version,
    };
    out->name_or_null = state->known ? &out->name : NULL;
}

static const char *first_event(const Verdict *verdict)
{
    Json *first = json_object_array_length(verdict->failures) > 0
                      ? json_object_array_get_idx(verdict->failures, 0)
                      : NULL;
    return first ? json_member_text(first, "event_id") : NULL;
}

/* The worst failure, if severities were told, else the first. */
const char *appraisal_worst_event(const AppraisalResult *result)
{
    return result->severity.level >= 0 ? result->severity.event_id : first_event(result->verdict);
}

/* The row that an UPDATE with RETURNING gave, if any: two numbers. */
static bool returned(Rows *rows, guint64 *changed, gint64 numbers[2], GError **error)
{
    GError *failure = NULL;
    *changed = rows && rows_next(rows, &failure) ? 1 : 0;
    for (unsigned i = 0; *changed && i < 2; i++)
        numbers[i] = rows_int(rows, i);
    if (failure)
        g_propagate_error(error, failure);
    return rows && !failure;
}

static bool mark_passed(Connection *connection, const VerifierSettings *settings, Timestamp now,
                        AppraisalResult *result, guint64 *changed, GError **error)
{
    const AppraisalJob *job = result->job;
    Bytes ak_name = bytes_of_gbytes(job->agent->ak_name);
    StateColumns state;
    state_columns(&result->state, &state);
    g_autoptr(Rows) rows = sql_query(
        connection, error,
        "UPDATE agents SET attestation_count = attestation_count + 1,"
        " consecutive_failures = CASE WHEN $3 = 1 THEN 0 ELSE consecutive_failures END,"
        " accept_attestations = 1, shown_pending = 0,"
        " last_successful_attestation = $4, last_pass_index = $5,"
        " failure_run_index = -1, clock_ak_name = $6, clock = $7, reset_count = $8,"
        " restart_count = $9, clock_safe = $10, firmware_version = $11"
        " WHERE agent_id = $1 AND ak_name = $2 RETURNING alarmed, consecutive_failures",
        "tbiiibiiiii", job->agent_id, &ak_name, (gint64)settings->auto_recover_attestation_failures,
        now, job->index, state.name_or_null, state.clock, state.reset_count, state.restart_count,
        state.safe, state.firmware);
    gint64 numbers[2] = {0};
    if (!returned(rows, changed, numbers, error))
        return false;
    bool recovered = numbers[0] == 1 && numbers[1] == 0;
    result->change = recovered ? STATUS_RECOVERED : STATUS_KEPT;
    return !recovered ||
           sql_run(connection, error, "UPDATE agents SET alarmed = 0 WHERE agent_id = $1", "t",
                   job->agent_id);
}

/* A list that must be sent anew after a reboot is no failure of the machine (decision D39): it does
 * not count, and the agent stays as it is shown. */
static bool mark_forgiven(Connection *connection, const AppraisalResult *result, guint64 *changed,
                          GError **error)
{
    const AppraisalJob *job = result->job;
    Bytes ak_name = bytes_of_gbytes(job->agent->ak_name);
    StateColumns state;
    state_columns(&result->state, &state);
    return sql_change(connection, changed, error,
                      "UPDATE agents SET accept_attestations = 1, clock_ak_name = $3, clock = $4,"
                      " reset_count = $5, restart_count = $6, clock_safe = $7,"
                      " firmware_version = $8 WHERE agent_id = $1 AND ak_name = $2",
                      "tbbiiiii", job->agent_id, &ak_name, state.name_or_null, state.clock,
                      state.reset_count, state.restart_count, state.safe, state.firmware);
}

static bool mark_failed(Connection *connection, AppraisalResult *result, guint64 *changed,
                        GError **error)
{
    const AppraisalJob *job = result->job;
    Bytes ak_name = bytes_of_gbytes(job->agent->ak_name);
    const gint64 *level = result->severity.level >= 0 ? &result->severity.level : NULL;
    StateColumns state;
    state_columns(&result->state, &state);
    g_autoptr(Rows) rows = sql_query(
        connection, error,
        "UPDATE agents SET consecutive_failures = consecutive_failures + 1,"
        " accept_attestations = 1, shown_pending = 0, alarmed = 1, last_event_id = $3,"
        " severity_level = $11, failure_run_index = CASE WHEN failure_run_index < 0 THEN $4"
        " ELSE failure_run_index END, clock_ak_name = $5, clock = $6,"
        " reset_count = $7, restart_count = $8, clock_safe = $9,"
        " firmware_version = $10 WHERE agent_id = $1 AND ak_name = $2"
        " RETURNING alarmed, consecutive_failures",
        "tbtibiiiiin", job->agent_id, &ak_name, appraisal_worst_event(result), job->index,
        state.name_or_null, state.clock, state.reset_count, state.restart_count, state.safe,
        state.firmware, level);
    gint64 numbers[2] = {0};
    if (!returned(rows, changed, numbers, error))
        return false;
    result->change = numbers[1] == 1 ? STATUS_FAILED : STATUS_KEPT;
    return true;
}

static char *warnings_text(const Verdict *verdict)
{
    if (!verdict->warnings || verdict->warnings->len == 0)
        return NULL;
    g_autoptr(Json) list = json_object_new_array_ext((int)verdict->warnings->len);
    for (guint i = 0; i < verdict->warnings->len; i++)
        json_object_array_add(list, json_new_text(g_ptr_array_index(verdict->warnings, i)));
    return json_to_text(list);
}

void appraisal_result_show(const AppraisalResult *result, Timestamp now, AttestationRecord *record)
{
    const Verdict *verdict = result->verdict;
    bool failed = verdict->evaluation != EVALUATION_PASS;
    record->stage = STAGE_VERIFICATION_COMPLETE;
    record->evaluation = verdict->evaluation;
    record->failure_reason = g_strdup(verdict_failure_reason(verdict));
    record->failures = failed ? json_to_text(verdict->failures) : NULL;
    record->warnings = warnings_text(verdict);
    record->verification_completed_at = now;
    record->logs.log[LOG_IMA].certified = result->ima_certified;
    record->job_lease = 0;
}

/* *changed 0: the job is somebody else's by now, or the attestation is gone. */
static bool complete(Connection *connection, const Effects *effects, const AppraisalResult *result,
                     guint64 *changed, GError **error)
{
    const AppraisalJob *job = result->job;
    g_autoptr(AttestationRecord) record = g_new0(AttestationRecord, 1);
    appraisal_result_show(result, effects->now, record);
    const gint64 *certified = result->ima_certified >= 0 ? &result->ima_certified : NULL;
    return sql_change(connection, changed, error,
                      "UPDATE attestations SET stage = 'verification_complete', evaluation = $5,"
                      " failure_reason = $6, failures = $7, warnings = $8,"
                      " verification_completed_at = $9, ima_certified = $10, job_lease = 0"
                      " WHERE agent_id = $1 AND attestation_index = $2"
                      " AND stage = 'evaluating_evidence' AND job_starts = $3"
                      " AND evidence_received_at = $4",
                      "tiiittttin", job->agent_id, job->index, job->starts,
                      job->evidence_received_at, evaluation_text(record->evaluation),
                      record->failure_reason, record->failures, record->warnings,
                      record->verification_completed_at, certified);
}

/* Decision D35: a pass prolongs the token with which the evidence came; nothing else does. */
static bool prolong_token(Connection *connection, const VerifierSettings *settings, Timestamp now,
                          const AppraisalJob *job, GError **error)
{
    Bytes ak_name = bytes_of_gbytes(job->agent->ak_name);
    return sql_run(connection, error,
                   "UPDATE sessions SET expires_at = $3 WHERE agent_id = $1 AND ak_name = $2"
                   " AND expires_at >= $4 AND expires_at < $3",
                   "tbii", job->agent_id, &ak_name, now + settings->session_lifetime,
                   job->evidence_received_at);
}

static bool rearm(Connection *connection, const VerifierSettings *settings, Timestamp now,
                  const AppraisalJob *job, GError **error)
{
    if (now - job->evidence_received_at < LONG_APPRAISAL)
        return true;
    return sql_run(connection, error,
                   "UPDATE agents SET deadline = $2 WHERE agent_id = $1 AND deadline < $2", "ti",
                   job->agent_id, now + verifier_liveness_limit(settings));
}

bool appraisal_settle(Connection *connection, const VerifierSettings *settings, Timestamp now,
                      AppraisalResult *result, GError **error)
{
    const AppraisalJob *job = result->job;
    bool passed = result->verdict->evaluation == EVALUATION_PASS;
    guint64 changed = 0;
    result->applied = false;
    result->change = STATUS_KEPT;
    result->pruned = 0;
    if (!(passed             ? mark_passed(connection, settings, now, result, &changed, error)
          : result->forgiven ? mark_forgiven(connection, result, &changed, error)
                             : mark_failed(connection, result, &changed, error)))
        return false;
    result->applied = changed > 0;
    if (!result->applied)
        return true;
    if (!appraisal_log_effects(connection, result, error))
        return false;
    if (passed && settings->extend_token_on_attestation &&
        !prolong_token(connection, settings, now, job, error))
        return false;
    return rearm(connection, settings, now, job, error) &&
           history_prune(connection, settings, job->agent, job->index, now, &result->pruned, error);
}

static bool apply(Connection *connection, const Effects *effects, AppraisalResult *result,
                  GError **error)
{
    const AppraisalJob *job = result->job;
    guint64 changed = 0;
    result->applied = false;
    if (!complete(connection, effects, result, &changed, error))
        return false;
    if (changed == 0)
        return true;
    if (!appraisal_settle(connection, effects->settings, effects->now, result, error))
        return false;
    /* Enrolled with another key meanwhile: this evidence says nothing about that one. */
    return result->applied ||
           sql_run(connection, error,
                   "DELETE FROM attestations WHERE agent_id = $1 AND attestation_index = $2", "ti",
                   job->agent_id, job->index);
}

static bool apply_all(Connection *connection, gpointer data, GError **error)
{
    Effects *effects = data;
    effects->now = timestamp_now();
    for (guint i = 0; i < effects->count; i++)
        if (!apply(connection, effects, effects->results[i], error))
            return false;
    return appraisal_notify(connection, effects->settings, effects->results, effects->count,
                            effects->now, error);
}

/* --- what the operator reads (contract C103, C112) ----------------------------------------- */

static void report_failure(const AppraisalJob *job, const Verdict *verdict,
                           const VerifierSettings *settings)
{
    g_autofree char *summary = verdict_summary(verdict);
    if (g_strcmp0(first_event(verdict), EVENT_TIMEOUT) == 0)
        log_error("Attestation %" G_GINT64_FORMAT " for agent '%s' was not verified within"
                  " verification_timeout (%" G_GINT64_FORMAT " s): it counts as failed",
                  job->index, job->agent_id, settings->verification_timeout / TIMESTAMP_SECOND);
    log_warning("Attestation %" G_GINT64_FORMAT " for agent '%s' failed verification (%s): %s",
                job->index, job->agent_id, verdict_failure_reason(verdict), summary);
}

void appraisal_report(const AppraisalResult *result, const VerifierSettings *settings)
{
    const AppraisalJob *job = result->job;
    const Verdict *verdict = result->verdict;
    if (!result->applied) {
        log_info("Verdict on attestation %" G_GINT64_FORMAT
                 " for agent '%s' is dropped: the attestation was decided elsewhere or is gone",
                 job->index, job->agent_id);
        return;
    }
    for (guint i = 0; verdict->warnings && i < verdict->warnings->len; i++)
        log_warning("Attestation %" G_GINT64_FORMAT " for agent '%s': %s", job->index,
                    job->agent_id, (const char *)g_ptr_array_index(verdict->warnings, i));
    if (result->firmware_changed)
        log_info("The TPM of agent '%s' reports another firmware version than before",
                 job->agent_id);
    if (result->pruned > 0)
        log_info("Deleted %" G_GUINT64_FORMAT " old attestations of agent '%s'"
                 " (attestation_history_max, attestation_history_days)",
                 result->pruned, job->agent_id);
    if (verdict->evaluation != EVALUATION_PASS) {
        report_failure(job, verdict, settings);
        return;
    }
    log_info("Attestation %" G_GINT64_FORMAT " for agent '%s' successfully passed verification",
             job->index, job->agent_id);
    if (!job->agent->accept_attestations)
        log_info("Agent '%s' has recovered from its time-out", job->agent_id);
}

/* The first `count` results in one transaction; they leave the array. */
static bool write_first(Database *database, const VerifierSettings *settings, GPtrArray *results,
                        guint count, GError **error)
{
    Effects effects = {
        .settings = settings, .results = (AppraisalResult **)results->pdata, .count = count};
    if (!database_write(database, apply_all, &effects, error))
        return false;
    for (guint i = 0; i < count; i++)
        appraisal_report(effects.results[i], settings);
    g_ptr_array_remove_range(results, 0, count);
    return true;
}

/* What is wrong with one result harms no other. Its row keeps its lease: the evidence is verified
 * again, a few times (decision D69). */
static void give_up_first(GPtrArray *results, const GError *error)
{
    const AppraisalResult *result = g_ptr_array_index(results, 0);
    log_error("Cannot store the verdict on attestation %" G_GINT64_FORMAT " of agent '%s', which"
              " will be verified again: %s",
              result->job->index, result->job->agent_id, error->message);
    g_ptr_array_remove_index(results, 0);
}

bool appraisal_effects(Database *database, const VerifierSettings *settings, GPtrArray *results,
                       GError **error)
{
    for (guint count = results->len; results->len > 0; count = 1) {
        GError *failure = NULL;
        if (write_first(database, settings, results, count, &failure))
            continue;
        if (g_error_matches(failure, STORE_ERROR, STORE_ERROR_UNAVAILABLE)) {
            g_propagate_error(error, failure);
            return false;
        }
        if (count == 1)
            give_up_first(results, failure);
        g_error_free(failure);
    }
    return true;
}
