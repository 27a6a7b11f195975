/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Session ids and challenges that nobody has to remember: both are made from the server key, so
 * that an anonymous request leaves nothing behind (decision D31, verifier-push-api §4.1).
 *
 * An id is a version 4 UUID: expiry in seconds (4 bytes) and its fraction (1), random (3), a code
 * that the server made this id (4), a code that it made it for this agent (4). The two codes are
 * apart so that an id shown for another agent is told from one that was made up (400 against 404).
 * Neither code carries the proof: that is the challenge, 16 bytes that only the server key can
 * derive.
 */
#pragma once

#include "base/timestamp.h"
#include "verifier/server_keys.h"

#define SESSION_CHALLENGE_SIZE 16
#define SESSION_ID_LENGTH 36

typedef struct {
    char id[SESSION_ID_LENGTH + 1];
    Timestamp expires; /* in steps of 1/256 second */
    uint8_t challenge[SESSION_CHALLENGE_SIZE];
} SessionChallenge;

/* A new one, good until `expires` (rounded down to the step). */
void session_challenge_make(const uint8_t secret[SERVER_KEY_SIZE], const char *agent_id,
                            Timestamp expires, SessionChallenge *out);

typedef enum {
    SESSION_ID_UNKNOWN,     /* no id of ours, or of a key that is gone */
    SESSION_ID_OTHER_AGENT, /* ours, but made for another agent */
    SESSION_ID_GENUINE,
} SessionIdResult;

/* Derives the challenge again; *out is filled only when GENUINE. Expiry is the caller's to judge.
 */
SessionIdResult session_challenge_check(const ServerKeySet *keys, const char *id,
                                        const char *agent_id, SessionChallenge *out);
