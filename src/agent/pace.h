/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long to wait between cycles (contract C38, K4; decisions D84, D96). Pure.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* The verifier calls an agent late after this many of its intervals (verifier-push-api §8.2). */
#define LATE_INTERVALS 5

typedef struct {
    gint64 seconds;
    bool
        interval_too_long; /* the agent's own interval would miss the verifier's deadline: say so */
} Pace;

/*
 * After accepted evidence: `own` = attestation_interval_seconds W, `directive` = n of the verifier,
 * -1 when there is no usable one (0 counts as 1, more than 86400 as 86400).
 */
Pace pace_after_success(gint64 own, gint64 directive);

/*
 * After a failed cycle, in milliseconds: at most min(W, back-off cap). Once a cycle has succeeded
 * it begins at the last pace and doubles with each failure in a row, so that a short disturbance
 * does not end in a missed deadline.
 */
gint64 pace_after_failure(gint64 own, gint64 cap_ms, gint64 last_pace, unsigned failures_in_row);

/* After answer 401 number `in_row` (1 = the first): at once, then 1 s doubling to W (contract
 * C117). */
gint64 pace_after_unauthorised(gint64 own, unsigned in_row);
