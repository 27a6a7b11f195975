/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exponential back-off with jitter (contract C59-C62, K19; README 3 rows 27, 28). Pure: randomness
 * is handed in, so that every delay can be tested.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
    gint64 initial_ms, cap_ms; /* initial <= cap */
    unsigned max_retries;
} BackoffRules;

/* Clamps initial to the cap; true when it had to (the caller warns). */
bool backoff_rules_make(gint64 initial_ms, gint64 cap_ms, unsigned max_retries, BackoffRules *out);

/*
 * Milliseconds before retry `retry` (0 = the first): min(cap, initial * 2^retry), spread uniformly
 * over [0.75, 1.25] of it but never above the cap. `random` is uniform in [0, 1).
 */
gint64 backoff_delay(const BackoffRules *rules, unsigned retry, double random);

/* Retry-After: 0 counts as 1 s, more than an hour as an hour (decision D85). In milliseconds. */
gint64 backoff_retry_after(gint64 seconds);
