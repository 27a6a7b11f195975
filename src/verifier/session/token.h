/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bearer tokens: `<session id>.<43 characters base64url>` (verifier-push-api §4.4, decision D34).
 * Only the SHA-256 of the 32 secret bytes is kept; 256 random bits need no slow hash.
 */
#pragma once

#include "base/bytes.h"

#define TOKEN_HASH_SIZE 32

/* A new token of the session; *hash is what to store. Free with secret_free_text(). */
char *token_make(const char *session_id, uint8_t hash[TOKEN_HASH_SIZE]);

/* Session id (newly allocated, lower case) and hash of a token; false when it is none of ours. */
bool token_parse(const char *token, char **session_id, uint8_t hash[TOKEN_HASH_SIZE]);
