/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How bad the failures of a verdict are: options severity_labels and severity_policy (ima §11,
 * configuration-and-operations §14.4).
 */
#pragma once

#include "config/config.h"
#include "policy/severity.h"

/* NULL and *error when an option cannot be used: no labels, an expression that is none. */
SeverityPolicy *failure_severity_load(const Config *config, GError **error);

/* The worst of a verdict's failures. */
typedef struct {
    gint64 level;         /* index in severity_labels, 0 is the least; -1 = no failure */
    const char *event_id; /* of the first failure of that level; borrowed */
} Severity;

/* Adds its `severity_label` to each failure. */
Severity failure_severity_judge(const SeverityPolicy *policy, Json *failures);
