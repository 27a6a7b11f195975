/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Agents that nobody has heard from for `stale_agent_after`: warned about, stopped and emptied, or
 * deleted, as `stale_agent_action` says. Never is one called failed for that.
 *
 * Only silence that a verifier could have heard counts. After none ran for long, or the clock was
 * set, the time starts anew for every agent.
 */
#pragma once

#include "verifier/verifier.h"

/* Looked for at a time. */
#define STALE_AGENTS_AT_ONCE 100

/* Rounds that lie further apart start the time anew. */
Timestamp stale_agents_gap(const VerifierSettings *settings);

/* Agents of this verifier's uuid as of `now`; each is told in the log. */
bool stale_agents_handle(Verifier *verifier, Timestamp now, GError **error);
