/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.verifier"
#include "base/log.h"
#include "verifier/appraisal/pool.h"
#include "verifier/attestation/answer.h"
#include "verifier/attestation/document.h"
#include "verifier/attestation/evidence_message.h"
#include "verifier/attestation/gate.h"
#include "verifier/attestation/resource.h"
#include "verifier/attestation/routes.h"
#include "verifier/database_trouble.h"
#include "verifier/notification/appraisal_notice.h"

/* The agent's deadline is moved when less than this part of it is left
 * (verifier/upkeep/liveness.h): once in some intervals, and before the sweep would find it. */
#define DEADLINE_REST 4

/* Evidence of at most so many bytes is judged before it is stored: that takes less time than the
 * change of threads and the second commit that it saves. A quote has some hundred bytes, or some
 * thousand with every PCR of every bank. */
#define AT_ONCE_MAX (16 * 1024)

/* One PATCH on its way through the steps of submit(). */
typedef struct {
    const HttpRequest *request;
    HttpResponse *response;
    Verifier *verifier;
    const char *agent_id;
    const char *index; /* as in the path; NULL = latest */
    Timestamp now;
    AgentRecord *agent;
    AttestationRecord *attestation;
    GBytes *log[LOG_KINDS];
    AppraisalJob *job;       /* has taken `agent` over */
    bool placed;             /* the pool has a place for the job */
    AppraisalResult *result; /* where the evidence was judged at once, at judged_at */
    Timestamp judged_at;
    bool lost;
} Submission;

static void submission_clear(Submission *submission)
{
    agent_record_free(submission->agent);
    attestation_record_free(submission->attestation);
    for (unsigned kind = 0; kind < LOG_KINDS; kind++)
        g_bytes_unref(submission->log[kind]);
    appraisal_job_unref(submission->job);
    appraisal_result_free(submission->result);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Submission, submission_clear)

/* --- gates --------------------------------------------------------------------------------- */

static bool read_state(Connection *connection, gpointer data, GError **error)
{
    Submission *submission = data;
    g_clear_pointer(&submission->agent, agent_record_free);
    g_clear_pointer(&submission->attestation, attestation_record_free);
    if (!agent_record_load(connection, submission->agent_id, &submission->agent, error))
        return false;
    return !submission->agent || attestation_record_latest(connection, submission->agent_id,
                                                           &submission->attestation, error);
}

/* An operator may have changed the policy since the challenge was issued: a quote that was not
 * asked for what is judged now would make an honest agent fail. */
static bool policy_asks_more(const Submission *submission, Gate *gate)
{
    References *references = appraisal_pool_references(submission->verifier->appraisals);
    const AgentRecord *agent = submission->agent;
    const AttestationRecord *attestation = submission->attestation;
    g_autoptr(TpmPolicy) policy = references_policy(references, agent->tpm_policy, NULL);
    bool asked = !(agent->runtime.wants_log && !attestation->logs.log[LOG_IMA].asked) &&
                 !(agent->boot.wants_log && !attestation->logs.log[LOG_UEFI].asked) &&
                 (!policy || (tpm_policy_pcrs(policy) & ~attestation->quote_pcrs) == 0);
    if (asked)
        return false;
    gate->status = 403;
    gate->code = "challenges_expired";
    gate->detail = g_strdup_printf("The policy of agent '%s' was changed after the challenges for"
                                   " attestation %" G_GINT64_FORMAT
                                   " were issued. Create a new attestation and try again.",
                                   submission->agent_id, attestation->index);
    return true;
}

static bool passes_gates(Submission *submission)
{
    g_autoptr(GError) error = NULL;
    if (!database_read(submission->verifier->database, read_state, submission, &error)) {
        database_trouble_api(submission->response, submission->request, error);
        return false;
    }
    g_auto(Gate) gate;
    gate_submit(submission->agent_id, submission->agent, submission->attestation, submission->index,
                submission->now, &gate);
    if (gate.status == 0 && !policy_asks_more(submission, &gate))
        return true;
    gate_answer(&gate, submission->request, submission->response);
    return false;
}

/* --- the evidence -------------------------------------------------------------------------- */

