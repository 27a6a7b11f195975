/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

#include "base/secret.h"

#include <string.h>

SoftwareTpm *machine_tpm(void)
{
    const KeyTemplate keys = {TPM_ALG_ECC, 256, TPM_ALG_ECDSA, TPM_ALG_SHA256};
    g_autoptr(GError) error = NULL;
    SoftwareTpm *tpm = software_tpm_new(&keys, &error);
    g_autoptr(GBytes) tpmt = NULL;
    g_autoptr(GBytes) private_part = NULL;
    if (!tpm || !software_tpm_create_ak(tpm, &tpmt, &private_part, &error))
        fail_msg("no software TPM: %s", error->message);
    return tpm;
}

int machine_setup(void **state)
{
    Machine *machine = g_new0(Machine, 1);
    fixture_setup((void **)&machine->fixture);
    const DatabaseSettings settings = {
        .url = machine->fixture->url,
        .max_connections = 8,
        .migrate = true,
        .migrations = verifier_migrations,
    };
    g_autoptr(GError) error = NULL;
    machine->verifier.database = database_open(&settings, &error);
    if (!machine->verifier.database)
        fail_msg("no database: %s", error->message);
    machine->verifier.settings = (VerifierSettings){
        .quote_interval = 2 * SECOND,
        .challenge_lifetime = 300 * SECOND,
        .verification_timeout = 60 * SECOND,
        .session_lifetime = 180 * SECOND,
        .extend_token_on_attestation = true,
        .attestation_history_max = 50,
        .attestation_history_days = 30,
        .pending_notice = 86400 * SECOND,
    };
    machine->references = references_new();
    machine->tpm = machine_tpm();
    *state = machine;
    return 0;
}

int machine_teardown(void **state)
{
    Machine *machine = *state;
    database_close(machine->verifier.database);
    references_free(machine->references);
    software_tpm_free(machine->tpm);
    fixture_teardown((void **)&machine->fixture);
    g_free(machine);
    return 0;
}

static void write_or_fail(Machine *machine, DatabaseWork work, gpointer data)
{
    g_autoptr(GError) error = NULL;
    if (!database_write(machine->verifier.database, work, data, &error))
        fail_msg("%s", error->message);
}

static void read_or_fail(Machine *machine, DatabaseWork work, gpointer data)
{
    g_autoptr(GError) error = NULL;
    if (!database_read(machine->verifier.database, work, data, &error))
        fail_msg("%s", error->message);
}

static bool insert_agent(Connection *connection, gpointer data, GError **error)
{
    return agent_record_insert(connection, data, error);
}

void machine_enrol(Machine *machine, const char *agent_id, const char *tpm_policy, Timestamp now)
{
    const TpmPublic *ak = software_tpm_ak(machine->tpm);
    g_autoptr(AgentRecord) record = g_new0(AgentRecord, 1);
    record->agent_id = g_strdup(agent_id);
    record->verifier_id = g_strdup("default");
    record->ak_tpm = tpm_public_to_tpm2b(ak);
    record->ak_name = bytes_copy(tpm_public_name(ak));
    record->tpm_policy = g_strdup(tpm_policy);
    record->meta_data = g_strdup("{}");
    record->accept_hashes = g_strdup("[\"sha256\"]");
    record->accept_encryption = g_strdup("[\"ecc\"]");
    record->accept_signing = g_strdup("[\"ecdsa\"]");
    record->created_at = now;
    record->operational_state = AGENT_STATE_ACTIVE;
    write_or_fail(machine, insert_agent, record);
}

/* --- reading ------------------------------------------------------------------------------- */

typedef struct {
    const char *agent_id;
    gint64 index;
    AgentRecord *agent;
    AttestationRecord *attestation;
    GPtrArray *all;
} Reading;

static bool read_agent(Connection *connection, gpointer data, GError **error)
{
    Reading *reading = data;
    return agent_record_load(connection, reading->agent_id, &reading->agent, error);
}

AgentRecord *machine_agent(Machine *machine, const char *agent_id)
{
    Reading reading = {.agent_id = agent_id};
    read_or_fail(machine, read_agent, &reading);
    return reading.agent;
}

static bool read_attestation(Connection *connection, gpointer data, GError **error)
{
    Reading *reading = data;
    return attestation_record_load(connection, reading->agent_id, reading->index,
                                   &reading->attestation, error);
}

