/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.revocation_notifier"
#include "verifier/notification/notification_settings.h"

#include "base/log.h"
#include "http/client.h"
#include "http/peer.h"
#include "verifier/notification/notification.h"

#include <math.h>

#define SECTION "revocations"
#define WAIT_MIN (TIMESTAMP_SECOND / 10)

static bool has_channel(const Config *config, const char *channel)
{
    return g_strv_contains(config_list(config, SECTION, "enabled_revocation_notifications"),
                           channel);
}

static Timestamp span_of(const Config *config, const char *option)
{
    return (Timestamp)llround(config_real(config, NULL, option) * TIMESTAMP_SECOND);
}

static unsigned events_of(const Config *config)
{
    unsigned events = 0;
    const char *const *named = config_list(config, SECTION, "notification_events");
    for (unsigned type = 0; type < NOTIFICATION_TYPES; type++) {
        if (g_strv_contains(named, notification_type_text((NotificationType)type)))
            events |= 1u << type;
    }
    return events;
}

void notification_settings_read(const Config *config, NotificationSettings *out)
{
    *out = (NotificationSettings){
        .events = events_of(config),
        .webhooks =
            has_channel(config, "webhook") ? config_list(config, SECTION, "webhook_url") : NULL,
        .zeromq = has_channel(config, "zeromq"),
        .outbox_max = config_int(config, SECTION, "notification_outbox_max"),
        .max_age = config_int(config, SECTION, "notification_max_age") * TIMESTAMP_SECOND,
        .max_attempts = config_int(config, SECTION, "notification_max_attempts"),
        .retry_interval = span_of(config, "retry_interval"),
        .growing = config_bool(config, NULL, "exponential_backoff"),
        .growing_tries = (unsigned)config_int(config, NULL, "max_retries"),
        .request_timeout = span_of(config, "request_timeout"),
    };
}

void notification_settings_check(const Config *config, GPtrArray *problems)
{
    if (config_was_refused(config, SECTION, "enabled_revocation_notifications") ||
        config_was_refused(config, SECTION, "webhook_url"))
        return;
    const char *const *urls = config_list(config, SECTION, "webhook_url");
    if (has_channel(config, "webhook") && !urls[0])
        config_add_problem(config, problems, SECTION, "webhook_url",
                           "must be set, as enabled_revocation_notifications names webhook");
    if (g_strv_length((char **)urls) > NOTIFICATION_WEBHOOKS_MAX)
        config_add_problem(config, problems, SECTION, "webhook_url",
                           "must be a list of at most 16 URLs");
    for (; *urls; urls++) {
        if (g_strv_contains(urls + 1, *urls)) {
            config_add_problem(config, problems, SECTION, "webhook_url",
                               "must not name the same URL twice");
            break;
        }
    }
#ifndef HAVE_ZEROMQ
    if (has_channel(config, "zeromq"))
        config_add_problem(config, problems, SECTION, "enabled_revocation_notifications",
                           "must not name zeromq: this program was built without libzmq");
#endif
}

void notification_settings_report(const Config *config)
{
    if (config_is_set(config, SECTION, "enabled_revocation_notifications") &&
        has_channel(config, "agent"))
        log_info("Option enabled_revocation_notifications: agent has no effect, as push agents do"
                 " not listen");
    const char *ip = config_text(config, SECTION, "zmq_ip");
    if (has_channel(config, "zeromq") && !peer_is_loopback(ip))
        log_warning("Option zmq_ip = %s: whoever reaches this address can read the notifications,"
                    " as ZeroMQ knows neither encryption nor users here",
                    ip);
    const char *const *url = config_list(config, SECTION, "webhook_url");
    for (; has_channel(config, "webhook") && *url; url++) {
        if (g_ascii_strncasecmp(*url, "http:", 5) == 0)
            log_warning("Option webhook_url: notifications leave without encryption to a http://"
                        " URL");
    }
}

bool notification_settings_are_off(const NotificationSettings *settings)
{
    return settings->events == 0 ||
           (!settings->zeromq && !(settings->webhooks && settings->webhooks[0]));
}

Timestamp notification_wait(const NotificationSettings *settings, gint64 failures)
{
    double base = (double)settings->retry_interval / TIMESTAMP_SECOND;
    double seconds = base;
    if (settings->growing && base > 1)
        seconds = pow(base, (double)CLAMP(failures, 1, (gint64)MAX(settings->growing_tries, 1)));
    double bounded = MIN(seconds, (double)NOTIFICATION_WAIT_MAX / TIMESTAMP_SECOND);
    return MAX((Timestamp)llround(bounded * TIMESTAMP_SECOND), WAIT_MIN);
}
