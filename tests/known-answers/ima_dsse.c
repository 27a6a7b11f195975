/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy_upload.h"

#include "ima_readers.h"

#include <openssl/pem.h>
#include <string.h>

static char *text_of(GBytes *bytes)
{
    Bytes view = bytes_of_gbytes(bytes);
    return g_strndup((const char *)view.data, view.size);
}

static void read_key_ids(Json *document, Tally *tally)
{
    FOR_EACH_CASE(document, "key_ids", entry, position)
    {
        case_begin(tally, entry, position);
        g_autoptr(GBytes) pem = read_vector_file(tally, json_member_text(entry, "public_key"));
        Bytes text = bytes_of_gbytes(pem);
        BIO *source = BIO_new_mem_buf(text.data, (int)text.size);
        EVP_PKEY *key = PEM_read_bio_PUBKEY(source, NULL, NULL, NULL);
        g_autofree char *id = dsse_key_id(key);
        expect_text(tally, "keyid", json_member_text(entry, "keyid"), id);
        EVP_PKEY_free(key);
        BIO_free(source);
        case_end(tally);
    }
}

static void read_signed_bytes(Json *document, Tally *tally)
{
    FOR_EACH_CASE(document, "pae", entry, position)
    {
        case_begin(tally, entry, position);
        g_autoptr(GBytes) payload = member_bytes(entry, "payload_hex");
        g_autoptr(GBytes) expected = member_bytes(entry, "pae_hex");
        g_autoptr(GBytes) got =
            dsse_signed_bytes(json_member_text(entry, "payloadType"), bytes_of_gbytes(payload));
        expect_bytes(tally, "pae", bytes_of_gbytes(expected), bytes_of_gbytes(got));
        case_end(tally);
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The value with the members of every object in the order of their names. */
static Json *sorted(Json *value)
{
    if (json_object_is_type(value, json_type_array)) {
        Json *array = json_object_new_array();
        for (size_t i = 0; i < json_object_array_length(value); i++)
            json_object_array_add(array, sorted(json_object_array_get_idx(value, i)));
        return array;
    }
    if (!json_object_is_type(value, json_type_object))
        return json_object_get(value);
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    json_object_object_foreach (value, name, member) {
        (void)member;
        g_ptr_array_add(names, name);
    }
    g_ptr_array_sort(names, compare_names);
    Json *object = json_object_new_object();
    for (guint i = 0; i < names->len; i++)
        json_add(object, names->pdata[i], sorted(json_member(value, names->pdata[i])));
    return object;
}

/* The vectors have the hash of what is inside as Python prints it, names sorted. */
static void check_payload(Json *envelope, Json *expect, Tally *tally)
{
    const char *expected = json_member_text(expect, "payload_sha256");
    g_autoptr(Json) content = json_object_get(envelope);
    if (dsse_is_envelope(envelope)) {
        g_autoptr(GBytes) payload = dsse_payload(envelope, &dsse_rules_upstream, NULL);
        json_unref(content);
        content = payload ? json_parse(bytes_of_gbytes(payload), NULL) : NULL;
    }
    g_autoptr(Json) ordered = sorted(content);
    g_autofree char *text = content ? json_to_python_text(ordered) : NULL;
    g_autofree char *hash =
        text ? g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1) : NULL;
    expect_text(tally, "payload_sha256", expected, hash);
}

/*
 * Upstream's signature check alone: `ok` needs no policy inside, and a policy's own form is judged
 * by other files. An exception of upstream's is a refusal.
 */
static void check_verdict(const GError *error, Json *expect, Tally *tally)
{
    bool refused_by_signature =
        error && !g_str_has_prefix(error->message, "Runtime policy is malf");
    bool ok = g_strcmp0(json_member_text(expect, "result"), "ok") == 0;
    expect_verdict(tally, ok ? "accept" : "reject", !refused_by_signature,
                   error ? error->message : NULL);
    const char *message = json_member_text(expect, "message");
    if (message && error) {
        expect_text(tally, "message", message, error->message);
        expect_number(tally, "code", member_number(expect, "code"), (guint64)error->code);
    }
}

void read_dsse(Json *document, Tally *tally)
{
    read_key_ids(document, tally);
    read_signed_bytes(document, tally);
    FOR_EACH_CASE(document, "cases", entry, position)
    {
        case_begin(tally, entry, position);
        g_autoptr(GBytes) text = read_vector_file(tally, json_member_text(entry, "envelope"));
        const char *key_file = json_member_text(entry, "key");
        g_autoptr(GBytes) key = key_file ? read_vector_file(tally, key_file) : NULL;
        g_autofree char *pem = key ? text_of(key) : NULL;
        PolicyUploadKeys keys = {.request_key = pem};
        json_member_bool(entry, "signature_required", &keys.signature_required);
        g_autoptr(GError) error = NULL;
        g_autoptr(RuntimePolicy) policy = policy_upload_accept(
            bytes_of_gbytes(text), &keys, &runtime_policy_rules_upstream, NULL, &error);
        g_autoptr(Json) envelope = json_parse(bytes_of_gbytes(text), NULL);
        check_verdict(error, json_member(entry, "expect"), tally);
        check_payload(envelope, json_member(entry, "expect"), tally);
        case_end(tally);
    }
}
