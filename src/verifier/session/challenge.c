/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/session/challenge.h"

#include "base/encoding.h"
#include "base/secret.h"

#include <string.h>

#define ID_SIZE 16
/* What the codes cover: expiry, fraction, random. */
#define HEAD_SIZE 8
#define CODE_SIZE 4
#define FRACTIONS 256

typedef uint8_t IdBytes[ID_SIZE];

/* HMAC(secret, purpose, covered, agent id); each purpose has its own first byte. */
static void derive(const uint8_t *secret, char purpose, Bytes covered, const char *agent_id,
                   uint8_t out[SHA256_SIZE])
{
    g_autoptr(GByteArray) message = g_byte_array_sized_new(128);
    append_u8(message, (uint8_t)purpose);
    bytes_append(message, covered);
    bytes_append(message, bytes_of_text(agent_id));
    hmac_sha256(bytes_of(secret, SERVER_KEY_SIZE), bytes_of_array(message), out);
}

static void set_codes(const uint8_t *secret, const char *agent_id, IdBytes id)
{
    uint8_t code[SHA256_SIZE];
    derive(secret, 'i', bytes_of(id, HEAD_SIZE), NULL, code);
    memcpy(id + HEAD_SIZE, code, CODE_SIZE);
    id[8] = (id[8] & 0x3f) | 0x80; /* variant of RFC 4122 */
    derive(secret, 'a', bytes_of(id, HEAD_SIZE), agent_id, code);
    memcpy(id + HEAD_SIZE + CODE_SIZE, code, CODE_SIZE);
}

static void set_challenge(const uint8_t *secret, const char *agent_id, const IdBytes id,
                          uint8_t out[SESSION_CHALLENGE_SIZE])
{
    uint8_t code[SHA256_SIZE];
    derive(secret, 'p', bytes_of(id, ID_SIZE), agent_id, code);
    memcpy(out, code, SESSION_CHALLENGE_SIZE);
}

static void set_text(const IdBytes id, char out[SESSION_ID_LENGTH + 1])
{
    g_autofree char *hex = hex_encode(bytes_of(id, ID_SIZE));
    g_snprintf(out, SESSION_ID_LENGTH + 1, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
               hex + 16, hex + 20);
}

static bool read_text(const char *text, IdBytes out)
{
    if (strlen(text) != SESSION_ID_LENGTH)
        return false;
    g_autofree char *canonical = uuid_normalise(text);
    if (!canonical)
        return false;
    g_auto(GStrv) parts = g_strsplit(canonical, "-", -1);
    g_autofree char *hex = g_strjoinv("", parts);
    g_autoptr(GBytes) bytes = hex_decode(hex);
    if (!bytes || g_bytes_get_size(bytes) != ID_SIZE)
        return false;
    memcpy(out, g_bytes_get_data(bytes, NULL), ID_SIZE);
    return true;
}

static Timestamp expiry_of(const IdBytes id)
{
    gint64 seconds = ((gint64)id[0] << 24) | (id[1] << 16) | (id[2] << 8) | id[3];
    return seconds * TIMESTAMP_SECOND + id[4] * TIMESTAMP_SECOND / FRACTIONS;
}

void session_challenge_make(const uint8_t secret[SERVER_KEY_SIZE], const char *agent_id,
                            Timestamp expires, SessionChallenge *out)
{
    IdBytes id;
    guint32 seconds = (guint32)(expires / TIMESTAMP_SECOND);
    secret_random(id, HEAD_SIZE);
    id[0] = (uint8_t)(seconds >> 24);
    id[1] = (uint8_t)(seconds >> 16);
    id[2] = (uint8_t)(seconds >> 8);
    id[3] = (uint8_t)seconds;
    id[4] = (uint8_t)(expires % TIMESTAMP_SECOND * FRACTIONS / TIMESTAMP_SECOND);
    id[6] = (id[6] & 0x0f) | 0x40; /* version 4 */
    set_codes(secret, agent_id, id);
    set_text(id, out->id);
    out->expires = expiry_of(id);
    set_challenge(secret, agent_id, id, out->challenge);
}

SessionIdResult session_challenge_check(const ServerKeySet *keys, const char *id,
                                        const char *agent_id, SessionChallenge *out)
{
    IdBytes shown;
    if (!read_text(id, shown))
        return SESSION_ID_UNKNOWN;
    for (size_t i = 0; i < keys->count; i++) {
        IdBytes ours;
        memcpy(ours, shown, HEAD_SIZE);
        set_codes(keys->secret[i], agent_id, ours);
        if (!secret_equal(bytes_of(shown, HEAD_SIZE + CODE_SIZE),
                          bytes_of(ours, HEAD_SIZE + CODE_SIZE)))
            continue;
        if (!secret_equal(BYTES_OF_ARRAY(shown), BYTES_OF_ARRAY(ours)))
            return SESSION_ID_OTHER_AGENT;
        set_text(ours, out->id);
        out->expires = expiry_of(ours);
        set_challenge(keys->secret[i], agent_id, ours, out->challenge);
        return SESSION_ID_GENUINE;
    }
    return SESSION_ID_UNKNOWN;
}
