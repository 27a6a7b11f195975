/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which notifications leave, where to, and for how long it is tried: section [revocations], and
 * what else of [verifier] is about them (decision D108).
 */
#pragma once

#include "base/timestamp.h"
#include "config/config.h"

/* The name of ZeroMQ among the destinations; the others are URLs. */
#define NOTIFICATION_ZEROMQ "zeromq"
/* Each has a thread of its own. */
#define NOTIFICATION_WEBHOOKS_MAX 16

/* Texts and lists borrow from the configuration. */
typedef struct {
    unsigned events;             /* bits of NotificationType that are sent */
    const char *const *webhooks; /* URLs, NULL-terminated; NULL or empty = none */
    bool zeromq;
    gint64 outbox_max; /* notifications */
    Timestamp max_age;
    gint64 max_attempts;      /* 0 = any number */
    Timestamp retry_interval; /* or its base, when `growing` */
    bool growing;
    unsigned growing_tries;
    Timestamp request_timeout;
} NotificationSettings;

void notification_settings_read(const Config *config, NotificationSettings *out);
/* For ConfigSchema.check: ways that are asked for but cannot be used. */
void notification_settings_check(const Config *config, GPtrArray *problems);
/* What an operator should know of them, in lines of the log. */
void notification_settings_report(const Config *config);

/* Nothing is to be written down: no way, or no event. */
bool notification_settings_are_off(const NotificationSettings *settings);

/* The wait after the given number of failed tries in a row (1, 2, ...): upstream's
 * `retry_interval` to the power of their number, which stops to grow after `growing_tries`. */
Timestamp notification_wait(const NotificationSettings *settings, gint64 failures);
/* The longest that notification_wait() gives. */
#define NOTIFICATION_WAIT_MAX (3600 * TIMESTAMP_SECOND)
