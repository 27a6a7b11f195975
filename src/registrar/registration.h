/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registrations that wait for their proof, and what the proof does (decisions D15-D18). A committed
 * agent stays as it is until the right auth_tag swaps the new data in.
 */
#pragma once

#include "registrar/agent_record.h"

#define CHALLENGE_LIFETIME (300 * TIMESTAMP_SECOND)
#define CHALLENGES_PER_AGENT 4
#define WRONG_TAGS_PER_CHALLENGE 5
/* A client that lost the answer may send its tag again for so long. */
#define REPEAT_WINDOW (600 * TIMESTAMP_SECOND)

/*
 * Stores what `identity` claims for `agent_id` beside a challenge whose only right answer is `tag`.
 * Of more than CHALLENGES_PER_AGENT open ones the oldest go, those of the same `peer` first, so
 * that a stranger at another address does not push out the agent's.
 */
bool registration_stage(Database *database, const char *agent_id, const AgentIdentity *identity,
                        const char *tag, const char *peer, GError **error);

typedef enum {
    ACTIVATION_WRONG_TAG, /* nothing changed but the challenge's count */
    ACTIVATION_DONE,      /* the agent is what was staged */
    ACTIVATION_REPEATED,  /* the tag that activated it lately; nothing changed */
    ACTIVATION_UNKNOWN,   /* no agent, no registration */
    ACTIVATION_FORBIDDEN, /* meanwhile another TPM was activated under this id */
} ActivationResult;

/* Wrong tags count against the open challenges that were issued to the same `peer`. */
bool registration_activate(Database *database, const char *agent_id, const char *tag,
                           const char *peer, ActivationResult *result, GError **error);
