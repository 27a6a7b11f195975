/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What receivers of notifications are told (configuration-and-operations §14.2, decision D108):
 * upstream's message, and `event_sequence`. Pure.
 */
#pragma once

#include "base/json.h"
#include "base/timestamp.h"

typedef enum {
    NOTIFICATION_REVOCATION, /* an agent's status is FAIL now */
    NOTIFICATION_COMM_ERROR, /* ... TIMEOUT */
    NOTIFICATION_RECOVERED,  /* ... PASS, after one of these */
    NOTIFICATION_ENROLLED,
    NOTIFICATION_DELETED,
} NotificationType;
#define NOTIFICATION_TYPES 5

/* Static words; the second is NULL-terminated and in the order of the types. */
const char *notification_type_text(NotificationType type);
extern const char *const notification_type_words[];

/* Texts are borrowed. */
typedef struct {
    NotificationType type;
    gint64 sequence; /* of all notifications of one database; grows, and tells a repetition */
    Timestamp time;
    const char *agent_id;
    const char *tpm_policy, *meta_data;              /* JSON texts */
    const char *event_id, *severity_label, *context; /* the failure; each NULL = not known */
} Notification;

/* The JSON text that is signed: byte for byte in the form of Python's json.dumps. Newly allocated.
 */
char *notification_message(const Notification *notification);

/* The body of a request, or of a ZeroMQ message. `signature` "" = not signed. Newly allocated. */
char *notification_body(const char *message, const char *signature);
