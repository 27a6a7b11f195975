/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/public.h"

#include "tpm_readers.h"

#include <openssl/x509.h>
#include <string.h>

static void check_parameters(const TpmPublic *public, Json *entry, Tally *tally)
{
    guint64 symmetric = member_number(entry, "symmetric");
    guint64 scheme = member_number(entry, "scheme");
    expect_number(tally, "type", member_number(entry, "type"), public->type);
    expect_number(tally, "name_alg", member_number(entry, "name_alg"), public->name_alg);
    expect_number(tally, "object_attributes", member_number(entry, "object_attributes"),
                  public->attributes);
    expect_number(tally, "symmetric", symmetric, public->symmetric_alg);
    expect_number(tally, "symmetric_key_bits", member_number(entry, "symmetric_key_bits"),
                  public->symmetric_bits);
    expect_number(tally, "symmetric_mode", member_number(entry, "symmetric_mode"),
                  public->symmetric_mode);
    expect_number(tally, "scheme", scheme, public->scheme);
    if (scheme != TPM_ALG_NULL)
        expect_number(tally, "scheme_hash", member_number(entry, "scheme_hash"),
                      public->scheme_hash);
    if (public->type == TPM_ALG_RSA)
        expect_number(tally, "key_bits", member_number(entry, "key_bits"), public->key_bits);
    else
        expect_number(tally, "curve", member_number(entry, "curve"), public->curve);
    g_autoptr(GBytes) policy = member_bytes(entry, "auth_policy");
    expect_bytes(tally, "auth_policy", bytes_of_gbytes(policy), bytes_of_gbytes(public->policy));
}

static void check_derived(const TpmPublic *public, Json *entry, Bytes tpm2b, Tally *tally)
{
    g_autoptr(GBytes) name = member_bytes(entry, "name");
    g_autoptr(GBytes) spki = member_bytes(entry, "spki_der");
    g_autoptr(GBytes) written = tpm_public_to_tpm2b(public);
    g_autofree char *hash_ek = tpm_public_hash_ek(public);
    uint8_t *der = NULL;
    int size = i2d_PUBKEY(public->key, &der);
    expect_bytes(tally, "name", bytes_of_gbytes(name), tpm_public_name(public));
    expect_bytes(tally, "spki_der", bytes_of_gbytes(spki),
                 bytes_of(der, size > 0 ? (size_t)size : 0));
    expect_bytes(tally, "written again", tpm2b, bytes_of_gbytes(written));
    expect_text(tally, "spki_pem_sha256_hex", json_member_text(entry, "spki_pem_sha256_hex"),
                hash_ek);
    OPENSSL_free(der);
}

/* Each kind of key plays its own role and no other one that is checked. */
static void check_roles(const TpmPublic *public, const char *kind, Tally *tally)
{
    bool ak = g_strcmp0(kind, "ak") == 0;
    expect_number(tally, "attestation key", ak, tpm_public_check_attestation_key(public, NULL));
    expect_number(tally, "endorsement key", g_strcmp0(kind, "ek") == 0,
                  tpm_public_check_endorsement_key(public, NULL));
    if (!ak)
        expect_number(tally, "identity key", g_strcmp0(kind, "iak") == 0,
                      tpm_public_check_identity_key(public, NULL));
}

static void check_public(Json *entry, Tally *tally)
{
    g_autoptr(GBytes) tpm2b = member_bytes(entry, "tpm2b_public");
    g_autoptr(GError) error = NULL;
    g_autoptr(TpmPublic) public = tpm_public_from_tpm2b(bytes_of_gbytes(tpm2b), &error);
    expect_verdict(tally, expected_verdict(entry), public != NULL, error ? error->message : NULL);
    if (!public || !json_member(entry, "kind"))
        return;
    check_parameters(public, entry, tally);
    check_derived(public, entry, bytes_of_gbytes(tpm2b), tally);
    check_roles(public, json_member_text(entry, "kind"), tally);
}

void read_public(Json *document, Tally *tally)
{
    static const char *const lists[] = {"vectors", "negatives"};
    for (size_t list = 0; list < G_N_ELEMENTS(lists); list++)
        FOR_EACH_CASE(document, lists[list], entry, i)
        {
            case_begin(tally, entry, i);
            check_public(entry, tally);
            case_end(tally);
        }
}
