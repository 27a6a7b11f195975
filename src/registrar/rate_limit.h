/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registrations a minute from one address: a token bucket each (decision D24). Thread-safe; memory
 * is bounded, the least recent address is forgotten first.
 */
#pragma once

#include "base/timestamp.h"

typedef struct RateLimit RateLimit;

/* `per_minute` 0 = everything passes. */
RateLimit *rate_limit_new(unsigned per_minute);
void rate_limit_free(RateLimit *limit);

/* Takes a token of `peer` (an address text; IPv6 counts by its /64 network). When there is none:
 * false, and *retry_after is the whole seconds until there is one, at least 1. `now`: any clock
 * that does not go back. */
bool rate_limit_take(RateLimit *limit, const char *peer, Timestamp now, guint64 *retry_after);
