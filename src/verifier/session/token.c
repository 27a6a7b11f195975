/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/session/token.h"

#include "base/encoding.h"
#include "base/secret.h"

#include <string.h>

#define SECRET_SIZE 32
#define SECRET_LENGTH 43
#define SESSION_ID_LENGTH 36

char *token_make(const char *session_id, uint8_t hash[TOKEN_HASH_SIZE])
{
    uint8_t secret[SECRET_SIZE];
    secret_random(secret, sizeof secret);
    sha256(BYTES_OF_ARRAY(secret), hash);
    char *text = base64url_encode(BYTES_OF_ARRAY(secret));
    char *token = g_strconcat(session_id, ".", text, NULL);
    secret_free_text(text);
    secret_wipe(secret, sizeof secret);
    return token;
}

/* 43 characters of the URL alphabet are 32 bytes; base64_decode() is strict about the rest. */
static GBytes *decode_secret(const char *text)
{
    if (strlen(text) != SECRET_LENGTH || strpbrk(text, "+/="))
        return NULL;
    char standard[SECRET_LENGTH + 2];
    memcpy(standard, text, SECRET_LENGTH);
    standard[SECRET_LENGTH] = '=';
    standard[SECRET_LENGTH + 1] = '\0';
    for (char *c = standard; *c; c++)
        *c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
    GBytes *secret = base64_decode(standard);
    secret_wipe(standard, sizeof standard);
    return secret;
}

bool token_parse(const char *token, char **session_id, uint8_t hash[TOKEN_HASH_SIZE])
{
    *session_id = NULL;
    const char *dot = strchr(token, '.');
    if (!dot || dot - token != SESSION_ID_LENGTH)
        return false;
    g_autoptr(GBytes) secret = decode_secret(dot + 1);
    if (!secret || g_bytes_get_size(secret) != SECRET_SIZE)
        return false;
    g_autofree char *id = g_strndup(token, SESSION_ID_LENGTH);
    *session_id = uuid_normalise(id);
    if (!*session_id)
        return false;
    sha256(bytes_of_gbytes(secret), hash);
    return true;
}
