/* SPDX-License-Identifier: Apache-2.0 */
/* Bearer tokens and session ids from strangers. */
#include "verifier/session/challenge.h"
#include "verifier/session/token.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = size > 0 ? g_strndup((const char *)data, size) : g_strdup("");
    uint8_t hash[TOKEN_HASH_SIZE];
    g_autofree char *session_id = NULL;
    if (token_parse(text, &session_id, hash))
        g_assert(strlen(session_id) == SESSION_ID_LENGTH && strlen(text) == 80);
    ServerKeySet keys = {.count = 2};
    SessionChallenge challenge;
    g_assert(session_challenge_check(&keys, text, "agent", &challenge) != SESSION_ID_GENUINE ||
             strlen(text) == SESSION_ID_LENGTH);
    return 0;
}
