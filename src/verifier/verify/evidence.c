/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.verifier"
#include "base/log.h"
#include "http/envelope.h"
#include "verifier/reply.h"
#include "verifier/verifier.h"
#include "verifier/verify/routes.h"
#include "verifier/verify/submitted_evidence.h"

#define RESOURCE_TYPE "verification"

/* Where the two versions have the evidence, and how they call it. */
typedef struct {
    const char *type_member, *data_member;
    const char *pointer; /* of the members' object, in version 3 */
} Words;

static const Words words_v2 = {"type", "data", ""};
static const Words words_v3 = {"evidence_type", "evidence", "/data/attributes/"};

static const Words *words_of(const HttpRequest *request)
{
    return http_request_major(request) == 2 ? &words_v2 : &words_v3;
}

/* --- the request ------------------------------------------------------------------------------ */

/* The object with type and data; NULL when the answer is given. */
static Json *members_in(const HttpRequest *request, HttpResponse *response)
{
    Json *body = http_request_json(request);
    if (http_request_major(request) == 2)
        return body;
    Json *data = json_member_of_type(body, "data", json_type_object);
    Json *attributes = json_member_of_type(data, "attributes", json_type_object);
    if (!attributes) {
        reply_error(response, request, 400, NULL, "data must be a resource with attributes");
        return NULL;
    }
    if (g_strcmp0(json_member_text(data, "type"), RESOURCE_TYPE) != 0) {
        reply_error(response, request, 409, "/data/type",
                    "The resource's type must be '" RESOURCE_TYPE "'");
        return NULL;
    }
    return attributes;
}

static bool is_given(Json *value)
{
    const char *text = json_text(value);
    return value && !(text && *text == '\0');
}

G_GNUC_PRINTF(4, 5)
static void refuse_member(const HttpRequest *request, HttpResponse *response, const char *member,
                          const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *reason = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_autofree char *pointer = g_strconcat(words_of(request)->pointer, member, NULL);
    reply_error(response, request, 400, pointer, "%s", reason);
}

/* In upstream's order. NULL when the answer is given. */
static Json *evidence_in(const HttpRequest *request, HttpResponse *response)
{
    Json *members = members_in(request, response);
    if (!members)
        return NULL;
    const char *type_name = words_of(request)->type_member;
    const char *data_name = words_of(request)->data_member;
    Json *type = json_member(members, type_name);
    Json *data = json_member(members, data_name);
    if (!is_given(type))
        refuse_member(request, response, type_name, "missing parameter '%s'", type_name);
    else if (!is_given(data))
        refuse_member(request, response, data_name, "missing parameter '%s'", data_name);
    else if (g_strcmp0(json_text(type), "tpm") != 0)
        refuse_member(request, response, type_name, "invalid evidence type: only 'tpm' is judged");
    else if (!json_object_is_type(data, json_type_object))
        refuse_member(request, response, data_name, "parameter '%s' must be an object", data_name);
    else
        return data;
    return NULL;
}

/* --- the answer ------------------------------------------------------------------------------- */

/* {"valid", "claims", "failures"}; `claims` and `failures` are taken over, NULL = none. */
static Json *outcome_of(bool valid, Json *claims, Json *failures)
{
    Json *outcome = json_object_new_object();
    json_add_bool(outcome, "valid", valid);
    json_add(outcome, "claims", claims ? claims : json_object_new_object());
    json_add(outcome, "failures", failures ? failures : json_object_new_array());
    return outcome;
}

static Json *failure_of(const char *type, Json *context)
{
    Json *failure = json_object_new_object();
    json_add_text(failure, "type", type);
    json_add(failure, "context", context);
    return failure;
}

static Json *failures_of(const Verdict *verdict)
{
    Json *failures = json_object_new_array();
    size_t count = json_object_array_length(verdict->failures);
    for (size_t i = 0; i < count; i++) {
        Json *failure = json_object_array_get_idx(verdict->failures, i);
        json_object_array_add(failures,
                              failure_of(json_member_text(failure, "event_id"),
                                         json_object_get(json_member(failure, "context"))));
    }
    return failures;
}

/* Version 2 tells such an error as a verdict too. */
static void refuse_evidence(const HttpRequest *request, HttpResponse *response, const char *member,
                            const GError *error)
{
    if (http_request_major(request) != 2) {
        g_autofree char *pointer =
            g_strconcat("/data/attributes/evidence", member ? "/" : "", member, NULL);
        reply_error(response, request, 400, pointer, "%s", error->message);
        return;
    }
    g_autofree char *type = g_strconcat("default.", submitted_error_event(error), NULL);
    Json *context = json_object_new_object();
    json_add_sentence(context, "message", error->message);
    Json *failures = json_object_new_array();
    json_object_array_add(failures, failure_of(type, context));
    envelope_v2(response, 400, "Bad Request", outcome_of(false, NULL, failures));
}

static void answer(const HttpRequest *request, HttpResponse *response, Json *data,
                   const char *quote, const Verdict *verdict)
{
    bool valid = verdict->evaluation == EVALUATION_PASS;
    Json *outcome = outcome_of(valid, valid ? json_object_get(data) : NULL, failures_of(verdict));
    if (http_request_major(request) == 2) {
        envelope_v2(response, 200, "Success", outcome);
        return;
    }
    /* Nothing is stored that could have an id: the same quote has the same. */
    g_autofree char *id = g_compute_checksum_for_string(G_CHECKSUM_SHA256, quote, -1);
    Json *resource = json_object_new_object();
    json_add_text(resource, "type", RESOURCE_TYPE);
    json_add_text(resource, "id", id);
    json_add(resource, "attributes", outcome);
    envelope_resource(response, request, 200, resource, NULL);
}

static void log_verdict(const HttpRequest *request, const Verdict *verdict)
{
    g_autofree char *summary = verdict_summary(verdict);
    log_info("Evidence submitted by %s: %s%s%s", http_request_peer(request),
             evaluation_text(verdict->evaluation), *summary ? ": " : "", summary);
}

void verify_evidence(const HttpRequest *request, HttpResponse *response, gpointer context)
{
    const Verifier *verifier = context;
    Json *data = evidence_in(request, response);
    if (!data)
        return;
    g_auto(SubmittedEvidence) evidence = {0};
    const char *member = NULL;
    g_autoptr(GError) error = NULL;
    if (!submitted_evidence_read(data, verifier->settings.boot_rules, &evidence, &member, &error)) {
        refuse_evidence(request, response, member, error);
        return;
    }
    g_autoptr(Verdict) verdict = submitted_evidence_appraise(&evidence, &verifier->settings);
    log_verdict(request, verdict);
    answer(request, response, data, evidence.quote, verdict);
}
