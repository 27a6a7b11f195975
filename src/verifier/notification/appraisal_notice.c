/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/notification/appraisal_notice.h"

#include "verifier/notification/outbox.h"

/* The failure that the agent's record shows, with its severity and what is known of it. */
static void describe_failure(const AppraisalResult *result, OutboxEvent *event, char **context)
{
    Json *failures = result->verdict->failures;
    event->event_id = appraisal_worst_event(result);
    for (size_t i = 0; i < json_object_array_length(failures); i++) {
        Json *failure = json_object_array_get_idx(failures, i);
        if (g_strcmp0(json_member_text(failure, "event_id"), event->event_id) != 0)
            continue;
        Json *details = json_member(failure, "context");
        *context = details ? json_to_python_text(details) : NULL;
        event->context = *context;
        event->severity_label = json_member_text(failure, "severity_label");
        return;
    }
}

bool appraisal_notify(Connection *connection, const VerifierSettings *settings,
                      AppraisalResult *const *results, guint count, Timestamp now, GError **error)
{
    g_autoptr(GArray) events = g_array_new(FALSE, FALSE, sizeof(OutboxEvent));
    g_autoptr(GPtrArray) contexts = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < count; i++) {
        const AppraisalResult *result = results[i];
        if (!result->applied || result->change == STATUS_KEPT)
            continue;
        OutboxEvent event = {.type = result->change == STATUS_FAILED ? NOTIFICATION_REVOCATION
                                                                     : NOTIFICATION_RECOVERED,
                             .agent_id = result->job->agent_id};
        char *context = NULL;
        if (result->change == STATUS_FAILED)
            describe_failure(result, &event, &context);
        g_ptr_array_add(contexts, context);
        g_array_append_val(events, event);
    }
    return outbox_add(connection, &settings->notifications, (const OutboxEvent *)events->data,
                      events->len, now, error);
}
