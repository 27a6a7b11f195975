/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of the session routes: proof of possession for a bearer token (verifier-push-api §4;
 * push-agent §8.1, §19.4, §19.5). Pure.
 */
#pragma once

#include "base/json.h"

/* Newly allocated, compact. */
char *session_request_write(const char *agent_id);

typedef struct {
    char *session_id;
    GBytes *challenge;
} SessionChallenge;
void session_challenge_clear(SessionChallenge *challenge);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SessionChallenge, session_challenge_clear)

/* Takes the request of class `pop` and type `tpm_pop`; MESSAGE_ERROR when there is none. */
bool session_challenge_read(Json *body, SessionChallenge *out, GError **error);

char *session_proof_write(const char *agent_id, const char *session_id, Bytes message,
                          Bytes signature);

/* `evaluation` and, when it is `pass`, the token. Both newly allocated; MESSAGE_ERROR. The caller
 * wipes the token. */
bool session_result_read(Json *body, char **evaluation, char **token, GError **error);
