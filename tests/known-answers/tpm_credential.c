/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/credential.h"

#include "tpm_readers.h"

#include <string.h>

static TpmPublic *member_public(Json *entry, const char *name)
{
    g_autoptr(GBytes) tpm2b = member_bytes(entry, name);
    return tpm_public_from_tpm2b(bytes_of_gbytes(tpm2b), NULL);
}

static void expect_kdfa(Tally *tally, Json *entry, const char *member, uint16_t hash,
                        const char *label, Bytes context_u)
{
    g_autoptr(GBytes) seed = member_bytes(entry, "seed");
    g_autoptr(GBytes) expected = member_bytes(entry, member);
    uint8_t out[TPM_MAX_DIGEST] = {0};
    Bytes wanted = bytes_of_gbytes(expected);
    tpm_kdfa(hash, bytes_of_gbytes(seed), label, context_u, BYTES_EMPTY, (unsigned)wanted.size * 8,
             out);
    expect_bytes(tally, member, wanted, bytes_of(out, wanted.size));
}

/* Everything of a vector that can be said without the endorsement key's private part. */
static void check_sealed(Json *entry, const TpmPublic *ek, Tally *tally)
{
    g_autoptr(GBytes) name = member_bytes(entry, "object_name");
    g_autoptr(GBytes) blob = member_bytes(entry, "blob");
    g_autoptr(GBytes) id_object = member_bytes(entry, "id_object");
    g_autoptr(GBytes) secret = member_bytes(entry, "encrypted_secret");
    g_autoptr(GBytes) credential = member_bytes(entry, "credential");
    Bytes got_id_object = BYTES_EMPTY, got_secret = BYTES_EMPTY;
    g_autoptr(GError) error = NULL;
    expect_verdict(tally, "accept",
                   credential_parse(bytes_of_gbytes(blob), &got_id_object, &got_secret, &error),
                   error ? error->message : NULL);
    expect_bytes(tally, "id_object", bytes_of_gbytes(id_object), got_id_object);
    expect_bytes(tally, "encrypted_secret", bytes_of_gbytes(secret), got_secret);
    expect_kdfa(tally, entry, "sym_key", ek->name_alg, "STORAGE", bytes_of_gbytes(name));
    expect_kdfa(tally, entry, "hmac_key", ek->name_alg, "INTEGRITY", BYTES_EMPTY);
    g_autofree char *tag =
        credential_auth_tag(bytes_of_gbytes(credential), json_member_text(entry, "agent_id"));
    expect_text(tally, "auth_tag", json_member_text(entry, "auth_tag"), tag);
    g_autoptr(GBytes) made =
        credential_make(ek, bytes_of_gbytes(name), bytes_of_gbytes(credential), NULL);
    expect_number(tally, "size of a blob of ours", g_bytes_get_size(blob),
                  made ? g_bytes_get_size(made) : 0);
}

static EVP_PKEY *member_private(Json *entry)
{
    g_autoptr(GBytes) der = member_bytes(entry, "ek_private_pkcs8_der");
    const uint8_t *data = g_bytes_get_data(der, NULL);
    return d2i_AutoPrivateKey(NULL, &data, (long)g_bytes_get_size(der));
}

static void expect_opens(Tally *tally, const char *what, const TpmPublic *ek, EVP_PKEY *private_key,
                         Bytes name, GBytes *blob, Bytes credential)
{
    g_autoptr(GBytes) opened =
        blob ? credential_open(ek, private_key, name, bytes_of_gbytes(blob), NULL) : NULL;
    expect_bytes(tally, what, credential, bytes_of_gbytes(opened));
}

/* With the private part: the vector's blob opens, and so does one that we make. */
static void check_opened(Json *entry, const TpmPublic *ek, Tally *tally)
{
    EVP_PKEY *private_key = member_private(entry);
    g_autoptr(GBytes) name = member_bytes(entry, "object_name");
    g_autoptr(GBytes) blob = member_bytes(entry, "blob");
    g_autoptr(GBytes) credential = member_bytes(entry, "credential");
    g_autoptr(GBytes) made =
        credential_make(ek, bytes_of_gbytes(name), bytes_of_gbytes(credential), NULL);
    expect_opens(tally, "opened credential", ek, private_key, bytes_of_gbytes(name), blob,
                 bytes_of_gbytes(credential));
    expect_opens(tally, "opened credential of ours", ek, private_key, bytes_of_gbytes(name), made,
                 bytes_of_gbytes(credential));
    EVP_PKEY_free(private_key);
}

