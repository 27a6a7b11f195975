/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/attestation/answer.h"
#include "verifier/attestation/resource.h"
#include "verifier/attestation/routes.h"
#include "verifier/database_trouble.h"

/* Attestations in one answer (decision D70). */
#define PAGE_LIMIT 100

typedef struct {
    const char *agent_id;
    gint64 index; /* -1 = the latest */
    gint64 before, limit;
    bool enrolled;
    AttestationRecord *record;
    GBytes *log[LOG_KINDS]; /* of `record` */
    GPtrArray *records;
} Reading;

static void reading_clear(Reading *reading)
{
    g_clear_pointer(&reading->record, attestation_record_free);
    for (unsigned kind = 0; kind < LOG_KINDS; kind++)
        g_clear_pointer(&reading->log[kind], g_bytes_unref);
    g_clear_pointer(&reading->records, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Reading, reading_clear)

static bool read_enrolled(Connection *connection, Reading *reading, GError **error)
{
    g_autoptr(Rows) rows = sql_query(connection, error, "SELECT 1 FROM agents WHERE agent_id = $1",
                                     "t", reading->agent_id);
    GError *failure = NULL;
    reading->enrolled = rows && rows_next(rows, &failure);
    if (failure)
        g_propagate_error(error, failure);
    return rows && !failure;
}

static bool read_logs(Connection *connection, Reading *reading, GError **error)
{
    const AttestationRecord *record = reading->record;
    for (unsigned kind = 0; record && kind < LOG_KINDS; kind++)
        if (record->logs.log[kind].asked &&
            !evidence_log_load(connection, record->agent_id, record->index, (LogKind)kind,
                               &reading->log[kind], error))
            return false;
    return true;
}

static bool read_one(Connection *connection, gpointer data, GError **error)
{
    Reading *reading = data;
    reading_clear(reading);
    if (!read_enrolled(connection, reading, error))
        return false;
    bool done =
        reading->index < 0
            ? attestation_record_latest(connection, reading->agent_id, &reading->record, error)
            : attestation_record_load(connection, reading->agent_id, reading->index,
                                      &reading->record, error);
    return done && read_logs(connection, reading, error);
}

static bool read_page(Connection *connection, gpointer data, GError **error)
{
    Reading *reading = data;
    return read_enrolled(connection, reading, error) &&
           attestation_record_list(connection, reading->agent_id, reading->before, reading->limit,
                                   &reading->records, error);
}

static void answer_not_enrolled(const HttpRequest *request, HttpResponse *response,
                                const char *agent_id)
{
    envelope_error(response, request, 404, "not_found", "No enrolled agent with ID '%s'.",
                   agent_id);
}

/* What was read is freed before the answer is written: a log may have megabytes. */
static void show_record(const HttpRequest *request, HttpResponse *response, Reading *reading)
{
    Json *resource =
        attestation_resource(reading->record, reading->log, http_request_version_prefix(request));
    reading_clear(reading);
    envelope_resource(response, request, 200, resource, NULL);
}

/* `index_text` NULL = latest. */
static void show(const HttpRequest *request, HttpResponse *response, Verifier *verifier,
                 const char *index_text)
{
    g_auto(Reading)
        reading = {.agent_id = http_request_parameter(request, "agent_id"), .index = -1};
    /* A text that is no index names nothing; the agent is looked for all the same. */
    if (index_text &&
        !g_ascii_string_to_signed(index_text, 10, 0, G_MAXINT64, &reading.index, NULL))
        reading.index = G_MAXINT64;
    g_autoptr(GError) error = NULL;
    if (!database_read(verifier->database, read_one, &reading, &error))
        database_trouble_api(response, request, error);
    else if (!reading.enrolled)
        answer_not_enrolled(request, response, reading.agent_id);
    else if (!reading.record && index_text)
        envelope_error(response, request, 404, "not_found",
                       "No attestation %s exists for agent '%s'.", index_text, reading.agent_id);
    else if (!reading.record)
        envelope_error(response, request, 404, "not_found", "No attestation exists for agent '%s'.",
                       reading.agent_id);
    else
        show_record(request, response, &reading);
}

void attestation_show(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    show(request, response, context, http_request_parameter(request, "index"));
}

void attestation_show_latest(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    show(request, response, context, NULL);
}

/* A number of the query within its bounds; `otherwise` when it is not there. */
static bool query_number(const HttpRequest *request, HttpResponse *response, const char *name,
                         gint64 minimum, gint64 maximum, gint64 otherwise, gint64 *out)
{
    const char *text = http_request_query(request, name);
    *out = otherwise;
    if (!text || g_ascii_string_to_signed(text, 10, minimum, maximum, out, NULL))
        return true;
    envelope_error(response, request, 400, "invalid_request",
                   "The query parameter %s must be a whole number from %" G_GINT64_FORMAT
                   " to %" G_GINT64_FORMAT ".",
                   name, minimum, maximum);
    return false;
}

void attestation_list(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    Verifier *verifier = context;
    g_auto(Reading) reading = {.agent_id = http_request_parameter(request, "agent_id")};
    g_autoptr(GError) error = NULL;
    if (!query_number(request, response, "page[limit]", 1, PAGE_LIMIT, PAGE_LIMIT,
                      &reading.limit) ||
        !query_number(request, response, "page[before]", 0, G_MAXINT64, G_MAXINT64,
                      &reading.before))
        return;
    if (!database_read(verifier->database, read_page, &reading, &error)) {
        database_trouble_api(response, request, error);
        return;
    }
    if (!reading.enrolled) {
        answer_not_enrolled(request, response, reading.agent_id);
        return;
    }
    const char *prefix = http_request_version_prefix(request);
    /* Logs can be large: they are shown with single attestations only. */
    Json *list = json_object_new_array_ext(MAX(1, (int)reading.records->len));
    for (guint i = 0; i < reading.records->len; i++)
        json_object_array_add(
            list, attestation_resource(g_ptr_array_index(reading.records, i), NULL, prefix));
    envelope_resource(response, request, 200, list, NULL);
}
