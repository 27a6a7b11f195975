/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often a peer may ask for sessions (decision D32): sliding windows for its address and for the
 * pair of address and agent id, so that no stranger can lock out an agent; and failed proofs for
 * each address, of IPv6 each /64 network. In memory, in a table of fixed size whose least recently
 * used entry gives way.
 */
#pragma once

#include "base/timestamp.h"
#include "verifier/settings.h"

typedef struct SessionLimits SessionLimits;

SessionLimits *session_limits_new(const VerifierSettings *settings);
void session_limits_free(SessionLimits *limits);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SessionLimits, session_limits_free)

/*
 * Count one request. 0: allowed and counted. Else refused and not counted: the whole seconds until
 * the oldest count leaves the window, at least 1, at most the window. Thread-safe.
 */
unsigned session_limits_count_address(SessionLimits *limits, const char *peer, Timestamp now);
/* As above for the pair; a refusal takes the address's count back. */
unsigned session_limits_count_agent(SessionLimits *limits, const char *peer, const char *agent_id,
                                    Timestamp now);
/* The request turned out to be an agent's: both counts are taken back. */
void session_limits_proven(SessionLimits *limits, const char *peer, const char *agent_id);

/* 0: a proof of this address may be looked at; else seconds to wait. */
unsigned session_limits_proofs_wait(SessionLimits *limits, const char *peer, Timestamp now);
void session_limits_count_failed_proof(SessionLimits *limits, const char *peer, Timestamp now);

/* Entries in the table, for tests. */
size_t session_limits_size(SessionLimits *limits);
