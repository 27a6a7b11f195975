/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/notification/notification.h"

#include <string.h>
#include <time.h>

const char *const notification_type_words[] = {"revocation", "comm_error", "recovered",
                                               "enrolled",   "deleted",    NULL};
G_STATIC_ASSERT(G_N_ELEMENTS(notification_type_words) == NOTIFICATION_TYPES + 1);

const char *notification_type_text(NotificationType type)
{
    return notification_type_words[type];
}

/* C's asctime() in local time, without its line feed: "Mon Nov 23 17:25:10 2026". */
static void add_event_time(Json *message, Timestamp time)
{
    time_t seconds = (time_t)(time / TIMESTAMP_SECOND);
    struct tm parts;
    char text[26] = "";
    if (localtime_r(&seconds, &parts) && asctime_r(&parts, text))
        text[strcspn(text, "\n")] = '\0';
    json_add_text(message, "event_time", text);
}

static void add_if_known(Json *message, const char *name, const char *text)
{
    if (text)
        json_add_text(message, name, text);
}

char *notification_message(const Notification *notification)
{
    g_autoptr(Json) message = json_object_new_object();
    json_add_text(message, "type", notification_type_text(notification->type));
    json_add_null(message, "ip"); /* nobody connects to a push agent */
    json_add_text(message, "agent_id", notification->agent_id);
    json_add_null(message, "port");
    json_add_text(message, "tpm_policy", notification->tpm_policy);
    json_add_text(message, "meta_data", notification->meta_data);
    add_event_time(message, notification->time);
    add_if_known(message, "event_id", notification->event_id);
    add_if_known(message, "severity_label", notification->severity_label);
    add_if_known(message, "context", notification->context);
    json_add_int(message, "event_sequence", notification->sequence);
    return json_to_python_text(message);
}

char *notification_body(const char *message, const char *signature)
{
    g_autoptr(Json) body = json_object_new_object();
    json_add_text(body, "msg", message);
    json_add_text(body, "signature", signature);
    return json_to_python_text(body);
}
