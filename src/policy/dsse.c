/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/dsse.h"

#include "base/encoding.h"
#include "policy/ecdsa.h"
#include "policy/openssl.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

G_DEFINE_QUARK(dsse - error - quark, dsse_error)

const DsseRules dsse_rules_upstream = {.accept_hex = true, .accept_any_type = true};
const DsseRules dsse_rules_default = {0};

static bool form_error(GError **error, const char *reason)
{
    g_set_error(error, DSSE_ERROR, DSSE_ERROR_FORM, "signed policy: %s", reason);
    return false;
}

/* URL alphabet with complete padding; NULL for anything else. */
static GBytes *padded_base64url_decode(const char *text)
{
    if (strpbrk(text, "+/"))
        return NULL;
    g_autofree char *standard = g_strdup(text);
    g_strdelimit(standard, "-", '+');
    g_strdelimit(standard, "_", '/');
    return base64_decode(standard);
}

/* A text member's bytes; NULL when it has none of the forms. */
static GBytes *decode(const char *text, const DsseRules *rules)
{
    GBytes *bytes = rules->accept_hex && *text ? hex_decode(text) : NULL;
    if (!bytes)
        bytes = base64_decode(text);
    return bytes ? bytes : padded_base64url_decode(text);
}

bool dsse_is_envelope(Json *object)
{
    return json_is_truthy(json_member(object, "payload"));
}

GBytes *dsse_payload(Json *envelope, const DsseRules *rules, GError **error)
{
    const char *text = json_member_text(envelope, "payload");
    GBytes *payload = text ? decode(text, rules) : NULL;
    if (!payload)
        form_error(error, "payload is no base64 text");
    return payload;
}

GBytes *dsse_signed_bytes(const char *payload_type, Bytes payload)
{
    g_autofree char *head = g_strdup_printf("DSSEv1 %ld %s %zu ", g_utf8_strlen(payload_type, -1),
                                            payload_type, payload.size);
    GByteArray *signed_bytes = g_byte_array_new();
    bytes_append(signed_bytes, bytes_of_text(head));
    bytes_append(signed_bytes, payload);
    return g_byte_array_free_to_bytes(signed_bytes);
}

static bool check_key(EVP_PKEY *key, GError **error)
{
    if (EVP_PKEY_is_a(key, "EC"))
        return true;
    g_set_error_literal(error, DSSE_ERROR, DSSE_ERROR_KEY,
                        "signed policy: only EC keys sign and verify policies");
    return false;
}

bool dsse_verify(Json *envelope, EVP_PKEY *key, const DsseRules *rules, GError **error)
{
    const char *type = json_member_text(envelope, "payloadType");
    Json *signatures = json_member_of_type(envelope, "signatures", json_type_array);
    if (!type || !signatures)
        return form_error(error, type ? "signatures is no array" : "payloadType is no text");
    if (!rules->accept_any_type && strcmp(type, DSSE_POLICY_TYPE) != 0)
        return form_error(error, "payloadType is not " DSSE_POLICY_TYPE);
    if (!check_key(key, error))
        return false;
    g_autoptr(GBytes) payload = dsse_payload(envelope, rules, error);
    if (!payload)
        return false;
    g_autoptr(GBytes) data = dsse_signed_bytes(type, bytes_of_gbytes(payload));
    for (size_t i = 0; i < json_object_array_length(signatures); i++) {
        const char *text = json_member_text(json_object_array_get_idx(signatures, i), "sig");
        g_autoptr(GBytes) signature = text ? decode(text, rules) : NULL;
        if (signature &&
            ecdsa_signature_is_by(key, bytes_of_gbytes(data), bytes_of_gbytes(signature)))
            return true;
    }
    g_set_error_literal(error, DSSE_ERROR, DSSE_ERROR_SIGNATURE,
                        "signed policy: no signature is by the given key");
    return false;
}

static GBytes *sign_bytes(EVP_PKEY *key, Bytes data)
{
    g_autoptr(EVP_MD_CTX) context = EVP_MD_CTX_new();
    size_t size = 0;
    if (EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) != 1 ||
        EVP_DigestSign(context, NULL, &size, data.data, data.size) != 1)
        return NULL;
    g_autofree uint8_t *signature = g_malloc(size);
    if (EVP_DigestSign(context, signature, &size, data.data, data.size) != 1)
        return NULL;
    return g_bytes_new_take(g_steal_pointer(&signature), size);
}

char *dsse_sign(const char *payload_type, Bytes payload, EVP_PKEY *key, const char *key_id,
                GError **error)
{
    if (!check_key(key, error))
        return NULL;
    g_autoptr(GBytes) data = dsse_signed_bytes(payload_type, payload);
    g_autoptr(GBytes) signature = sign_bytes(key, bytes_of_gbytes(data));
    if (!signature) {
        g_set_error(error, DSSE_ERROR, DSSE_ERROR_SIGNING, "signing: %s",
                    ERR_reason_error_string(ERR_get_error()));
        ERR_clear_error();
        return NULL;
    }
    g_autoptr(Json) envelope = json_object_new_object();
    Json *signatures = json_object_new_array();
    Json *one = json_object_new_object();
    json_add_text(one, "keyid", key_id);
    json_add_base64(one, "sig", bytes_of_gbytes(signature));
    json_object_array_add(signatures, one);
    json_add_base64(envelope, "payload", payload);
    json_add_text(envelope, "payloadType", payload_type);
    json_add(envelope, "signatures", signatures);
    return json_to_python_text(envelope);
}

char *dsse_key_id(EVP_PKEY *key)
{
    g_autoptr(BIO) text = BIO_new(BIO_s_mem());
    char *data = NULL;
    if (PEM_write_bio_PUBKEY(text, key) != 1) {
        ERR_clear_error();
        return NULL;
    }
    long size = BIO_get_mem_data(text, &data);
    return g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)data, (gsize)size);
}
