/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/register_message.h"

#include "base/encoding.h"

#include <string.h>

#define IP_TEXT_MAX 255 /* a host name's limit; decision D24 */

/* NULL for absent, null and empty; *good becomes false for another type. */
static const char *optional_text(Json *body, const char *name, bool *good)
{
    Json *value = json_member(body, name);
    const char *text = json_text(value);
    if (value && !text)
        *good = false;
    return text && *text ? text : NULL;
}

static bool text_member(Json *body, const char *name, const char **out, char **reason)
{
    bool good = true;
    *out = optional_text(body, name, &good);
    if (!good)
        *reason = g_strdup_printf("%s must be a text", name);
    return good;
}

/* Base64; what is none may be hexadecimal, as upstream reads it. */
static GBytes *decode(const char *text)
{
    GBytes *bytes = base64_decode(text);
    if (!bytes)
        bytes = hex_decode(g_str_has_prefix(text, "0x") ? text + 2 : text);
    return bytes;
}

static bool binary_member(Json *body, const char *name, GBytes **out, char **reason)
{
    bool good = true;
    const char *text = optional_text(body, name, &good);
    if (text)
        *out = decode(text);
    if (good && (!text || *out))
        return true;
    *reason = g_strdup_printf("%s must be valid binary (base64)", name);
    return false;
}

static bool port_member(Json *body, RegisterMessage *out, char **reason)
{
    Json *value = json_member(body, "port");
    const char *text = json_text(value);
    if (!value || (text && !*text))
        return true;
    out->has_port = json_member_int(body, "port", true, &out->port);
    if (out->has_port && out->port >= 1 && out->port <= 65535)
        return true;
    *reason = g_strdup("port must be a whole number from 1 to 65535, or null");
    return false;
}

static bool ip_member(Json *body, RegisterMessage *out, char **reason)
{
    if (!text_member(body, "ip", &out->ip, reason))
        return false;
    if (!out->ip || strlen(out->ip) <= IP_TEXT_MAX)
        return true;
    *reason =
        g_strdup_printf("ip must be an address or host name of at most %d bytes", IP_TEXT_MAX);
    return false;
}

bool register_message_parse(Json *body, RegisterMessage *out, char **reason)
{
    *out = (RegisterMessage){0};
    return binary_member(body, "ek_tpm", &out->ek_tpm, reason) &&
           binary_member(body, "aik_tpm", &out->aik_tpm, reason) &&
           text_member(body, "ekcert", &out->ekcert, reason) &&
           binary_member(body, "iak_tpm", &out->iak_tpm, reason) &&
           text_member(body, "iak_cert", &out->iak_cert, reason) &&
           binary_member(body, "idevid_tpm", &out->idevid_tpm, reason) &&
           text_member(body, "idevid_cert", &out->idevid_cert, reason) &&
           binary_member(body, "iak_attest", &out->iak_attest, reason) &&
           binary_member(body, "iak_sign", &out->iak_sign, reason) &&
           text_member(body, "mtls_cert", &out->mtls_cert, reason) &&
           ip_member(body, out, reason) && port_member(body, out, reason);
}

void register_message_clear(RegisterMessage *message)
{
    GBytes *owned[] = {message->ek_tpm,     message->aik_tpm,    message->iak_tpm,
                       message->idevid_tpm, message->iak_attest, message->iak_sign};
    for (guint i = 0; i < G_N_ELEMENTS(owned); i++) {
        if (owned[i])
            g_bytes_unref(owned[i]);
    }
    *message = (RegisterMessage){0};
}

Json *register_message_answer(Bytes blob)
{
    Json *answer = json_object_new_object();
    json_add_base64(answer, "blob", blob);
    return answer;
}
