/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.verifier"
#include "verifier/appraisal/pool.h"

#include "base/log.h"
#include "verifier/appraisal/scan.h"

/* Jobs in memory, running ones included; an evidence of a quote has about 2 KiB. */
#define QUEUE_LIMIT 512
/* Bytes of logs that waiting jobs hold; further ones are read from the database when their job's
 * turn comes, one for each worker. */
#define LOG_LIMIT ((size_t)64 * 1024 * 1024)
/* Results written in one transaction, unless they took this long to make. */
#define BATCH_LIMIT 32
#define BATCH_SPAN (20 * G_TIME_SPAN_MILLISECOND)
/* A worker waits so long for more jobs before it begins: nobody waits for a verdict (the agent
 * comes back after quote_interval), and one commit for several costs a fraction of one for each. */
#define COLLECT_SPAN (5 * G_TIME_SPAN_MILLISECOND)
#define LEASE (120 * TIMESTAMP_SECOND)
/* How often the database is looked through for jobs that nobody works on. */
#define SCAN_SPAN (5 * G_TIME_SPAN_SECOND)
/* The time limit of what runs is looked at after a part of it, but not more often than this. */
#define WATCH_SPAN (G_TIME_SPAN_SECOND / 4)
#define WATCH_PART 4
/* How often verdicts are tried again that the database could not take. */
#define RETRY_SPAN G_TIME_SPAN_SECOND

typedef struct {
    AppraisalPool *pool;
    GThread *thread;
    AppraisalJob *running; /* a reference, or NULL */
    gint64 started;        /* monotonic */
    bool given_up;         /* the time limit has passed: the result is not wanted any more */
} Worker;

struct AppraisalPool {
    Verifier *verifier;
    AppraisalFunction function;
    References *references;
    GMutex mutex;
    GCond work;  /* a job was queued, or the end is near */
    GCond watch; /* the scanning thread has something to do */
    GQueue queue;
    GPtrArray *unwritten; /* verdicts that the database could not take */
    size_t held;          /* bytes of logs in jobs that wait or run */
    guint taken;          /* places: reserved, queued, running and unwritten */
    bool collecting;      /* a worker waits for more jobs: it needs no waking */
    bool stored_more;     /* jobs without a place are in the database */
    bool stopping;
    unsigned worker_count;
    Worker *workers;
    GThread *scanner;
};

Timestamp appraisal_pool_lease(const VerifierSettings *settings, Timestamp now)
{
    return now + MAX(LEASE, 2 * settings->verification_timeout);
}

References *appraisal_pool_references(AppraisalPool *pool)
{
    return pool->references;
}

/* --- places -------------------------------------------------------------------------------- */

bool appraisal_pool_reserve(AppraisalPool *pool)
{
    g_mutex_lock(&pool->mutex);
    bool room = pool->taken < QUEUE_LIMIT && !pool->stopping;
    if (room)
        pool->taken++;
    else
        pool->stored_more = true;
    g_mutex_unlock(&pool->mutex);
    return room;
}

void appraisal_pool_release(AppraisalPool *pool)
{
    g_mutex_lock(&pool->mutex);
    g_assert(pool->taken > 0);
    pool->taken--;
    if (pool->stored_more)
        g_cond_signal(&pool->watch);
    g_mutex_unlock(&pool->mutex);
}

void appraisal_pool_submit(AppraisalPool *pool, AppraisalJob *job)
{
    size_t size = appraisal_job_log_size(job);
    g_mutex_lock(&pool->mutex);
    bool room = pool->held == 0 || pool->held + size <= LOG_LIMIT;
    job->held = room ? size : 0;
    pool->held += job->held;
    if (!room)
        appraisal_job_drop_logs(job);
    g_queue_push_tail(&pool->queue, job);
    if (!pool->collecting || pool->queue.length >= BATCH_LIMIT)
        g_cond_signal(&pool->work);
    g_mutex_unlock(&pool->mutex);
}

/* --- workers ------------------------------------------------------------------------------- */

/* With the mutex held and a job in the queue. */
static void collect(AppraisalPool *pool)
{
    gint64 until = g_get_monotonic_time() + COLLECT_SPAN;
    pool->collecting = true;
    while (!pool->stopping && pool->queue.length < BATCH_LIMIT &&
           g_cond_wait_until(&pool->work, &pool->mutex, until))
        continue;
    pool->collecting = false;
    /* Another worker comes after the same time, and finds what is left if this one's first job is a
     * long one. */
    if (pool->queue.length > 1)
        g_cond_signal(&pool->work);
}

