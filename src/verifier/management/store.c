/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/management/store.h"

#include "verifier/management/enrolment.h"
#include "verifier/notification/outbox.h"

/* --- enrolment -------------------------------------------------------------------------------- */

typedef struct {
    const NotificationSettings *notifications;
    AgentRecord *record;
    const PolicyChoices *choices;
    GError *refused;
} Enrolment;

/* An error that only takes the transaction back; `refused` tells what is wrong. */
static bool take_back(const GError *refused, GError **error)
{
    g_propagate_error(error, g_error_copy(refused));
    return false;
}

static bool enrol_work(Connection *connection, gpointer data, GError **error)
{
    Enrolment *enrolment = data;
    g_clear_error(&enrolment->refused);
    if (!policy_choices_apply(connection, enrolment->choices, enrolment->record,
                              &enrolment->refused, error))
        return false;
    if (!enrolment->refused)
        enrolment_check_pcrs(enrolment->record, &enrolment->refused);
    if (enrolment->refused)
        return take_back(enrolment->refused, error);
    const AgentRecord *record = enrolment->record;
    const OutboxEvent event = {.type = NOTIFICATION_ENROLLED, .agent_id = record->agent_id};
    return agent_record_insert(connection, record, error) &&
           outbox_add(connection, enrolment->notifications, &event, 1, record->created_at, error);
}

bool management_enrol(Verifier *verifier, AgentRecord *record, const PolicyChoices *choices,
                      ManagementResult *result, GError **refused, GError **error)
{
    GError *failure = NULL;
    Enrolment enrolment = {
        .notifications = &verifier->settings.notifications, .record = record, .choices = choices};
    *result = MANAGEMENT_DONE;
    if (database_write(verifier->database, enrol_work, &enrolment, &failure))
        return true;
    if (enrolment.refused) {
        g_error_free(failure);
        g_propagate_error(refused, enrolment.refused);
        return true;
    }
    if (g_error_matches(failure, STORE_ERROR, STORE_ERROR_CONFLICT)) {
        g_error_free(failure);
        *result = MANAGEMENT_EXISTS;
        return true;
    }
    g_propagate_error(error, failure);
    return false;
}

/* --- changes of one agent --------------------------------------------------------------------- */

typedef struct Change Change;
struct Change {
    Verifier *verifier;
    const char *agent_id;
    /* On the agent of this verifier, whose row is locked. */
    bool (*apply)(Connection *connection, const Change *change, GError **error);
    ManagementResult result;
};

/* Locks the agent's row and looks whose it is. */
static bool claim(Connection *connection, Verifier *verifier, const char *agent_id,
                  AgentRecord **record, ManagementResult *result, GError **error)
{
    bool found = false;
    *record = NULL;
    *result = MANAGEMENT_NOT_FOUND;
    if (!agent_record_lock(connection, agent_id, &found, error))
        return false;
    if (!found)
        return true;
    if (!agent_record_load(connection, agent_id, record, error))
        return false;
    if (*record)
        *result = g_str_equal((*record)->verifier_id, verifier->settings.uuid) ? MANAGEMENT_DONE
                                                                               : MANAGEMENT_FOREIGN;
    return true;
}

static bool change_work(Connection *connection, gpointer data, GError **error)
{
    Change *change = data;
    g_autoptr(AgentRecord) record = NULL;
    return claim(connection, change->verifier, change->agent_id, &record, &change->result, error) &&
           (change->result != MANAGEMENT_DONE || change->apply(connection, change, error));
}

static bool run_change(Change change, ManagementResult *result, GError **error)
{
    bool done = database_write(change.verifier->database, change_work, &change, error);
    *result = change.result;
    return done;
}

bool management_delete_record(Connection *connection, const VerifierSettings *settings,
                              const char *agent_id, Timestamp now, GError **error)
{
    const OutboxEvent event = {.type = NOTIFICATION_DELETED, .agent_id = agent_id};
    return sql_run(connection, error, "DELETE FROM attestations WHERE agent_id = $1", "t",
                   agent_id) &&
           /* which tells what is enrolled still */
           outbox_add(connection, &settings->notifications, &event, 1, now, error) &&
           sql_run(connection, error, "DELETE FROM enrolments WHERE agent_id = $1", "t",
                   agent_id) &&
           sql_run(connection, error, "DELETE FROM agents WHERE agent_id = $1", "t", agent_id) &&
           policy_choices_drop_own(connection, agent_id, error);
}

static bool delete_agent(Connection *connection, const Change *change, GError **error)
{
    return management_delete_record(connection, &change->verifier->settings, change->agent_id,
                                    timestamp_now(), error);
}

bool management_delete(Verifier *verifier, const char *agent_id, ManagementResult *result,
                       GError **error)
{
    return run_change((Change){verifier, agent_id, .apply = delete_agent}, result, error);
}

/* What was found by other reference values, or before an operator looked into it, is past. */
static bool start_anew(Connection *connection, const char *agent_id, GError **error)
{
    return sql_run(connection, error,
                   "UPDATE agents SET accept_attestations = 1, consecutive_failures = 0,"
                   " shown_pending = 1 WHERE agent_id = $1",
                   "t", agent_id);
}

