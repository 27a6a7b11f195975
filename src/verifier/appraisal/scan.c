/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.verifier"
#include "verifier/appraisal/scan.h"

#include "base/log.h"
#include "verifier/appraisal/pool.h"

typedef struct {
    const VerifierSettings *settings;
    References *references;
    gint64 limit;
    bool any;
    GPtrArray *records; /* of AttestationRecord */
    GPtrArray *agents;  /* of AgentRecord or NULL */
} Claim;

static bool look(Connection *connection, gpointer data, GError **error)
{
    Claim *claim = data;
    claim->any = false;
    Timestamp now = timestamp_now();
    g_autoptr(Rows) rows = sql_query(
        connection, error, "SELECT 1 FROM attestations WHERE " ATTESTATION_JOB_IS_FREE " LIMIT 1",
        "ii", now, appraisal_pool_lease(claim->settings, now) + CLOCK_SET_BACK);
    GError *failure = NULL;
    claim->any = rows && rows_next(rows, &failure);
    if (failure)
        g_propagate_error(error, failure);
    return rows && !failure;
}

static void free_agent(gpointer agent)
{
    agent_record_free(agent);
}

static bool take(Connection *connection, gpointer data, GError **error)
{
    Claim *claim = data;
    Timestamp now = timestamp_now();
    g_clear_pointer(&claim->records, g_ptr_array_unref);
    g_clear_pointer(&claim->agents, g_ptr_array_unref);
    claim->agents = g_ptr_array_new_with_free_func(free_agent);
    if (!attestation_record_claim(connection, now, appraisal_pool_lease(claim->settings, now),
                                  claim->limit, &claim->records, error))
        return false;
    for (guint i = 0; i < claim->records->len; i++) {
        const AttestationRecord *record = g_ptr_array_index(claim->records, i);
        AgentRecord *agent = NULL;
        if (!agent_record_load(connection, record->agent_id, &agent, error))
            return false;
        g_ptr_array_add(claim->agents, agent);
    }
    return true;
}

static void sort_claimed(Claim *claim, GPtrArray *jobs, GPtrArray *results)
{
    for (guint i = 0; i < claim->records->len; i++) {
        const AttestationRecord *record = g_ptr_array_index(claim->records, i);
        AgentRecord *agent = g_steal_pointer(&claim->agents->pdata[i]);
        /* Deleted with its agent at this moment, or not written by us: nothing to judge. */
        if (!agent || !record->message || !record->signature || !record->pcr_blob) {
            agent_record_free(agent);
            continue;
        }
        g_autoptr(AppraisalJob) job = appraisal_job_new(agent, record, claim->references);
        if (job->starts > APPRAISAL_MAX_STARTS)
            g_ptr_array_add(results, appraisal_job_fail(job, EVENT_FAILED,
                                                        "verification was started %d times and"
                                                        " never ended",
                                                        APPRAISAL_MAX_STARTS));
        else
            g_ptr_array_add(jobs, g_steal_pointer(&job));
    }
}

GPtrArray *appraisal_scan_claim(Database *database, const VerifierSettings *settings,
                                References *references, gint64 limit, GPtrArray *results,
                                GError **error)
{
    Claim claim = {.settings = settings, .references = references, .limit = limit};
    g_autoptr(GPtrArray) jobs = g_ptr_array_new_with_free_func((GDestroyNotify)appraisal_job_unref);
    bool done = database_read(database, look, &claim, error);
    if (done && claim.any) {
        done = database_write(database, take, &claim, error);
        if (done)
            sort_claimed(&claim, jobs, results);
        g_clear_pointer(&claim.records, g_ptr_array_unref);
        g_clear_pointer(&claim.agents, g_ptr_array_unref);
    }
    return done ? g_steal_pointer(&jobs) : NULL;
}

/* --- leases -------------------------------------------------------------------------------- */

typedef struct {
    AppraisalJob *job;
    Timestamp lease;
    guint64 changed;
} Renewal;

static bool renew(Connection *connection, gpointer data, GError **error)
{
    Renewal *renewal = data;
    const AppraisalJob *job = renewal->job;
    return sql_change(connection, &renewal->changed, error,
                      "UPDATE attestations SET job_lease = $4 WHERE agent_id = $1"
                      " AND attestation_index = $2 AND job_starts = $3"
                      " AND stage = 'evaluating_evidence'",
                      "tiii", job->agent_id, job->index, job->starts, renewal->lease);
}

bool appraisal_scan_renew(Database *database, const VerifierSettings *settings, AppraisalJob *job)
{
    Renewal renewal = {.job = job, .lease = appraisal_pool_lease(settings, timestamp_now())};
    g_autoptr(GError) error = NULL;
    if (!database_write(database, renew, &renewal, &error))
        log_error("Cannot go on with attestation %" G_GINT64_FORMAT " of agent '%s': %s",
                  job->index, job->agent_id, error->message);
    return !error && renewal.changed == 1;
}

static bool give_back(Connection *connection, gpointer data, GError **error)
{
    const GQueue *jobs = data;
    for (const GList *item = jobs->head; item; item = item->next) {
        const AppraisalJob *job = item->data;
        if (!sql_run(connection, error,
                     "UPDATE attestations SET job_lease = 0, job_starts = job_starts - 1"
                     " WHERE agent_id = $1 AND attestation_index = $2 AND job_starts = $3"
                     " AND stage = 'evaluating_evidence'",
                     "tii", job->agent_id, job->index, job->starts))
            return false;
    }
    return true;
}

void appraisal_scan_give_back(Database *database, const GQueue *jobs)
{
    g_autoptr(GError) error = NULL;
    if (!g_queue_is_empty((GQueue *)jobs) &&
        !database_write(database, give_back, (gpointer)jobs, &error))
        log_warning("Attestations that wait for verification go on when their lease has ended: %s",
                    error->message);
}

static bool reclaim(Connection *connection, gpointer data, GError **error)
{
    return sql_run(connection, error,
                   "UPDATE attestations SET job_lease = 0 WHERE stage = 'evaluating_evidence'", "");
}

bool appraisal_scan_reclaim(Database *database, GError **error)
{
    if (!g_str_has_prefix(database_description(database), "SQLite"))
        return true;
    return database_write(database, reclaim, NULL, error);
}
