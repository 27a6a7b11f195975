/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.verifier"
#include "verifier/attestation/log_progress.h"

#include "base/log.h"

bool log_progress_load(Connection *connection, const char *agent_id, char **out, GError **error)
{
    *out = NULL;
    g_autoptr(Rows) rows = sql_query(
        connection, error, "SELECT ima_state FROM log_states WHERE agent_id = $1", "t", agent_id);
    if (!rows)
        return false;
    GError *failure = NULL;
    if (rows_next(rows, &failure))
        *out = g_strdup(rows_text(rows, 0));
    if (!failure)
        return true;
    g_propagate_error(error, failure);
    return false;
}

bool log_progress_store(Connection *connection, const char *agent_id, const BootState *boot,
                        const char *ima_state, GError **error)
{
    Bytes fingerprint = BYTES_OF_ARRAY(boot->fingerprint);
    return sql_run(connection, error,
                   "INSERT INTO log_states (agent_id, boot_evaluated, ima_state)"
                   " VALUES ($1, $2, $3) ON CONFLICT (agent_id) DO UPDATE"
                   " SET boot_evaluated = excluded.boot_evaluated, ima_state = excluded.ima_state",
                   "tbt", agent_id, boot->passed ? &fingerprint : NULL, ima_state);
}

ImaPushState *log_progress_ima_state(const char *agent_id, const char *text)
{
    if (!text)
        return ima_push_state_new();
    g_autoptr(GError) error = NULL;
    ImaPushState *state = ima_push_state_from_text(bytes_of_text(text), &error);
    if (state)
        return state;
    log_error("Agent '%s' must send its whole IMA list: %s", agent_id, error->message);
    return ima_push_state_new();
}

char *log_progress_ima_reference(const AgentRecord *agent, ImaViolations violations)
{
    static const char *const marks[] = {
        [IMA_VIOLATIONS_PATH] = "",
        [IMA_VIOLATIONS_IGNORE] = "!ignore",
        [IMA_VIOLATIONS_FAIL] = "!fail",
    };
    const char *policy = agent->runtime.checksum ? agent->runtime.checksum : "";
    if (!agent->ima_keys || !*agent->ima_keys)
        return g_strconcat(policy, marks[violations], NULL);
    g_autofree char *keys = g_compute_checksum_for_string(G_CHECKSUM_SHA256, agent->ima_keys, -1);
    return g_strconcat(policy, "+", keys, marks[violations], NULL);
}

gint64 log_progress_boot_time(Timestamp boot_time)
{
    return boot_time / TIMESTAMP_SECOND;
}
