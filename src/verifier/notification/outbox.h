/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Notifications on their way (tables `notifications`, `deliveries`, `destinations`): written in the
 * transaction that makes them true, kept until each destination has them or they are too old.
 *
 * A destination is served by one process at a time, which has its lease; a process that dies leaves
 * a lease that ends. So each notification arrives at least once, and twice only when a process died
 * between the receiver's answer and the commit that follows it. Failed tries and the wait after
 * them are rows, too: they outlive a restart.
 */
#pragma once

#include "store/database.h"
#include "verifier/notification/notification.h"
#include "verifier/notification/notification_settings.h"

/* --- writing down ---------------------------------------------------------------------------- */

/* Texts are borrowed; NULL = not known. */
typedef struct {
    NotificationType type;
    const char *agent_id;
    const char *event_id, *severity_label, *context;
} OutboxEvent;

/*
 * Within the transaction that makes the events true, last in it: all transactions that do this wait
 * for each other's end. What is about the agent (its policy, its metadata, its key) is read here,
 * so its rows must be there still. Does nothing for events that nobody is told of. Never holds more
 * than `outbox_max`: the oldest leave.
 */
bool outbox_add(Connection *connection, const NotificationSettings *settings,
                const OutboxEvent *events, guint count, Timestamp now, GError **error);

/* --- delivering ------------------------------------------------------------------------------ */

typedef struct {
    const char *name;   /* URL, or NOTIFICATION_ZEROMQ */
    const char *holder; /* who we are: unique among the processes */
    Timestamp lease;    /* the longest that one delivery may take */
} OutboxDestination;

typedef struct {
    gint64 sequence;
    char *type, *agent_id, *message;
    char *signing_key; /* or NULL */
    Timestamp created_at;
    gint64 failures; /* of the destination: failed tries in a row, so far */
} OutboxItem;
void outbox_item_free(OutboxItem *item);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OutboxItem, outbox_item_free)

/*
 * Takes or keeps the destination's lease and says what is to be delivered next: what was refused
 * least, then the oldest. *out NULL: nothing, or not yet, or another process is at it. An idle
 * destination costs a read.
 */
bool outbox_take(Database *database, const OutboxDestination *destination, Timestamp now,
                 OutboxItem **out, GError **error);

/* The receiver has it. */
bool outbox_delivered(Database *database, const OutboxDestination *destination,
                      const OutboxItem *item, GError **error);

typedef struct {
    bool answered;       /* by an error: counts for this notification, and others go first */
    gint64 max_attempts; /* 0 = any number */
    Timestamp due;       /* the next try */
    bool given_up;       /* set: it will not be tried again */
} OutboxFailure;
bool outbox_failed(Database *database, const OutboxDestination *destination, const OutboxItem *item,
                   OutboxFailure *failure, GError **error);

/* Gives the lease back, when a process ends or what it took could not be tried. */
bool outbox_release(Database *database, const OutboxDestination *destination, GError **error);

/* --- housekeeping ---------------------------------------------------------------------------- */

/* Drops what is older than `max_age`; *lost are lines about each delivery that will not happen
 * (array of char*), and about what outbox_add() dropped since the last time. */
bool outbox_expire(Database *database, const NotificationSettings *settings, Timestamp now,
                   GPtrArray **lost, GError **error);
