/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/attestation/record.h"

#include "verifier/settings.h"

#include <string.h>

/* One list for every statement, so that record_of_row() can count on its order. */
#define COLUMNS                                                                                    \
    "agent_id, attestation_index, stage, evaluation, failure_reason, failures, warnings,"          \
    " boot_time, capabilities_received_at, challenges_expire_at, evidence_received_at,"            \
    " verification_completed_at, challenge, capabilities, quote_scheme, quote_hash, quote_pcrs,"   \
    " quote_key, message, signature, pcr_blob, job_starts, job_lease, logs,"                       \
    " ima_certified"

static const char *const stages[] = {
    [STAGE_AWAITING_EVIDENCE] = "awaiting_evidence",
    [STAGE_EVALUATING_EVIDENCE] = "evaluating_evidence",
    [STAGE_VERIFICATION_COMPLETE] = "verification_complete",
};

const char *attestation_stage_text(AttestationStage stage)
{
    return stages[stage];
}

void attestation_record_free(AttestationRecord *record)
{
    if (!record)
        return;
    g_free(record->agent_id);
    g_free(record->failure_reason);
    g_free(record->failures);
    g_free(record->warnings);
    g_free(record->capabilities);
    asked_logs_clear(&record->logs);
    g_bytes_unref(record->message);
    g_bytes_unref(record->signature);
    g_bytes_unref(record->pcr_blob);
    g_free(record);
}

static AttestationStage stage_of(const char *text)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(stages); i++)
        if (g_strcmp0(text, stages[i]) == 0)
            return (AttestationStage)i;
    /* Not written by us: nothing can be added to it any more. */
    return STAGE_VERIFICATION_COMPLETE;
}

static Evaluation evaluation_of(const char *text)
{
    if (g_strcmp0(text, evaluation_text(EVALUATION_PASS)) == 0)
        return EVALUATION_PASS;
    bool pending = g_strcmp0(text, evaluation_text(EVALUATION_PENDING)) == 0;
    return pending ? EVALUATION_PENDING : EVALUATION_FAIL;
}

static GBytes *bytes_or_null(Rows *rows, unsigned column)
{
    return rows_is_null(rows, column) ? NULL : bytes_copy(rows_bytes(rows, column));
}

static AttestationRecord *record_of_row(Rows *rows)
{
    AttestationRecord *record = g_new0(AttestationRecord, 1);
    record->agent_id = g_strdup(rows_text(rows, 0));
    record->index = rows_int(rows, 1);
    record->stage = stage_of(rows_text(rows, 2));
    record->evaluation = evaluation_of(rows_text(rows, 3));
    record->failure_reason = g_strdup(rows_text(rows, 4));
    record->failures = g_strdup(rows_text(rows, 5));
    record->warnings = g_strdup(rows_text(rows, 6));
    record->boot_time = rows_int(rows, 7);
    record->capabilities_received_at = rows_int(rows, 8);
    record->challenges_expire_at = rows_int(rows, 9);
    record->evidence_received_at = rows_int(rows, 10);
    record->verification_completed_at = rows_int(rows, 11);
    Bytes challenge = rows_bytes(rows, 12);
    if (challenge.size == CHALLENGE_SIZE)
        memcpy(record->challenge, challenge.data, CHALLENGE_SIZE);
    record->capabilities = g_strdup(rows_text(rows, 13));
    record->quote_scheme = (uint16_t)rows_int(rows, 14);
    record->quote_hash = (uint16_t)rows_int(rows, 15);
    record->quote_pcrs = (uint32_t)rows_int(rows, 16);
    record->quote_key = (unsigned)rows_int(rows, 17);
    record->message = bytes_or_null(rows, 18);
    record->signature = bytes_or_null(rows, 19);
    record->pcr_blob = bytes_or_null(rows, 20);
    record->job_starts = rows_int(rows, 21);
    record->job_lease = rows_int(rows, 22);
    asked_logs_read(rows_text(rows, 23), &record->logs);
    if (!rows_is_null(rows, 24))
        record->logs.log[LOG_IMA].certified = rows_int(rows, 24);
    return record;
}

/* All rows; NULL and *error on a failure. */
static GPtrArray *records_of_rows(Rows *rows, GError **error)
{
    g_autoptr(GPtrArray) records =
        g_ptr_array_new_with_free_func((GDestroyNotify)attestation_record_free);
    GError *failure = NULL;
    while (rows_next(rows, &failure))
        g_ptr_array_add(records, record_of_row(rows));
    if (!failure)
        return g_steal_pointer(&records);
    g_propagate_error(error, failure);
    return NULL;
}

static bool single_of_rows(Rows *rows, AttestationRecord **out, GError **error)
{
    *out = NULL;
    g_autoptr(GPtrArray) records = rows ? records_of_rows(rows, error) : NULL;
    if (!records)
        return false;
    if (records->len > 0)
        *out = g_ptr_array_steal_index(records, 0);
    return true;
}