AttestationRecord *machine_attestation(Machine *machine, const char *agent_id, gint64 index)
{
    Reading reading = {.agent_id = agent_id, .index = index};
    read_or_fail(machine, read_attestation, &reading);
    return reading.attestation;
}

static bool read_all(Connection *connection, gpointer data, GError **error)
{
    Reading *reading = data;
    return attestation_record_list(connection, reading->agent_id, G_MAXINT64, 1000, &reading->all,
                                   error);
}

guint machine_count(Machine *machine, const char *agent_id)
{
    Reading reading = {.agent_id = agent_id};
    read_or_fail(machine, read_all, &reading);
    guint count = reading.all->len;
    g_ptr_array_unref(reading.all);
    return count;
}

static bool run_statement(Connection *connection, gpointer data, GError **error)
{
    return sql_run(connection, error, data, "");
}

void machine_run(Machine *machine, const char *sql)
{
    write_or_fail(machine, run_statement, (gpointer)sql);
}

typedef struct {
    const char *sql;
    gint64 number;
} Number;

static bool read_number(Connection *connection, gpointer data, GError **error)
{
    Number *number = data;
    g_autoptr(Rows) rows = sql_query(connection, error, number->sql, "");
    if (!rows || !rows_next(rows, error))
        return false;
    number->number = rows_int(rows, 0);
    return true;
}

gint64 machine_number(Machine *machine, const char *sql)
{
    Number number = {.sql = sql};
    read_or_fail(machine, read_number, &number);
    return number.number;
}

/* --- evidence ------------------------------------------------------------------------------ */

static void make_quote(Machine *machine, AttestationRecord *record, bool spoil)
{
    const PcrSelection selection = {.count = 1, .bank = {{TPM_ALG_SHA256, record->quote_pcrs}}};
    g_autoptr(GError) error = NULL;
    g_autofree PcrValues *values = g_new0(PcrValues, 1);
    secret_random(record->challenge, sizeof record->challenge);
    if (!software_tpm_quote(machine->tpm, &selection, BYTES_OF_ARRAY(record->challenge),
                            &record->message, &record->signature, values, &error))
        fail_msg("no quote: %s", error->message);
    record->pcr_blob = pcr_blob_make(values);
    record->challenge[0] ^= spoil ? 1 : 0;
}

static bool store_evidence(Connection *connection, gpointer data, GError **error)
{
    const AttestationRecord *record = data;
    Bytes message = bytes_of_gbytes(record->message);
    Bytes signature = bytes_of_gbytes(record->signature);
    Bytes pcr_blob = bytes_of_gbytes(record->pcr_blob);
    return attestation_record_insert(connection, record, error) &&
           sql_run(connection, error,
                   "UPDATE attestations SET stage = 'evaluating_evidence',"
                   " evidence_received_at = $3, message = $4, signature = $5, pcr_blob = $6,"
                   " job_starts = $7, job_lease = $8 WHERE agent_id = $1"
                   " AND attestation_index = $2",
                   "tiibbbii", record->agent_id, record->index, record->evidence_received_at,
                   &message, &signature, &pcr_blob, record->job_starts, record->job_lease) &&
           sql_run(connection, error,
                   "UPDATE agents SET next_index = $2, last_received_quote = $3, deadline = $4"
                   " WHERE agent_id = $1",
                   "tiii", record->agent_id, record->index + 1, record->evidence_received_at,
                   record->evidence_received_at + 10 * SECOND);
}

void machine_store_evidence(Machine *machine, const char *agent_id, const StoredEvidence *evidence)
{
    g_autoptr(AttestationRecord) record = g_new0(AttestationRecord, 1);
    record->agent_id = g_strdup(agent_id);
    record->index = evidence->index;
    record->capabilities_received_at = evidence->received;
    record->challenges_expire_at = evidence->received + 300 * SECOND;
    record->evidence_received_at = evidence->received;
    record->capabilities = g_strdup("{}");
    record->quote_scheme = TPM_ALG_ECDSA;
    record->quote_hash = TPM_ALG_SHA256;
    record->quote_pcrs = evidence->pcrs;
    record->job_starts = evidence->starts;
    record->job_lease = evidence->lease;
    make_quote(machine, record, evidence->spoil);
    write_or_fail(machine, store_evidence, record);
}

AppraisalJob *machine_job(Machine *machine, const char *agent_id, gint64 index)
{
    g_autoptr(AttestationRecord) record = machine_attestation(machine, agent_id, index);
    return appraisal_job_new(machine_agent(machine, agent_id), record, machine->references);
}