/* ", ima_log (35 entries, 4100 bytes)"; newly allocated. */
static char *logs_in_words(const Submission *submission)
{
    GString *text = g_string_new(NULL);
    if (submission->log[LOG_UEFI])
        g_string_append_printf(text, ", uefi_log (%zu bytes)",
                               g_bytes_get_size(submission->log[LOG_UEFI]));
    if (submission->log[LOG_IMA])
        g_string_append_printf(text, ", ima_log (%" G_GINT64_FORMAT " entries, %zu bytes)",
                               submission->attestation->logs.log[LOG_IMA].received,
                               g_bytes_get_size(submission->log[LOG_IMA]));
    return g_string_free(text, FALSE);
}

static void take_evidence(Submission *submission, Evidence *evidence)
{
    AttestationRecord *attestation = submission->attestation;
    attestation->stage = STAGE_EVALUATING_EVIDENCE;
    attestation->evidence_received_at = submission->now;
    attestation->message = g_steal_pointer(&evidence->message);
    attestation->signature = g_steal_pointer(&evidence->signature);
    attestation->pcr_blob = g_steal_pointer(&evidence->pcr_blob);
    attestation->logs.log[LOG_IMA].received = evidence->ima_received;
    for (unsigned kind = 0; kind < LOG_KINDS; kind++)
        submission->log[kind] = g_steal_pointer(&evidence->log[kind]);
    g_autofree char *logs = logs_in_words(submission);
    log_info("Received evidence for attestation %" G_GINT64_FORMAT
             " of agent '%s': tpm_quote (message %zu, signature %zu, PCR values %zu bytes)%s",
             attestation->index, submission->agent_id, g_bytes_get_size(attestation->message),
             g_bytes_get_size(attestation->signature), g_bytes_get_size(attestation->pcr_blob),
             logs);
}

/* Little evidence, and nothing else that takes long. */
static bool is_small(const Submission *submission)
{
    const AttestationRecord *attestation = submission->attestation;
    size_t size = g_bytes_get_size(attestation->message) +
                  g_bytes_get_size(attestation->signature) +
                  g_bytes_get_size(attestation->pcr_blob);
    for (unsigned kind = 0; kind < LOG_KINDS; kind++)
        size += submission->log[kind] ? g_bytes_get_size(submission->log[kind]) : 0;
    return size <= AT_ONCE_MAX &&
           appraisal_job_policies_are_compiled(
               submission->agent, appraisal_pool_references(submission->verifier->appraisals));
}

static void make_job(Submission *submission)
{
    References *references = appraisal_pool_references(submission->verifier->appraisals);
    submission->job =
        appraisal_job_new(g_steal_pointer(&submission->agent), submission->attestation, references);
    appraisal_job_hold_logs(submission->job, submission->log);
}

static void judge_at_once(Submission *submission)
{
    AttestationRecord *attestation = submission->attestation;
    attestation->job_starts = 1;
    make_job(submission);
    submission->result = appraisal_pool_judge(submission->verifier->appraisals, submission->job);
    submission->judged_at = timestamp_now();
    if (submission->result)
        appraisal_result_show(submission->result, submission->judged_at, attestation);
    else
        attestation->job_starts = 0;
}

/* The row as it will be: with its verdict, or with a job that is ours at once when the pool has a
 * place for it. */
static void prepare(Submission *submission)
{
    AttestationRecord *attestation = submission->attestation;
    if (is_small(submission)) {
        judge_at_once(submission);
        return;
    }
    submission->placed = appraisal_pool_reserve(submission->verifier->appraisals);
    attestation->job_starts = submission->placed ? 1 : 0;
    if (submission->placed)
        attestation->job_lease =
            appraisal_pool_lease(&submission->verifier->settings, submission->now);
    make_job(submission);
}

/* --- one transaction: evidence, deadline, and the job or the verdict ------------------------- */

static bool note_receipt(Connection *connection, const Submission *submission, guint64 *changed,
                         GError **error)
{
    Bytes ak_name = bytes_of_gbytes(submission->job->agent->ak_name);
    Timestamp limit = verifier_liveness_limit(&submission->verifier->settings);
    return sql_change(connection, changed, error,
                      "UPDATE agents SET last_received_quote = $4, told_to_wait = 0,"
                      " deadline = CASE WHEN deadline BETWEEN $5 AND $6 THEN deadline ELSE $6 END,"
                      " unanswered_count = 0 WHERE agent_id = $1 AND next_index = $2"
                      " AND ak_name = $3 AND operational_state <> $7",
                      "tibiiii", submission->agent_id, submission->attestation->index + 1, &ak_name,
                      submission->now, submission->now + limit / DEADLINE_REST,
                      submission->now + limit, (gint64)AGENT_STATE_STOPPED);
}

