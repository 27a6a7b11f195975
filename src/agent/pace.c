/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/pace.h"

#define DIRECTIVE_MAX 86400

Pace pace_after_success(gint64 own, gint64 directive)
{
    if (directive < 0)
        return (Pace){own, false};
    gint64 verifier = CLAMP(directive, 1, DIRECTIVE_MAX);
    if (own < verifier)
        return (Pace){verifier, false};
    if (own < LATE_INTERVALS * verifier)
        return (Pace){own, false};
    return (Pace){verifier, true};
}

static gint64 doubled(gint64 value, unsigned times, gint64 limit)
{
    for (unsigned i = 0; i < times && value < limit; i++)
        value *= 2;
    return MIN(value, limit);
}

gint64 pace_after_failure(gint64 own, gint64 cap_ms, gint64 last_pace, unsigned failures_in_row)
{
    gint64 limit = MIN(own * 1000, cap_ms);
    if (last_pace <= 0)
        return limit;
    return doubled(last_pace * 1000, failures_in_row > 0 ? failures_in_row - 1 : 0, limit);
}

gint64 pace_after_unauthorised(gint64 own, unsigned in_row)
{
    return in_row <= 1 ? 0 : doubled(1000, in_row - 2, MAX(own * 1000, 1000));
}
