/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/agent_record.h"

#include "base/secret.h"

#include <string.h>

/* One list for every SELECT, so that record_of_row() can count on its order. The texts of policies
 * and of log states, which may be large, are not in it. */
#define COLUMNS                                                                                    \
    "agents.agent_id, verifier_id, verifier_ip, verifier_port, ak_tpm, ak_name, tpm_policy,"       \
    " meta_data, accept_tpm_hash_algs, accept_tpm_encryption_algs, accept_tpm_signing_algs,"       \
    " ima_sign_verification_keys, mtls_cert, supported_version, created_at, operational_state,"    \
    " accept_attestations, attestation_count, consecutive_failures, last_event_id, next_index,"    \
    " last_received_quote, last_successful_attestation, shown_pending, deadline, told_to_wait,"    \
    " unanswered_since, unanswered_count, next_clean_up, clock_ak_name, clock,"                    \
    " agents.reset_count, restart_count, clock_safe, firmware_version, severity_level,"            \
    " enrolments.runtime_policy, runtime.checksum, runtime.wants_log, enrolments.mb_policy,"       \
    " boot.checksum, boot.wants_log, boot_evaluated"

#define TABLES                                                                                     \
    "agents JOIN enrolments ON enrolments.agent_id = agents.agent_id"                              \
    " LEFT JOIN policies AS runtime"                                                               \
    " ON runtime.kind = 'runtime' AND runtime.name = enrolments.runtime_policy"                    \
    " LEFT JOIN policies AS boot"                                                                  \
    " ON boot.kind = 'measured_boot' AND boot.name = enrolments.mb_policy"                         \
    " LEFT JOIN log_states ON log_states.agent_id = agents.agent_id"

static void policy_use_clear(PolicyUse *use)
{
    g_free(use->name);
    g_free(use->checksum);
}

void agent_record_free(AgentRecord *record)
{
    if (!record)
        return;
    g_free(record->agent_id);
    g_free(record->verifier_id);
    g_free(record->verifier_ip);
    g_bytes_unref(record->ak_tpm);
    g_bytes_unref(record->ak_name);
    g_free(record->tpm_policy);
    g_free(record->meta_data);
    g_free(record->accept_hashes);
    g_free(record->accept_encryption);
    g_free(record->accept_signing);
    g_free(record->ima_keys);
    g_free(record->mtls_cert);
    g_free(record->supported_version);
    secret_free_text(record->revocation_key);
    g_free(record->last_event_id);
    policy_use_clear(&record->runtime);
    policy_use_clear(&record->boot);
    g_free(record);
}

static void read_appraisal_state(Rows *rows, unsigned column, AppraisalState *out)
{
    Bytes name = rows_bytes(rows, column);
    /* A name that is no TPM name was not written by us: start as if nothing were known. */
    out->known = name.size > 0 && name.size <= sizeof out->ak_name;
    if (!out->known)
        return;
    memcpy(out->ak_name, name.data, name.size);
    out->ak_name_size = name.size;
    out->clock.clock = (uint64_t)rows_int(rows, column + 1);
    out->clock.reset_count = (uint32_t)rows_int(rows, column + 2);
    out->clock.restart_count = (uint32_t)rows_int(rows, column + 3);
    out->clock.safe = rows_int(rows, column + 4) != 0;
    out->firmware_version = (uint64_t)rows_int(rows, column + 5);
}

static void read_policy_use(Rows *rows, unsigned column, PolicyUse *out)
{
    out->name = g_strdup(rows_text(rows, column));
    out->checksum = g_strdup(rows_text(rows, column + 1));
    out->wants_log = rows_int(rows, column + 2) != 0;
}

static void read_boot_state(Rows *rows, unsigned column, BootState *out)
{
    Bytes fingerprint = rows_bytes(rows, column);
    out->passed = fingerprint.size == sizeof out->fingerprint;
    if (out->passed)
        memcpy(out->fingerprint, fingerprint.data, fingerprint.size);
}

