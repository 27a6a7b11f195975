/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Points in time: microseconds since 1970-01-01 UTC in a 64-bit integer, and their texts.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Microseconds since the epoch, UTC. 0 stands for "never" wherever a time may be absent. */
typedef gint64 Timestamp;

#define TIMESTAMP_SECOND G_GINT64_CONSTANT(1000000)

Timestamp timestamp_now(void);

/* RFC 3339 with six decimals and `+00:00`, the form of the push API (verifier-push-api §5.1).
 * Newly allocated. */
char *timestamp_format(Timestamp time);

/*
 * RFC 3339 / ISO 8601 with any offset (`Z` included; without one, UTC), or Unix seconds as decimal
 * text. False when it is none of these.
 */
bool timestamp_parse(const char *text, Timestamp *out);
