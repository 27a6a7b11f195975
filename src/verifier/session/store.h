/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables `sessions` and `consumed_sessions`: at most one token for each agent, bound to the AK that
 * proved itself, and the session ids that a proof has used up (decisions D31, D34, D35).
 */
#pragma once

#include "store/database.h"
#include "verifier/session/challenge.h"
#include "verifier/session/token.h"
#include "verifier/verifier.h"

typedef enum {
    SESSION_OPENED,
    SESSION_CONSUMED,    /* this id has been used already */
    SESSION_NOT_ENROLLED /* meanwhile: no such agent with this AK */
} SessionOpenResult;

typedef struct {
    const char *agent_id;
    const SessionChallenge *challenge;
    Bytes ak_name;
    const uint8_t *token_hash; /* TOKEN_HASH_SIZE bytes */
    Timestamp now, expires;
    SessionOpenResult result; /* set by session_store_open() */
} SessionOpening;

/* Inside a write: uses the id up and replaces the agent's token. */
bool session_store_open(Connection *connection, SessionOpening *opening, GError **error);

/* *consumed: a proof has used this id up. */
bool session_store_is_consumed(Connection *connection, const char *session_id, bool *consumed,
                               GError **error);

/* Inside a write: deletes at most `limit` expired tokens, and as many ids of challenges that nobody
 * could use again. */
bool session_store_purge(Connection *connection, Timestamp now, gint64 limit, guint64 *tokens,
                         guint64 *ids, GError **error);

/*
 * HttpTokenCheck of the verifier (http/server.h); `context` is the Verifier. A token is good until
 * it expires, while its agent is not enrolled (the route answers 404 then) or enrolled with the
 * same AK; a token of another AK is deleted.
 */
bool session_store_check_token(const char *token, char **agent_id, const char **detail,
                               gpointer context);