bool attestation_record_latest(Connection *connection, const char *agent_id,
                               AttestationRecord **out, GError **error)
{
    g_autoptr(Rows) rows = sql_query(connection, error,
                                     "SELECT " COLUMNS " FROM attestations WHERE agent_id = $1"
                                     " ORDER BY attestation_index DESC LIMIT 1",
                                     "t", agent_id);
    return single_of_rows(rows, out, error);
}

bool attestation_record_load(Connection *connection, const char *agent_id, gint64 index,
                             AttestationRecord **out, GError **error)
{
    g_autoptr(Rows) rows = sql_query(connection, error,
                                     "SELECT " COLUMNS " FROM attestations"
                                     " WHERE agent_id = $1 AND attestation_index = $2",
                                     "ti", agent_id, index);
    return single_of_rows(rows, out, error);
}

bool attestation_record_list(Connection *connection, const char *agent_id, gint64 before,
                             gint64 limit, GPtrArray **out, GError **error)
{
    *out = NULL;
    g_autoptr(Rows) rows =
        sql_query(connection, error,
                  "SELECT " COLUMNS " FROM (SELECT " COLUMNS " FROM attestations"
                  " WHERE agent_id = $1 AND attestation_index < $2"
                  " ORDER BY attestation_index DESC LIMIT $3) AS newest ORDER BY attestation_index",
                  "tii", agent_id, before, limit);
    if (rows)
        *out = records_of_rows(rows, error);
    return *out != NULL;
}

bool attestation_record_insert(Connection *connection, const AttestationRecord *record,
                               GError **error)
{
    Bytes challenge = BYTES_OF_ARRAY(record->challenge);
    const gint64 *boot_time = record->boot_time != 0 ? &record->boot_time : NULL;
    g_autofree char *logs = asked_logs_store(&record->logs);
    return sql_run(
        connection, error,
        "INSERT INTO attestations (agent_id, attestation_index, stage, evaluation,"
        " boot_time, capabilities_received_at, challenges_expire_at, challenge,"
        " capabilities, quote_scheme, quote_hash, quote_pcrs, quote_key, logs, job_starts,"
        " job_lease) VALUES ($1, $2, 'awaiting_evidence', 'pending', $3, $4, $5, $6, $7,"
        " $8, $9, $10, $11, $12, 0, 0)",
        "tiniibtiiiit", record->agent_id, record->index, boot_time,
        record->capabilities_received_at, record->challenges_expire_at, &challenge,
        record->capabilities, (gint64)record->quote_scheme, (gint64)record->quote_hash,
        (gint64)record->quote_pcrs, (gint64)record->quote_key, logs);
}

static const Bytes *bytes_of_column(GBytes *bytes, Bytes *out)
{
    *out = bytes_of_gbytes(bytes);
    return bytes ? out : NULL;
}

bool attestation_record_receive(Connection *connection, const AttestationRecord *record,
                                guint64 *changed, GError **error)
{
    Bytes message, signature, pcr_blob;
    const gint64 *completed =
        record->verification_completed_at != 0 ? &record->verification_completed_at : NULL;
    g_autofree char *logs = asked_logs_store(&record->logs);
    const gint64 *certified = &record->logs.log[LOG_IMA].certified;
    return sql_change(
        connection, changed, error,
        "UPDATE attestations SET stage = $4, evidence_received_at = $5, message = $6,"
        " signature = $7, pcr_blob = $8, job_starts = $9, job_lease = $10, evaluation = $11,"
        " failure_reason = $12, failures = $13, warnings = $14, verification_completed_at = $15,"
        " logs = $16, ima_certified = $17"
        " WHERE agent_id = $1 AND attestation_index = $2 AND capabilities_received_at = $3"
        " AND stage = 'awaiting_evidence'",
        "tiitibbbiittttntn", record->agent_id, record->index, record->capabilities_received_at,
        attestation_stage_text(record->stage), record->evidence_received_at,
        bytes_of_column(record->message, &message), bytes_of_column(record->signature, &signature),
        bytes_of_column(record->pcr_blob, &pcr_blob), record->job_starts, record->job_lease,
        evaluation_text(record->evaluation), record->failure_reason, record->failures,
        record->warnings, completed, logs, *certified >= 0 ? certified : NULL);
}

bool attestation_record_claim(Connection *connection, Timestamp now, Timestamp lease, gint64 limit,
                              GPtrArray **out, GError **error)
{
    *out = NULL;
    /* The condition stands outside too: PostgreSQL checks it again on a row that another process
     * has claimed meanwhile. A lease longer than a new one was made before the clock was set
     * back. */
    g_autoptr(Rows) rows =
        sql_query(connection, error,
                  "UPDATE attestations SET job_lease = $3, job_starts = job_starts + 1"
                  " WHERE " ATTESTATION_JOB_IS_FREE
                  " AND (agent_id, attestation_index) IN (SELECT agent_id, attestation_index"
                  " FROM attestations WHERE " ATTESTATION_JOB_IS_FREE
                  " ORDER BY job_lease LIMIT $4) RETURNING " COLUMNS,
                  "iiii", now, lease + CLOCK_SET_BACK, lease, limit);
    if (rows)
        *out = records_of_rows(rows, error);
    return *out != NULL;
}