/* Logs that passed are not kept, so those that were judged already need not be stored. */
static bool store_logs(Connection *connection, const Submission *submission, GError **error)
{
    const AttestationRecord *attestation = submission->attestation;
    bool passed = attestation->evaluation == EVALUATION_PASS;
    for (unsigned kind = 0; kind < LOG_KINDS && !passed; kind++) {
        GBytes *log = submission->log[kind];
        if (log && !evidence_log_store(connection, submission->agent_id, attestation->index,
                                       (LogKind)kind, bytes_of_gbytes(log), error))
            return false;
    }
    return true;
}

static bool store(Connection *connection, gpointer data, GError **error)
{
    Submission *submission = data;
    guint64 changed = 0;
    submission->lost = false;
    if (!attestation_record_receive(connection, submission->attestation, &changed, error))
        return false;
    if (changed == 0)
        return attestation_lost(&submission->lost, error);
    if (!note_receipt(connection, submission, &changed, error))
        return false;
    if (changed == 0)
        return attestation_lost(&submission->lost, error);
    if (!store_logs(connection, submission, error))
        return false;
    const VerifierSettings *settings = &submission->verifier->settings;
    return !submission->result || (appraisal_settle(connection, settings, submission->judged_at,
                                                    submission->result, error) &&
                                   appraisal_notify(connection, settings, &submission->result, 1,
                                                    submission->judged_at, error));
}

/* --- answers ------------------------------------------------------------------------------- */

static void answer_received(const Submission *submission)
{
    const char *prefix = http_request_version_prefix(submission->request);
    Json *meta = json_object_new_object();
    json_add_int(meta, "seconds_to_next_attestation",
                 gate_seconds_to_next(submission->now,
                                      submission->verifier->settings.quote_interval,
                                      timestamp_now()));
    envelope_resource(submission->response, submission->request, 202,
                      attestation_received_resource(submission->attestation, prefix), meta);
}

/* Another request was faster: what it left decides the answer. */
static void answer_lost(Submission *submission)
{
    if (passes_gates(submission))
        envelope_error(submission->response, submission->request, 409, "conflict",
                       "Attestation %" G_GINT64_FORMAT
                       " of agent '%s' was changed by another request. Try again.",
                       submission->attestation->index, submission->agent_id);
}

static void accept_evidence(Submission *submission, Evidence *evidence)
{
    AppraisalPool *pool = submission->verifier->appraisals;
    g_autoptr(GError) error = NULL;
    take_evidence(submission, evidence);
    prepare(submission);
    bool stored = database_write(submission->verifier->database, store, submission, &error);
    if (!stored && submission->placed)
        appraisal_pool_release(pool);
    if (submission->lost) {
        answer_lost(submission);
    } else if (!stored) {
        database_trouble_api(submission->response, submission->request, error);
    } else {
        answer_received(submission);
        if (submission->result)
            appraisal_report(submission->result, &submission->verifier->settings);
        else if (submission->placed)
            appraisal_pool_submit(pool, g_steal_pointer(&submission->job));
    }
}

static void submit(const HttpRequest *request, HttpResponse *response, Verifier *verifier,
                   const char *index)
{
    g_auto(Submission) submission = {
        .request = request,
        .response = response,
        .verifier = verifier,
        .agent_id = http_request_parameter(request, "agent_id"),
        .index = index,
        .now = timestamp_now(),
    };
    if (!passes_gates(&submission))
        return;
    Json *resource = attestation_document_resource(http_request_json(request));
    if (!attestation_document_is_attestation(resource)) {
        envelope_error(response, request, 400, "invalid_request",
                       "The document must have a resource object of type 'attestation' as 'data'.");
        return;
    }
    g_autoptr(GPtrArray) problems = api_errors_new();
    g_auto(Evidence) evidence;
    AskedEvidence asked = {submission.attestation->quote_hash, submission.attestation->quote_pcrs,
                           &submission.attestation->logs};
    if (evidence_read(attestation_document_attributes(resource), &asked, &evidence, problems))
        accept_evidence(&submission, &evidence);
    else
        attestation_answer_problems(request, response, submission.agent_id, problems);
}

void attestation_submit(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    submit(request, response, context, http_request_parameter(request, "index"));
}

void attestation_submit_latest(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    submit(request, response, context, NULL);
}
