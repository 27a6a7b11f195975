/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/attestation/logs.h"

#include <string.h>

/* Bytes of a row: neither engine then needs more memory than this for a log of any size. */
#define PART_SIZE (256 * 1024)

static const char *const kind_texts[LOG_KINDS] = {
    [LOG_UEFI] = "uefi_log",
    [LOG_IMA] = "ima_log",
};

const char *log_kind_text(LogKind kind)
{
    return kind_texts[kind];
}

/* --- what was asked for -------------------------------------------------------------------- */

void asked_logs_clear(AskedLogs *logs)
{
    for (unsigned kind = 0; kind < LOG_KINDS; kind++)
        g_clear_pointer(&logs->log[kind].capabilities, json_unref);
}

void asked_logs_copy(const AskedLogs *logs, AskedLogs *out)
{
    *out = *logs;
    for (unsigned kind = 0; kind < LOG_KINDS; kind++)
        out->log[kind].capabilities = NULL;
}

static void ask(AskedLog *log, const OfferedLog *offered, gint64 offset)
{
    *log = (AskedLog){.received = -1, .certified = -1, .announced = -1};
    if (!offered)
        return;
    log->asked = true;
    log->capabilities = offered_log_to_json(offered);
    log->offset = offset;
    log->announced = offered->entry_count;
}

void asked_logs_of(const NegotiatedLogs *negotiated, AskedLogs *out)
{
    ask(&out->log[LOG_UEFI], negotiated->uefi, 0);
    ask(&out->log[LOG_IMA], negotiated->ima, negotiated->ima_offset);
}

static void add_known(Json *object, const char *name, gint64 value)
{
    if (value >= 0)
        json_add_int(object, name, value);
}

char *asked_logs_store(const AskedLogs *logs)
{
    if (asked_logs_count(logs) == 0)
        return NULL;
    g_autoptr(Json) object = json_object_new_object();
    for (unsigned kind = 0; kind < LOG_KINDS; kind++) {
        const AskedLog *log = &logs->log[kind];
        if (!log->asked)
            continue;
        Json *one = json_object_new_object();
        json_add(one, "capabilities", json_object_get(log->capabilities));
        json_add_int(one, "offset", log->offset);
        add_known(one, "received", log->received);
        json_add(object, kind_texts[kind], one);
    }
    return json_to_text(object);
}

static gint64 known_or_not(Json *object, const char *name)
{
    gint64 value;
    return json_member_int(object, name, false, &value) ? value : -1;
}

void asked_logs_read(const char *text, AskedLogs *out)
{
    g_autoptr(Json) object = text ? json_parse(bytes_of_text(text), NULL) : NULL;
    for (unsigned kind = 0; kind < LOG_KINDS; kind++) {
        AskedLog *log = &out->log[kind];
        *log = (AskedLog){.received = -1, .certified = -1, .announced = -1};
        Json *one = json_member_of_type(object, kind_texts[kind], json_type_object);
        Json *capabilities = json_member_of_type(one, "capabilities", json_type_object);
        if (!capabilities)
            continue;
        log->asked = true;
        log->capabilities = json_object_get(capabilities);
        log->offset = MAX(0, known_or_not(one, "offset"));
        log->announced = known_or_not(capabilities, "entry_count");
        log->received = known_or_not(one, "received");
    }
}

unsigned asked_logs_count(const AskedLogs *logs)
{
    unsigned count = 0;
    for (unsigned kind = 0; kind < LOG_KINDS; kind++)
        count += logs->log[kind].asked;
    return count;
}

/* Agents know log parameters by `format` (ima §9.2). */
Json *asked_log_parameters(LogKind kind, const AskedLog *log)
{
    Json *chosen = json_object_new_object();
    if (kind == LOG_IMA)
        json_add_int(chosen, "starting_offset", log->offset);
    json_add_text(chosen, "format", kind == LOG_IMA ? IMA_LOG_FORMAT : UEFI_LOG_FORMAT);
    return chosen;
}

/* --- the logs themselves ------------------------------------------------------------------- */

bool evidence_log_store(Connection *connection, const char *agent_id, gint64 index, LogKind kind,
                        Bytes content, GError **error)
{
    gint64 number = 0;
    /* An empty log has one empty part: it was received. */
    do {
        Bytes part = bytes_of(content.data, MIN(content.size, PART_SIZE));
        if (!sql_run(connection, error,
                     "INSERT INTO evidence_logs (agent_id, attestation_index, kind, part, content)"
                     " VALUES ($1, $2, $3, $4, $5)",
                     "titib", agent_id, index, kind_texts[kind], number++, &part))
            return false;
        content = bytes_of(content.data + part.size, content.size - part.size);
    } while (content.size > 0);
    return true;
}

bool evidence_log_load(Connection *connection, const char *agent_id, gint64 index, LogKind kind,
                       GBytes **out, GError **error)
{
    *out = NULL;
    g_autoptr(Rows) rows = sql_query(connection, error,
                                     "SELECT content FROM evidence_logs WHERE agent_id = $1"
                                     " AND attestation_index = $2 AND kind = $3 ORDER BY part",
                                     "tit", agent_id, index, kind_texts[kind]);
    if (!rows)
        return false;
    g_autoptr(GByteArray) content = NULL;
    GError *failure = NULL;
    while (rows_next(rows, &failure)) {
        if (!content)
            content = g_byte_array_new();
        bytes_append(content, rows_bytes(rows, 0));
    }
    if (failure) {
        g_propagate_error(error, failure);
        return false;
    }
    if (content)
        *out = g_byte_array_free_to_bytes(g_steal_pointer(&content));
    return true;
}

bool evidence_logs_drop(Connection *connection, const char *agent_id, gint64 index, GError **error)
{
    return sql_run(connection, error,
                   "DELETE FROM evidence_logs WHERE agent_id = $1 AND attestation_index = $2", "ti",
                   agent_id, index);
}

bool evidence_logs_prune(Connection *connection, const char *agent_id, GError **error)
{
    return sql_run(connection, error,
                   "DELETE FROM evidence_logs WHERE agent_id = $1 AND attestation_index NOT IN"
                   " (SELECT attestation_index FROM evidence_logs WHERE agent_id = $1"
                   " GROUP BY attestation_index ORDER BY attestation_index DESC LIMIT $2)",
                   "ti", agent_id, (gint64)LOGS_KEPT);
}