static Json *software_ek(Json *document, const char *id)
{
    FOR_EACH_CASE(document, "software_ek", entry, i)
    {
        if (g_strcmp0(json_member_text(entry, "id"), id) == 0)
            return entry;
    }
    return NULL;
}

static void check_negative(Json *document, Json *entry, Tally *tally)
{
    Json *base = software_ek(document, json_member_text(entry, "base"));
    g_autoptr(TpmPublic) ek = member_public(base, "ek_tpm");
    g_autoptr(GBytes) name = member_bytes(entry, "object_name");
    g_autoptr(GBytes) blob = member_bytes(entry, "blob");
    EVP_PKEY *private_key = member_private(base);
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) opened =
        ek && private_key
            ? credential_open(ek, private_key, bytes_of_gbytes(name), bytes_of_gbytes(blob), &error)
            : NULL;
    expect_text(tally, "the endorsement key was read", "yes", ek && private_key ? "yes" : "no");
    expect_verdict(tally, expected_verdict(entry), opened != NULL, error ? error->message : NULL);
    EVP_PKEY_free(private_key);
}

void read_makecredential(Json *document, Tally *tally)
{
    static const char *const lists[] = {"vectors", "software_ek"};
    for (size_t list = 0; list < G_N_ELEMENTS(lists); list++)
        FOR_EACH_CASE(document, lists[list], entry, i)
        {
            case_begin(tally, entry, i);
            g_autoptr(TpmPublic) ek = member_public(entry, "ek_tpm");
            expect_verdict(tally, "accept", ek != NULL, "endorsement key");
            if (ek)
                check_sealed(entry, ek, tally);
            if (ek && json_member(entry, "ek_private_pkcs8_der"))
                check_opened(entry, ek, tally);
            case_end(tally);
        }
    FOR_EACH_CASE(document, "negatives", entry, i)
    {
        case_begin(tally, entry, i);
        check_negative(document, entry, tally);
        case_end(tally);
    }
}

void read_auth_tag(Json *document, Tally *tally)
{
    FOR_EACH_CASE(document, "vectors", entry, i)
    {
        case_begin(tally, entry, i);
        g_autoptr(GBytes) credential = member_bytes(entry, "credential");
        g_autofree char *tag =
            credential_auth_tag(bytes_of_gbytes(credential), json_member_text(entry, "agent_id"));
        expect_text(tally, "auth_tag", json_member_text(entry, "auth_tag"), tag);
        case_end(tally);
    }
}

void read_kdf(Json *document, Tally *tally)
{
    FOR_EACH_CASE(document, "vectors", entry, i)
    {
        case_begin(tally, entry, i);
        bool kdfe = g_strcmp0(json_member_text(entry, "kdf"), "KDFe") == 0;
        uint16_t hash = tpm_hash_from_name(json_member_text(entry, "hash"));
        unsigned bits = (unsigned)member_number(entry, "bits");
        const char *label = json_member_text(entry, "label");
        g_autoptr(GBytes) key = member_bytes(entry, kdfe ? "z" : "key");
        g_autoptr(GBytes) u = member_bytes(entry, kdfe ? "party_u_x" : "context_u");
        g_autoptr(GBytes) v = member_bytes(entry, kdfe ? "party_v_x" : "context_v");
        g_autoptr(GBytes) expected = member_bytes(entry, "out");
        g_autofree uint8_t *out = g_malloc0(bits / 8 + 1);
        (kdfe ? tpm_kdfe : tpm_kdfa)(hash, bytes_of_gbytes(key), label, bytes_of_gbytes(u),
                                     bytes_of_gbytes(v), bits, out);
        expect_bytes(tally, json_member_text(entry, "kdf"), bytes_of_gbytes(expected),
                     bytes_of(out, bits / 8));
        case_end(tally);
    }
}