static bool reactivate_agent(Connection *connection, const Change *change, GError **error)
{
    return start_anew(connection, change->agent_id, error) &&
           sql_run(connection, error,
                   "UPDATE agents SET operational_state = 3, stale_from = $2 WHERE agent_id = $1",
                   "ti", change->agent_id, timestamp_now());
}

bool management_reactivate(Verifier *verifier, const char *agent_id, ManagementResult *result,
                           GError **error)
{
    return run_change((Change){verifier, agent_id, .apply = reactivate_agent}, result, error);
}

static bool stop_agent(Connection *connection, const Change *change, GError **error)
{
    return sql_run(connection, error,
                   "UPDATE agents SET operational_state = 10, deadline = NULL WHERE agent_id = $1",
                   "t", change->agent_id);
}

bool management_stop(Verifier *verifier, const char *agent_id, ManagementResult *result,
                     GError **error)
{
    return run_change((Change){verifier, agent_id, .apply = stop_agent}, result, error);
}

/* --- update ----------------------------------------------------------------------------------- */

typedef struct {
    Verifier *verifier;
    const char *agent_id;
    Json *members;
    AgentRecord *record;
    ManagementResult result;
    GError *refused;
} Update;

/* The token of the agent goes with the AK that earned it, and so does the state of its logs; of the
 * same AK both stay good, so that an update does not interrupt attestation (decision D35). */
static bool store_update(Connection *connection, Update *update, bool new_reference, GError **error)
{
    Bytes ak_name = bytes_of_gbytes(update->record->ak_name);
    bool found;
    return sql_run(connection, error,
                   "DELETE FROM log_states WHERE agent_id = $1 AND NOT EXISTS (SELECT 1 FROM agents"
                   " WHERE agent_id = $1 AND ak_name = $2)",
                   "tb", update->agent_id, &ak_name) &&
           agent_record_replace(connection, update->record, &found, error) &&
           sql_run(connection, error, "DELETE FROM sessions WHERE agent_id = $1 AND ak_name <> $2",
                   "tb", update->agent_id, &ak_name) &&
           (!new_reference || start_anew(connection, update->agent_id, error)) &&
           policy_choices_drop_own(connection, update->agent_id, error);
}

static bool update_work(Connection *connection, gpointer data, GError **error)
{
    Update *update = data;
    g_clear_pointer(&update->record, agent_record_free);
    g_clear_error(&update->refused);
    if (!claim(connection, update->verifier, update->agent_id, &update->record, &update->result,
               error))
        return false;
    if (update->result != MANAGEMENT_DONE)
        return true;
    g_auto(PolicyChoices) choices = {0};
    bool new_reference = false;
    if (enrolment_update(update->members, update->record, update->verifier->policy_rules, &choices,
                         &new_reference, &update->refused) &&
        !policy_choices_apply(connection, &choices, update->record, &update->refused, error))
        return false;
    if (update->refused || !enrolment_check_pcrs(update->record, &update->refused))
        return take_back(update->refused, error);
    if (!store_update(connection, update, new_reference, error))
        return false;
    g_clear_pointer(&update->record, agent_record_free);
    return agent_record_load(connection, update->agent_id, &update->record, error);
}

bool management_update(Verifier *verifier, const char *agent_id, Json *members,
                       AgentRecord **record, ManagementResult *result, GError **refused,
                       GError **error)
{
    Update update = {.verifier = verifier, .agent_id = agent_id, .members = members};
    GError *failure = NULL;
    bool done = database_write(verifier->database, update_work, &update, &failure);
    *record = g_steal_pointer(&update.record);
    *result = update.result;
    if (!update.refused) {
        if (failure)
            g_propagate_error(error, failure);
        return done;
    }
    g_clear_error(&failure);
    g_propagate_error(refused, update.refused);
    return true;
}

/* --- reading ---------------------------------------------------------------------------------- */

typedef struct {
    const char *id;
    AgentRecord *record;
    GPtrArray *records;
} Reading;

static bool read_work(Connection *connection, gpointer data, GError **error)
{
    Reading *reading = data;
    g_clear_pointer(&reading->record, agent_record_free);
    return agent_record_load(connection, reading->id, &reading->record, error);
}

static bool read_all_work(Connection *connection, gpointer data, GError **error)
{
    Reading *reading = data;
    g_clear_pointer(&reading->records, g_ptr_array_unref);
    return agent_record_load_all(connection, reading->id, &reading->records, error);
}

bool management_read(Verifier *verifier, const char *agent_id, AgentRecord **record, GError **error)
{
    Reading reading = {.id = agent_id};
    bool done = database_read(verifier->database, read_work, &reading, error);
    *record = reading.record;
    return done;
}

bool management_read_all(Verifier *verifier, const char *verifier_id, GPtrArray **records,
                         GError **error)
{
    Reading reading = {.id = verifier_id};
    bool done = database_read(verifier->database, read_all_work, &reading, error);
    *records = reading.records;
    return done;
}