/* Waits for the first job of a batch; NULL at the end. */
static AppraisalJob *first_job(AppraisalPool *pool)
{
    g_mutex_lock(&pool->mutex);
    AppraisalJob *job = NULL;
    while (!pool->stopping && !job) {
        while (!pool->stopping && g_queue_is_empty(&pool->queue))
            g_cond_wait(&pool->work, &pool->mutex);
        if (!pool->stopping && !pool->collecting)
            collect(pool);
        job = pool->stopping ? NULL : g_queue_pop_head(&pool->queue);
    }
    g_mutex_unlock(&pool->mutex);
    return job;
}

/* NULL when none waits. */
static AppraisalJob *next_job(AppraisalPool *pool)
{
    g_mutex_lock(&pool->mutex);
    AppraisalJob *job = pool->stopping ? NULL : g_queue_pop_head(&pool->queue);
    g_mutex_unlock(&pool->mutex);
    return job;
}

static void begin(Worker *worker, AppraisalJob *job)
{
    g_mutex_lock(&worker->pool->mutex);
    worker->running = appraisal_job_ref(job);
    worker->started = g_get_monotonic_time();
    worker->given_up = false;
    g_mutex_unlock(&worker->pool->mutex);
}

/* True when the result still counts. */
static bool end(Worker *worker)
{
    g_mutex_lock(&worker->pool->mutex);
    bool wanted = !worker->given_up;
    g_clear_pointer(&worker->running, appraisal_job_unref);
    g_mutex_unlock(&worker->pool->mutex);
    return wanted;
}

static AppraisalResult *timed_out(AppraisalJob *job, const VerifierSettings *settings)
{
    return appraisal_job_fail(
        job, EVENT_TIMEOUT,
        "the evidence was not verified within verification_timeout (%" G_GINT64_FORMAT " s)",
        settings->verification_timeout / TIMESTAMP_SECOND);
}

/* How bad its failures are; a verdict of ours too. */
static void rate(const AppraisalPool *pool, AppraisalResult *result)
{
    const SeverityPolicy *severities = pool->verifier->severities;
    if (severities)
        result->severity = failure_severity_judge(severities, result->verdict->failures);
}

/* `started` on the monotonic clock. */
static AppraisalResult *judge(const AppraisalPool *pool, AppraisalJob *job, gint64 started)
{
    const VerifierSettings *settings = &pool->verifier->settings;
    g_autoptr(AppraisalResult) result =
        appraisal_job_run(job, settings, pool->references, pool->function);
    bool late = g_get_monotonic_time() - started > settings->verification_timeout;
    AppraisalResult *verdict = late ? timed_out(job, settings) : g_steal_pointer(&result);
    rate(pool, verdict);
    return verdict;
}

static void log_start(const AppraisalJob *job)
{
    log_info("Starting verification of attestation %" G_GINT64_FORMAT " for agent '%s'...",
             job->index, job->agent_id);
}

/* False when the database is away: whoever takes the job up from its row tries again. */
static bool prepare(AppraisalPool *pool, AppraisalJob *job)
{
    const Verifier *verifier = pool->verifier;
    g_autoptr(GError) error = NULL;
    if (appraisal_job_prepare(job, verifier->database, &verifier->settings, pool->references,
                              &error))
        return true;
    log_error("Cannot go on with attestation %" G_GINT64_FORMAT " of agent '%s': %s", job->index,
              job->agent_id, error->message);
    return false;
}

/* Nobody reads a log again after its run. */
static void finish(AppraisalPool *pool, AppraisalJob *job)
{
    appraisal_job_drop_logs(job);
    g_mutex_lock(&pool->mutex);
    pool->held -= job->held;
    g_mutex_unlock(&pool->mutex);
    appraisal_job_unref(job);
}

/* NULL when the job is not ours any more. */
static AppraisalResult *run(Worker *worker, AppraisalJob *job)
{
    AppraisalPool *pool = worker->pool;
    if (timestamp_now() >= job->lease &&
        !appraisal_scan_renew(pool->verifier->database, &pool->verifier->settings, job))
        return NULL;
    if (!prepare(pool, job))
        return NULL;
    log_start(job);
    begin(worker, job);
    g_autoptr(AppraisalResult) result = judge(pool, job, worker->started);
    return end(worker) ? g_steal_pointer(&result) : NULL;
}

