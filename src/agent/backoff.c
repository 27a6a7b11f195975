/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/backoff.h"

#define RETRY_AFTER_MAX_SECONDS 3600

bool backoff_rules_make(gint64 initial_ms, gint64 cap_ms, unsigned max_retries, BackoffRules *out)
{
    bool clamped = initial_ms > cap_ms;
    *out = (BackoffRules){MIN(initial_ms, cap_ms), cap_ms, max_retries};
    return clamped;
}

gint64 backoff_delay(const BackoffRules *rules, unsigned retry, double random)
{
    gint64 delay = rules->initial_ms;
    for (unsigned i = 0; i < retry && delay < rules->cap_ms; i++)
        delay *= 2;
    delay = MIN(delay, rules->cap_ms);
    gint64 spread = (gint64)((double)delay * (0.75 + 0.5 * random));
    return CLAMP(spread, 1, rules->cap_ms);
}

gint64 backoff_retry_after(gint64 seconds)
{
    return CLAMP(seconds, 1, RETRY_AFTER_MAX_SECONDS) * 1000;
}
