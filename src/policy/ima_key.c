/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/ima_key.h"

#include "policy/openssl.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <string.h>

G_DEFINE_QUARK(ima - key - error - quark, ima_key_error)

#define KEY_ID_SIZE 4

struct ImaKey {
    gatomicrefcount references;
    EVP_PKEY *pkey;
    GBytes *spki;
    uint8_t identity[SHA256_DIGEST_LENGTH];
    uint32_t id;
    ImaKeyKind kind;
};

/* What one encoding gave: a key, and of a certificate its subject key identifier's last bytes. */
typedef struct {
    EVP_PKEY *pkey;
    uint32_t certificate_id; /* 0: none */
} FoundKey;

static uint32_t id_of_tail(const uint8_t *data, size_t size)
{
    Reader reader = reader_of(bytes_of(data + size - KEY_ID_SIZE, KEY_ID_SIZE));
    uint32_t id = 0;
    reader_u32_be(&reader, &id);
    return id;
}

static bool find_in_certificate(Bytes der, FoundKey *found)
{
    const uint8_t *at = der.data;
    g_autoptr(X509) certificate = d2i_X509(NULL, &at, (long)der.size);
    if (!certificate || at != der.data + der.size)
        return false;
    found->pkey = X509_get_pubkey(certificate);
    const ASN1_OCTET_STRING *identifier = X509_get0_subject_key_id(certificate);
    if (identifier && ASN1_STRING_length(identifier) >= KEY_ID_SIZE)
        found->certificate_id =
            id_of_tail(ASN1_STRING_get0_data(identifier), (size_t)ASN1_STRING_length(identifier));
    return found->pkey != NULL;
}

static bool find_public(Bytes der, FoundKey *found)
{
    const uint8_t *at = der.data;
    found->pkey = d2i_PUBKEY(NULL, &at, (long)der.size);
    if (!found->pkey) {
        at = der.data;
        found->pkey = d2i_PublicKey(EVP_PKEY_RSA, NULL, &at, (long)der.size);
    }
    if (found->pkey && at != der.data + der.size)
        g_clear_pointer(&found->pkey, EVP_PKEY_free);
    return found->pkey != NULL;
}

static bool find_private(Bytes der, FoundKey *found)
{
    const uint8_t *at = der.data;
    found->pkey = d2i_AutoPrivateKey(NULL, &at, (long)der.size);
    if (found->pkey && at != der.data + der.size)
        g_clear_pointer(&found->pkey, EVP_PKEY_free);
    return found->pkey != NULL;
}

/* The content of a DER element that fills `bytes`; false when it is of another tag or length. */
static bool der_content(Bytes bytes, uint8_t tag, Bytes *content)
{
    const uint8_t *at = bytes.data;
    long size;
    int found, class;
    if (bytes.size == 0 || bytes.size > IMA_KEY_MAX_SIZE || *at != tag)
        return false;
    int result = ASN1_get_object(&at, &size, &found, &class, (long)bytes.size);
    *content = bytes_of(at, (size_t)size);
    return (result & 0x81) == 0 && at + size == bytes.data + bytes.size;
}

/*
 * The first tags of each kind, one inside the other, after the outer SEQUENCE: telling what is no
 * key at all must cost little, as lists may hold thousands of buffers.
 */
static bool may_be_certificate(Bytes content)
{
    return content.size > 0 && content.data[0] == V_ASN1_SEQUENCE + V_ASN1_CONSTRUCTED;
}

static bool may_be_public(Bytes content)
{
    return content.size > 0 && (content.data[0] == V_ASN1_SEQUENCE + V_ASN1_CONSTRUCTED ||
                                content.data[0] == V_ASN1_INTEGER);
}

static bool may_be_private(Bytes content)
{
    return content.size > 0 && content.data[0] == V_ASN1_INTEGER;
}

/* The three kinds of content, in the order in which they are tried, and the PEM names of each. */
static const struct {
    bool (*may_be)(Bytes content);
    bool (*find)(Bytes der, FoundKey *found);
    const char *pem_names[4];
} encodings[] = {
    {may_be_certificate, find_in_certificate, {PEM_STRING_X509, PEM_STRING_X509_OLD, NULL}},
    {may_be_public, find_public, {PEM_STRING_PUBLIC, PEM_STRING_RSA_PUBLIC, NULL}},
    {may_be_private,
     find_private,
     {PEM_STRING_PKCS8INF, PEM_STRING_RSA, PEM_STRING_ECPRIVATEKEY, NULL}},
};

/* The first block of a PEM text with one of these names; an encrypted one has a header, and is no
 * key. */
static bool find_in_pem(Bytes text, const char *const *names, bool (*find)(Bytes, FoundKey *),
                        FoundKey *found)
{
    g_autoptr(BIO) source = BIO_new_mem_buf(text.data, (int)text.size);
    char *name = NULL, *header = NULL;
    uint8_t *der = NULL;
    long size = 0;
    bool wanted = false, good = false;
    while (!wanted && PEM_read_bio(source, &name, &header, &der, &size) == 1) {
        wanted = g_strv_contains(names, name);
        good = wanted && *header == '\0' && find(bytes_of(der, (size_t)size), found);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(der, (size_t)size);
    }
    return good;
}