AppraisalResult *appraisal_pool_judge(AppraisalPool *pool, AppraisalJob *job)
{
    if (!prepare(pool, job))
        return NULL;
    log_start(job);
    return judge(pool, job, g_get_monotonic_time());
}

static GPtrArray *results_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)appraisal_result_free);
}

/* With the mutex held: what the database cannot take now takes up places until it can. */
static void keep(AppraisalPool *pool, GPtrArray *results)
{
    pool->taken += results->len;
    g_ptr_array_extend_and_steal(pool->unwritten, g_ptr_array_ref(results));
}

static void write_effects(AppraisalPool *pool, GPtrArray *results)
{
    g_autoptr(GError) error = NULL;
    for (guint i = 0; i < results->len; i++)
        rate(pool, g_ptr_array_index(results, i));
    if (appraisal_effects(pool->verifier->database, &pool->verifier->settings, results, &error))
        return;
    log_error("Cannot store %u verdicts, which are kept and tried again: %s", results->len,
              error->message);
    g_mutex_lock(&pool->mutex);
    keep(pool, results);
    g_cond_signal(&pool->watch);
    g_mutex_unlock(&pool->mutex);
}

static gpointer work(gpointer data)
{
    Worker *worker = data;
    AppraisalPool *pool = worker->pool;
    AppraisalJob *job;
    while ((job = first_job(pool)) != NULL) {
        g_autoptr(GPtrArray) results = results_new();
        guint jobs = 0;
        for (gint64 start = g_get_monotonic_time(); job != NULL; jobs++) {
            AppraisalResult *result = run(worker, job);
            if (result)
                g_ptr_array_add(results, result);
            finish(pool, job);
            bool more = jobs + 1 < BATCH_LIMIT && g_get_monotonic_time() - start < BATCH_SPAN;
            job = more ? next_job(pool) : NULL;
        }
        write_effects(pool, results);
        while (jobs-- > 0)
            appraisal_pool_release(pool);
    }
    return NULL;
}

/* --- the scanning thread ------------------------------------------------------------------- */

/* Jobs of other processes and overflowing ones, as far as there are places. */
static void scan(AppraisalPool *pool)
{
    guint places = 0;
    while (places < BATCH_LIMIT && appraisal_pool_reserve(pool))
        places++;
    g_autoptr(GPtrArray) results = results_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) jobs =
        places > 0 ? appraisal_scan_claim(pool->verifier->database, &pool->verifier->settings,
                                          pool->references, places, results, &error)
                   : NULL;
    if (error)
        log_error("Cannot look for attestations that wait for verification: %s", error->message);
    guint used = jobs ? jobs->len : 0;
    for (guint i = 0; i < used; i++)
        appraisal_pool_submit(pool, appraisal_job_ref(g_ptr_array_index(jobs, i)));
    guint found = used + results->len;
    write_effects(pool, results);

    g_mutex_lock(&pool->mutex);
    pool->taken -= places - used;
    pool->stored_more = found == places;
    g_mutex_unlock(&pool->mutex);
}

/* What has run for too long; the verdict is written now, whenever the run itself may end. */
static GPtrArray *overdue(AppraisalPool *pool)
{
    const VerifierSettings *settings = &pool->verifier->settings;
    GPtrArray *results = results_new();
    g_mutex_lock(&pool->mutex);
    gint64 limit = g_get_monotonic_time() - settings->verification_timeout;
    for (unsigned i = 0; i < pool->worker_count; i++) {
        Worker *worker = &pool->workers[i];
        if (!worker->running || worker->given_up || worker->started > limit)
            continue;
        worker->given_up = true;
        g_ptr_array_add(results, timed_out(worker->running, settings));
    }
    g_mutex_unlock(&pool->mutex);
    return results;
}