static AgentRecord *record_of_row(Rows *rows)
{
    AgentRecord *record = g_new0(AgentRecord, 1);
    record->agent_id = g_strdup(rows_text(rows, 0));
    record->verifier_id = g_strdup(rows_text(rows, 1));
    record->verifier_ip = g_strdup(rows_text(rows, 2));
    record->verifier_port = rows_int(rows, 3);
    record->ak_tpm = bytes_copy(rows_bytes(rows, 4));
    record->ak_name = bytes_copy(rows_bytes(rows, 5));
    record->tpm_policy = g_strdup(rows_text(rows, 6));
    record->meta_data = g_strdup(rows_text(rows, 7));
    record->accept_hashes = g_strdup(rows_text(rows, 8));
    record->accept_encryption = g_strdup(rows_text(rows, 9));
    record->accept_signing = g_strdup(rows_text(rows, 10));
    record->ima_keys = g_strdup(rows_text(rows, 11));
    record->mtls_cert = g_strdup(rows_text(rows, 12));
    record->supported_version = g_strdup(rows_text(rows, 13));
    record->created_at = rows_int(rows, 14);
    record->operational_state = rows_int(rows, 15);
    record->accept_attestations = rows_int(rows, 16) != 0;
    record->attestation_count = rows_int(rows, 17);
    record->consecutive_failures = rows_int(rows, 18);
    record->last_event_id = g_strdup(rows_text(rows, 19));
    record->next_index = rows_int(rows, 20);
    record->last_received_quote = rows_int(rows, 21);
    record->last_successful_attestation = rows_int(rows, 22);
    record->shown_pending = rows_int(rows, 23) != 0;
    record->deadline = rows_int(rows, 24);
    record->told_to_wait = rows_int(rows, 25) != 0;
    record->unanswered_since = rows_int(rows, 26);
    record->unanswered_count = rows_int(rows, 27);
    record->next_clean_up = rows_int(rows, 28);
    read_appraisal_state(rows, 29, &record->appraisal);
    record->severity_level = rows_is_null(rows, 35) ? -1 : rows_int(rows, 35);
    read_policy_use(rows, 36, &record->runtime);
    read_policy_use(rows, 39, &record->boot);
    read_boot_state(rows, 42, &record->appraisal.boot);
    return record;
}

bool agent_record_load(Connection *connection, const char *agent_id, AgentRecord **out,
                       GError **error)
{
    *out = NULL;
    g_autoptr(Rows) rows =
        sql_query(connection, error,
                  "SELECT " COLUMNS " FROM " TABLES " WHERE agents.agent_id = $1", "t", agent_id);
    if (!rows)
        return false;
    GError *failure = NULL;
    if (rows_next(rows, &failure)) {
        *out = record_of_row(rows);
        return true;
    }
    if (!failure)
        return true;
    g_propagate_error(error, failure);
    return false;
}

bool agent_record_load_all(Connection *connection, const char *verifier_id, GPtrArray **out,
                           GError **error)
{
    *out = NULL;
    g_autoptr(Rows) rows = sql_query(connection, error,
                                     "SELECT " COLUMNS " FROM " TABLES
                                     " WHERE $1 = '' OR verifier_id = $1 ORDER BY agents.agent_id",
                                     "t", verifier_id ? verifier_id : "");
    if (!rows)
        return false;
    g_autoptr(GPtrArray) records =
        g_ptr_array_new_with_free_func((GDestroyNotify)agent_record_free);
    GError *failure = NULL;
    while (rows_next(rows, &failure))
        g_ptr_array_add(records, record_of_row(rows));
    if (failure) {
        g_propagate_error(error, failure);
        return false;
    }
    *out = g_steal_pointer(&records);
    return true;
}

/* A fresh enrolment: the state columns start as verifier-push-api §8.3 and
 * tenant-and-management-api §4.3 say; ip and port stay NULL, always (contract C81). */
bool agent_record_insert(Connection *connection, const AgentRecord *record, GError **error)
{
    Bytes ak_tpm = bytes_of_gbytes(record->ak_tpm);
    Bytes ak_name = bytes_of_gbytes(record->ak_name);
    return sql_run(connection, error,
                   "INSERT INTO agents (agent_id, verifier_id, ak_name, created_at,"
                   " operational_state, accept_attestations, attestation_count,"
                   " consecutive_failures, next_index, last_received_quote,"
                   " last_successful_attestation, shown_pending, told_to_wait, pending_noticed,"
                   " unanswered_since, unanswered_count)"
                   " VALUES ($1, $2, $3, $4, $5, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
                   "ttbii", record->agent_id, record->verifier_id, &ak_name, record->created_at,
                   record->operational_state) &&
           sql_run(connection, error,
                   "INSERT INTO enrolments (agent_id, verifier_ip, verifier_port, ak_tpm,"
                   " tpm_policy, meta_data, accept_tpm_hash_algs, accept_tpm_encryption_algs,"
                   " accept_tpm_signing_algs, ima_sign_verification_keys, mtls_cert,"
                   " supported_version, runtime_policy, mb_policy, revocation_key)"
                   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
                   "ttibttttttttttt", record->agent_id, record->verifier_ip, record->verifier_port,
                   &ak_tpm, record->tpm_policy, record->meta_data, record->accept_hashes,
                   record->accept_encryption, record->accept_signing, record->ima_keys,
                   record->mtls_cert, record->supported_version, record->runtime.name,
                   record->boot.name, record->revocation_key);
}

