/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/message_registration.h"

#include "base/encoding.h"

#include <string.h>

G_DEFINE_QUARK(keylime - message - error, message_error)

bool message_lacks(GError **error, const char *what, const char *member)
{
    g_set_error(error, MESSAGE_ERROR, MESSAGE_ERROR_MALFORMED, "the %s has no usable %s", what,
                member);
    return false;
}

static void add_optional(Json *object, const char *name, Bytes value)
{
    if (value.size > 0)
        json_add_base64(object, name, value);
}

/* Certificates of the device identity are always present, as null when there are none (§6.1). */
static void add_certificate(Json *object, const char *name, Bytes der)
{
    if (der.size > 0)
        json_add_base64(object, name, der);
    else
        json_add_null(object, name);
}

char *registration_request_write(const RegistrationRequest *request)
{
    g_autoptr(Json) body = json_object_new_object();
    json_add_base64(body, "aik_tpm", request->ak_public);
    json_add_base64(body, "ek_tpm", request->ek_public);
    /* Absent, not empty: an empty one after a certificate was registered reads as another identity.
     */
    if (request->ek_certificates)
        json_add_text(body, "ekcert", request->ek_certificates);
    add_optional(body, "iak_attest", request->iak_attest);
    add_certificate(body, "iak_cert", request->iak_certificate);
    add_optional(body, "iak_sign", request->iak_signature);
    add_optional(body, "iak_tpm", request->iak_public);
    add_certificate(body, "idevid_cert", request->idevid_certificate);
    add_optional(body, "idevid_tpm", request->idevid_public);
    json_add_text(body, "ip", request->contact_ip);
    json_add_text(body, "mtls_cert", "disabled");
    json_add_int(body, "port", request->contact_port);
    return json_to_text(body);
}

GBytes *registration_answer_read(Json *body, GError **error)
{
    const char *text = json_member_text(json_member(body, "results"), "blob");
    g_autoptr(GBytes) blob = text ? base64_decode(text) : NULL;
    if (!blob || g_bytes_get_size(blob) == 0) {
        message_lacks(error, "registrar's answer", "results.blob");
        return NULL;
    }
    return g_steal_pointer(&blob);
}

char *activation_request_write(const char *auth_tag)
{
    g_autoptr(Json) body = json_object_new_object();
    json_add_text(body, "auth_tag", auth_tag);
    return json_to_text(body);
}

bool activation_answer_read(Json *body, GError **error)
{
    gint64 code;
    return json_member_int(body, "code", false, &code) ||
           message_lacks(error, "registrar's answer", "code");
}

const char **version_answer_read(Json *body, GError **error)
{
    const char **supported = json_member_texts(json_member(body, "results"), "supported_versions");
    if (!supported)
        message_lacks(error, "answer to GET /version", "results.supported_versions");
    return supported;
}

/* "2.6" -> 2006; -1 for another text. */
static int version_number(const char *text)
{
    char *end = NULL;
    guint64 major = g_ascii_strtoull(text, &end, 10);
    if (end == text || *end != '.' || major > 99)
        return -1;
    const char *rest = end + 1;
    guint64 minor = g_ascii_strtoull(rest, &end, 10);
    return end == rest || *end || minor > 999 ? -1 : (int)(major * 1000 + minor);
}

static bool is_offered(const char *const *offered, const char *version)
{
    return !offered || g_strv_contains(offered, version);
}

const char *version_choose(char *const *wanted, const char *const *offered)
{
    const char *best = NULL, *third = NULL;
    for (guint i = 0; wanted[i]; i++) {
        int number = version_number(wanted[i]);
        if (!is_offered(offered, wanted[i]) || number < 0)
            continue;
        if (number >= 3000)
            third = wanted[i];
        else if (!best || number > version_number(best))
            best = wanted[i];
    }
    return best ? best : third;
}
