/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/verdict.h"

#include <string.h>

/* So many failures are told in the one line of a log. */
#define SUMMARY_MAX_FAILURES 3

const char *evaluation_text(Evaluation evaluation)
{
    switch (evaluation) {
    case EVALUATION_PASS:
        return "pass";
    case EVALUATION_FAIL:
        return "fail";
    case EVALUATION_PENDING:
        break;
    }
    return "pending";
}

Verdict *verdict_new(void)
{
    Verdict *verdict = g_new0(Verdict, 1);
    verdict->evaluation = EVALUATION_PASS;
    verdict->failures = json_object_new_array();
    verdict->warnings = g_ptr_array_new_with_free_func(g_free);
    return verdict;
}

void verdict_free(Verdict *verdict)
{
    if (!verdict)
        return;
    json_unref(verdict->failures);
    g_ptr_array_unref(verdict->warnings);
    g_free(verdict);
}

/* Events after which the evidence itself cannot be believed, rather than what it says be disliked
 * (verifier-push-api §7.2 "Reason mapping", decision D39). The misspelling is the wire's. */
static bool breaks_evidence(const char *event_id)
{
    static const char *const exact[] = {"qoute_validation.quote_validation", "ima.pcr_mismatch",
                                        "ima.log_restart_required", NULL};
    return g_strv_contains(exact, event_id) ||
           g_str_has_prefix(event_id, "measured_boot.invalid_pcr_");
}

bool verdict_keeps_more(const Verdict *verdict)
{
    return json_object_array_length(verdict->failures) < VERDICT_MAX_FAILURES;
}

void verdict_fail(Verdict *verdict, const char *event_id, Json *context)
{
    bool breaks = breaks_evidence(event_id);
    verdict->evaluation = EVALUATION_FAIL;
    verdict->failure_count++;
    verdict->broken_evidence |= breaks;
    if (!verdict_keeps_more(verdict) && !breaks) {
        json_unref(context);
        return;
    }
    Json *failure = json_object_new_object();
    json_add_text(failure, "event_id", event_id);
    json_add(failure, "context", context);
    if (verdict_keeps_more(verdict))
        json_object_array_add(verdict->failures, failure);
    else
        json_object_array_put_idx(verdict->failures, VERDICT_MAX_FAILURES - 1, failure);
}

void verdict_fail_message(Verdict *verdict, const char *event_id, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    Json *context = json_object_new_object();
    json_add_sentence(context, "message", message);
    verdict_fail(verdict, event_id, context);
}

void verdict_add(Verdict *verdict, const Verdict *other)
{
    size_t kept = json_object_array_length(other->failures);
    for (size_t i = 0; i < kept; i++) {
        Json *failure = json_object_array_get_idx(other->failures, i);
        verdict_fail(verdict, json_member_text(failure, "event_id"),
                     json_object_get(json_member(failure, "context")));
    }
    verdict->failure_count += other->failure_count - (guint)kept;
    for (guint i = 0; i < other->warnings->len; i++)
        verdict_warn(verdict, "%s", (const char *)g_ptr_array_index(other->warnings, i));
}

void verdict_warn(Verdict *verdict, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_ptr_array_add(verdict->warnings, g_strdup_vprintf(format, arguments));
    va_end(arguments);
}

const char *verdict_failure_reason(const Verdict *verdict)
{
    if (verdict->evaluation != EVALUATION_FAIL)
        return NULL;
    return verdict->broken_evidence ? "broken_evidence_chain" : "policy_violation";
}

char *verdict_summary(const Verdict *verdict)
{
    GString *line = g_string_new(NULL);
    guint shown = MIN(verdict->failure_count, SUMMARY_MAX_FAILURES);
    for (guint i = 0; i < shown; i++) {
        Json *failure = json_object_array_get_idx(verdict->failures, i);
        const char *message = json_member_text(json_member(failure, "context"), "message");
        g_string_append_printf(line, "%s%s", i > 0 ? "; " : "",
                               message ? message : json_member_text(failure, "event_id"));
    }
    if (verdict->failure_count > shown)
        g_string_append_printf(line, "; and %u more", verdict->failure_count - shown);
    return g_string_free(line, FALSE);
}