bool agent_record_replace(Connection *connection, const AgentRecord *record, bool *found,
                          GError **error)
{
    Bytes ak_tpm = bytes_of_gbytes(record->ak_tpm);
    Bytes ak_name = bytes_of_gbytes(record->ak_name);
    guint64 changed = 0;
    bool done =
        sql_change(connection, &changed, error,
                   "UPDATE agents SET ak_name = $2 WHERE agent_id = $1", "tb", record->agent_id,
                   &ak_name) &&
        sql_run(connection, error,
                "UPDATE enrolments SET verifier_ip = $2, verifier_port = $3, ak_tpm = $4,"
                " tpm_policy = $5, meta_data = $6, accept_tpm_hash_algs = $7,"
                " accept_tpm_encryption_algs = $8, accept_tpm_signing_algs = $9,"
                " ima_sign_verification_keys = $10, mtls_cert = $11, supported_version = $12,"
                " runtime_policy = $13, mb_policy = $14,"
                " revocation_key = COALESCE($15, revocation_key) WHERE agent_id = $1",
                "ttibttttttttttt", record->agent_id, record->verifier_ip, record->verifier_port,
                &ak_tpm, record->tpm_policy, record->meta_data, record->accept_hashes,
                record->accept_encryption, record->accept_signing, record->ima_keys,
                record->mtls_cert, record->supported_version, record->runtime.name,
                record->boot.name, record->revocation_key);
    *found = changed > 0;
    return done;
}

/* Writing the row locks it in PostgreSQL; SQLite has one writer anyway. */
bool agent_record_lock(Connection *connection, const char *agent_id, bool *found, GError **error)
{
    guint64 changed = 0;
    bool done =
        sql_change(connection, &changed, error,
                   "UPDATE agents SET agent_id = agent_id WHERE agent_id = $1", "t", agent_id);
    *found = changed > 0;
    return done;
}

const char *agent_record_status(const AgentRecord *record)
{
    if (record->consecutive_failures > 0)
        return "FAIL";
    if (!record->accept_attestations)
        return "TIMEOUT";
    if (record->shown_pending)
        return "PENDING";
    return record->attestation_count > 0 ? "PASS" : "PENDING";
}

/* A column that holds a JSON array; what enrolment wrote always parses. */
static void add_list(Json *object, const char *name, const char *text)
{
    Json *list = text ? json_parse(bytes_of_text(text), NULL) : NULL;
    json_add(object, name, list ? list : json_object_new_array());
}

static void add_seconds(Json *object, const char *name, gint64 seconds)
{
    g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT "s", seconds);
    json_add_text(object, name, text);
}

/* Whole seconds, rounded up: a limit is never shown shorter than it is (decision D65). */
static gint64 seconds_up(Timestamp span)
{
    return (span + TIMESTAMP_SECOND - 1) / TIMESTAMP_SECOND;
}

Json *agent_record_to_json(const AgentRecord *record, const VerifierSettings *settings)
{
    Json *object = json_object_new_object();
    json_add_int(object, "operational_state", record->operational_state);
    json_add_null(object, "v");
    json_add_null(object, "ip");
    json_add_null(object, "port");
    json_add_text(object, "tpm_policy", record->tpm_policy);
    json_add_text(object, "meta_data", record->meta_data);
    json_add_int(object, "has_mb_refstate", record->boot.wants_log);
    json_add_int(object, "has_runtime_policy", record->runtime.wants_log);
    add_list(object, "accept_tpm_hash_algs", record->accept_hashes);
    add_list(object, "accept_tpm_encryption_algs", record->accept_encryption);
    add_list(object, "accept_tpm_signing_algs", record->accept_signing);
    json_add_text(object, "hash_alg", "");
    json_add_text(object, "enc_alg", "");
    json_add_text(object, "sign_alg", "");
    json_add_text(object, "verifier_id", record->verifier_id);
    json_add_text(object, "verifier_ip", record->verifier_ip);
    json_add_int(object, "verifier_port", record->verifier_port);
    if (record->severity_level < 0)
        json_add_null(object, "severity_level");
    else
        json_add_int(object, "severity_level", record->severity_level);
    json_add_text(object, "last_event_id", record->last_event_id);
    json_add_int(object, "attestation_count", record->attestation_count);
    json_add_int(object, "last_received_quote", record->last_received_quote / TIMESTAMP_SECOND);
    json_add_int(object, "last_successful_attestation",
                 record->last_successful_attestation / TIMESTAMP_SECOND);
    json_add_text(object, "attestation_status", agent_record_status(record));
    add_seconds(object, "attestation_period", verifier_period_seconds(settings));
    add_seconds(object, "maximum_attestation_interval",
                seconds_up(verifier_liveness_limit(settings)));
    return object;
}