static uint32_t computed_id(EVP_PKEY *pkey)
{
    if (EVP_PKEY_is_a(pkey, "EC"))
        EVP_PKEY_set_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                       "uncompressed");
    /* PKCS#1 for RSA, the point for EC. */
    uint8_t *content = NULL;
    int size = i2d_PublicKey(pkey, &content);
    uint8_t digest[SHA_DIGEST_LENGTH];
    bool hashed = size > 0 && EVP_Digest(content, (size_t)size, digest, NULL, EVP_sha1(), NULL);
    OPENSSL_free(content);
    return hashed ? id_of_tail(digest, sizeof digest) : 0;
}

static ImaKey *unsupported(GError **error, const char *what)
{
    g_set_error(error, IMA_KEY_ERROR, IMA_KEY_ERROR_UNSUPPORTED,
                "%s: only RSA and EC keys verify file signatures", what);
    return NULL;
}

static ImaKey *key_new(FoundKey found, GError **error)
{
    g_autoptr(EVP_PKEY) pkey = found.pkey;
    bool ec = EVP_PKEY_is_a(pkey, "EC");
    if (!ec && !EVP_PKEY_is_a(pkey, "RSA")) {
        const char *type = EVP_PKEY_get0_type_name(pkey);
        return unsupported(error, type ? type : "a key of an unknown type");
    }
    char curve[64];
    if (ec && !EVP_PKEY_get_group_name(pkey, curve, sizeof curve, NULL))
        return unsupported(error, "an EC key on a curve without a name");
    uint8_t *der = NULL;
    int size = i2d_PUBKEY(pkey, &der);
    const uint8_t *at = der;
    /* Read again from its public form, so that no private half stays in memory. */
    EVP_PKEY *public = size > 0 ? d2i_PUBKEY(NULL, &at, size) : NULL;
    if (!public) {
        OPENSSL_free(der);
        return unsupported(error, "a key that cannot be written");
    }
    ImaKey *key = g_new0(ImaKey, 1);
    g_atomic_ref_count_init(&key->references);
    key->pkey = public;
    key->kind = ec ? IMA_KEY_EC : IMA_KEY_RSA;
    key->spki = g_bytes_new(der, (size_t)size);
    EVP_Digest(der, (size_t)size, key->identity, NULL, EVP_sha256(), NULL);
    key->id = found.certificate_id ? found.certificate_id : computed_id(public);
    OPENSSL_free(der);
    return key;
}

static ImaKey *not_a_key(GError **error)
{
    ERR_clear_error();
    g_set_error_literal(error, IMA_KEY_ERROR, IMA_KEY_ERROR_NOT_A_KEY,
                        "neither a certificate nor an unencrypted key in DER or PEM");
    return NULL;
}

ImaKey *ima_key_parse(Bytes data, GError **error)
{
    static const char begin[] = "-----BEGIN ";
    Bytes content = BYTES_EMPTY;
    if (data.size == 0 || data.size > IMA_KEY_MAX_SIZE)
        return not_a_key(error);
    bool der = der_content(data, V_ASN1_SEQUENCE + V_ASN1_CONSTRUCTED, &content);
    bool pem = memmem(data.data, data.size, begin, sizeof begin - 1) != NULL;
    for (size_t i = 0; (der || pem) && i < G_N_ELEMENTS(encodings); i++) {
        FoundKey found = {0};
        if ((der && encodings[i].may_be(content) && encodings[i].find(data, &found)) ||
            (pem && find_in_pem(data, encodings[i].pem_names, encodings[i].find, &found))) {
            ERR_clear_error();
            return key_new(found, error);
        }
    }
    return not_a_key(error);
}

ImaKey *ima_key_parse_public(Bytes der, GError **error)
{
    FoundKey found = {0};
    if (der.size == 0 || der.size > IMA_KEY_MAX_SIZE || !find_public(der, &found))
        return not_a_key(error);
    ERR_clear_error();
    return key_new(found, error);
}

ImaKey *ima_key_ref(const ImaKey *key)
{
    ImaKey *shared = (ImaKey *)key;
    g_atomic_ref_count_inc(&shared->references);
    return shared;
}

void ima_key_unref(ImaKey *key)
{
    if (!key || !g_atomic_ref_count_dec(&key->references))
        return;
    EVP_PKEY_free(key->pkey);
    g_bytes_unref(key->spki);
    g_free(key);
}

ImaKeyKind ima_key_kind(const ImaKey *key)
{
    return key->kind;
}

uint32_t ima_key_id(const ImaKey *key)
{
    return key->id;
}

EVP_PKEY *ima_key_pkey(const ImaKey *key)
{
    return key->pkey;
}

Bytes ima_key_spki(const ImaKey *key)
{
    return bytes_of_gbytes(key->spki);
}

Bytes ima_key_identity(const ImaKey *key)
{
    return BYTES_OF_ARRAY(key->identity);
}