/* Another try for what the database could not take. */
static void write_kept(AppraisalPool *pool)
{
    g_mutex_lock(&pool->mutex);
    g_autoptr(GPtrArray) results = g_steal_pointer(&pool->unwritten);
    pool->unwritten = results_new();
    g_mutex_unlock(&pool->mutex);
    guint kept = results->len;
    if (kept == 0)
        return;
    bool written =
        appraisal_effects(pool->verifier->database, &pool->verifier->settings, results, NULL);
    g_mutex_lock(&pool->mutex);
    pool->taken -= kept;
    keep(pool, results);
    g_mutex_unlock(&pool->mutex);
    if (written)
        log_info("The database takes verdicts again: %u had been kept", kept);
}

/* Sleeps until the next look; false at the end. */
static bool pause_scanner(AppraisalPool *pool, gint64 next_scan)
{
    g_mutex_lock(&pool->mutex);
    if (!pool->stopping && !(pool->stored_more && pool->taken < QUEUE_LIMIT / 2)) {
        gint64 part = pool->verifier->settings.verification_timeout / WATCH_PART;
        gint64 span = pool->unwritten->len > 0 ? RETRY_SPAN : MAX(part, WATCH_SPAN);
        gint64 until = g_get_monotonic_time() + span;
        g_cond_wait_until(&pool->watch, &pool->mutex, MIN(until, next_scan));
    }
    bool go_on = !pool->stopping;
    g_mutex_unlock(&pool->mutex);
    return go_on;
}

static bool should_scan(AppraisalPool *pool, gint64 next_scan)
{
    g_mutex_lock(&pool->mutex);
    bool overflow = pool->stored_more && pool->taken < QUEUE_LIMIT / 2;
    g_mutex_unlock(&pool->mutex);
    return overflow || g_get_monotonic_time() >= next_scan;
}

static gpointer watch(gpointer data)
{
    AppraisalPool *pool = data;
    gint64 next_scan = 0;
    do {
        write_kept(pool);
        if (should_scan(pool, next_scan)) {
            scan(pool);
            next_scan = g_get_monotonic_time() + SCAN_SPAN;
        }
        g_autoptr(GPtrArray) results = overdue(pool);
        write_effects(pool, results);
    } while (pause_scanner(pool, next_scan));
    return NULL;
}

/* --- life ---------------------------------------------------------------------------------- */

AppraisalPool *appraisal_pool_new_with(Verifier *verifier, AppraisalFunction function,
                                       GError **error)
{
    if (!appraisal_scan_reclaim(verifier->database, error))
        return NULL;
    AppraisalPool *pool = g_new0(AppraisalPool, 1);
    pool->verifier = verifier;
    pool->function = function;
    pool->references = references_new();
    g_mutex_init(&pool->mutex);
    g_cond_init(&pool->work);
    g_cond_init(&pool->watch);
    g_queue_init(&pool->queue);
    pool->unwritten = results_new();
    pool->worker_count = MAX(1, g_get_num_processors());
    pool->workers = g_new0(Worker, pool->worker_count);
    for (unsigned i = 0; i < pool->worker_count; i++) {
        pool->workers[i].pool = pool;
        pool->workers[i].thread = g_thread_new("appraisal", work, &pool->workers[i]);
    }
    pool->scanner = g_thread_new("appraisal-scan", watch, pool);
    return pool;
}

AppraisalPool *appraisal_pool_new(Verifier *verifier, GError **error)
{
    return appraisal_pool_new_with(verifier, appraise, error);
}

void appraisal_pool_free(AppraisalPool *pool)
{
    if (!pool)
        return;
    g_mutex_lock(&pool->mutex);
    pool->stopping = true;
    g_cond_broadcast(&pool->work);
    g_cond_broadcast(&pool->watch);
    g_mutex_unlock(&pool->mutex);
    for (unsigned i = 0; i < pool->worker_count; i++)
        g_thread_join(pool->workers[i].thread);
    g_thread_join(pool->scanner);
    write_kept(pool);
    if (pool->unwritten->len > 0)
        log_error("%u verdicts could not be stored: the evidence will be verified again",
                  pool->unwritten->len);
    appraisal_scan_give_back(pool->verifier->database, &pool->queue);
    g_queue_clear_full(&pool->queue, (GDestroyNotify)appraisal_job_unref);
    g_ptr_array_unref(pool->unwritten);
    references_free(pool->references);
    g_mutex_clear(&pool->mutex);
    g_cond_clear(&pool->work);
    g_cond_clear(&pool->watch);
    g_free(pool->workers);
    g_free(pool);
}
