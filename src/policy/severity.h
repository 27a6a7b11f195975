/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How severe a failure is: labels and the rules that give them to events (ima §11). Immutable and
 * shared between threads.
 */
#pragma once

#include "base/json.h"

#define SEVERITY_ERROR (severity_error_quark())
typedef enum {
    SEVERITY_ERROR_LABELS, /* there are none */
    SEVERITY_ERROR_RULE,   /* of the wrong form, or its expression cannot be used */
} SeverityError;
GQuark severity_error_quark(void);

typedef struct SeverityPolicy SeverityPolicy;

/*
 * `labels`: lowest first, NULL-terminated, at least one. `rules`: array of {"event_id": expression,
 * "severity_label": label}; the first whose expression (Python's) matches a whole event id counts.
 * A label that is none of `labels` stands for the highest, as upstream has it.
 */
SeverityPolicy *severity_policy_new(const char *const *labels, Json *rules, GError **error);
SeverityPolicy *severity_policy_ref(const SeverityPolicy *policy);
void severity_policy_unref(SeverityPolicy *policy);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SeverityPolicy, severity_policy_unref)

/* Level of an event: index of its label. The highest when no rule matches, and for events from
 * which there is no recovery. */
guint severity_level(const SeverityPolicy *policy, const char *event_id, bool recoverable);
/* Borrowed. */
const char *severity_label(const SeverityPolicy *policy, guint level);
guint severity_highest(const SeverityPolicy *policy);
