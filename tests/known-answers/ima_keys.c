/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/ima_keyring.h"

#include "ima_readers.h"

#include <openssl/evp.h>

static const char *result_of(const ImaKey *key, const GError *error)
{
    if (key)
        return "key";
    return g_error_matches(error, IMA_KEY_ERROR, IMA_KEY_ERROR_UNSUPPORTED) ? "unsupported"
                                                                            : "not a key";
}

static void check_key(const ImaKey *key, Json *expect, Tally *tally)
{
    g_autoptr(GBytes) identity = member_bytes(expect, "spki_sha256");
    g_autofree char *id = g_strdup_printf("%08x", ima_key_id(key));
    expect_text(tally, "type", json_member_text(expect, "type"),
                ima_key_kind(key) == IMA_KEY_RSA ? "rsa" : "ec");
    expect_number(tally, "bits", member_number(expect, "bits"),
                  (guint64)EVP_PKEY_get_bits(ima_key_pkey(key)));
    expect_text(tally, "keyid", json_member_text(expect, "keyid"), id);
    expect_bytes(tally, "spki_sha256", bytes_of_gbytes(identity), ima_key_identity(key));
}

static void check_ring(const ImaKeyring *ring, Json *expect, Tally *tally)
{
    g_autofree char *text = ima_keyring_to_text(ring);
    Json *ids = json_member(expect, "keyids");
    expect_text(tally, "written again", json_member_text(expect, "re_encoded"), text);
    expect_number(tally, "keys", json_object_array_length(ids), ima_keyring_size(ring));
    for (guint i = 0; i < ima_keyring_size(ring) && i < json_object_array_length(ids); i++) {
        gint64 id;
        ima_keyring_at(ring, i, &id);
        g_autofree char *written = id < 0 ? g_strdup_printf("%" G_GINT64_FORMAT, id)
                                          : g_strdup_printf("%08" G_GINT64_MODIFIER "x", id);
        expect_text(tally, "keyid", json_text(json_object_array_get_idx(ids, i)), written);
    }
}

static void read_rings(Json *document, Tally *tally)
{
    FOR_EACH_CASE(document, "verification_keys", entry, position)
    {
        case_begin(tally, entry, position);
        Json *expect = json_member(entry, "expect");
        g_autoptr(GError) error = NULL;
        g_autoptr(ImaKeyring) ring = ima_keyring_parse(
            bytes_of_text(json_member_text(entry, "text")), &ima_keyring_rules_upstream, &error);
        bool none = g_error_matches(error, IMA_KEYRING_ERROR, IMA_KEYRING_ERROR_NONE);
        expect_text(tally, "result", json_member_text(expect, "result"),
                    ring   ? "keyring"
                    : none ? "no keyring"
                           : "exception");
        if (ring)
            check_ring(ring, expect, tally);
        case_end(tally);
    }
}

void read_keys(Json *document, Tally *tally)
{
    FOR_EACH_CASE(document, "keys", entry, position)
    {
        case_begin(tally, entry, position);
        g_autoptr(GBytes) file = read_vector_file(tally, json_member_text(entry, "file"));
        g_autoptr(GError) error = NULL;
        g_autoptr(ImaKey) key = ima_key_parse(bytes_of_gbytes(file), &error);
        Json *expect = json_member(entry, "expect");
        expect_text(tally, "result", json_member_text(expect, "result"), result_of(key, error));
        if (key)
            check_key(key, expect, tally);
        case_end(tally);
    }
    read_rings(document, tally);
}
