/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/endorsement.h"

#include "base/encoding.h"
#include "pki/pem_file.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

/* A chain in TPM NV memory is at most a few KiB; beyond this it is no certificate. */
#define EK_TEXT_MAX (128 * 1024)
#define INTERMEDIATES_MAX 8

/* OpenSSL writes an extension's `critical` as it read it; DER knows absent and FF only. */
static bool extension_differs(X509_EXTENSION *extension)
{
    X509_EXTENSION *plain = X509_EXTENSION_create_by_OBJ(NULL, X509_EXTENSION_get_object(extension),
                                                         X509_EXTENSION_get_critical(extension),
                                                         X509_EXTENSION_get_data(extension));
    uint8_t *read = NULL, *written = NULL;
    int read_size = i2d_X509_EXTENSION(extension, &read);
    int written_size = plain ? i2d_X509_EXTENSION(plain, &written) : -1;
    bool differs = read_size <= 0 || read_size != written_size ||
                   memcmp(read, written, (size_t)read_size) != 0;
    OPENSSL_free(read);
    OPENSSL_free(written);
    X509_EXTENSION_free(plain);
    return differs;
}

static bool any_extension_differs(const X509 *certificate)
{
    for (int i = 0; i < X509_get_ext_count(certificate); i++) {
        if (extension_differs(X509_get_ext(certificate, i)))
            return true;
    }
    return false;
}

/* What we would write for it is not what we read, or something follows it. */
static bool is_malformed(Bytes der, const uint8_t *end)
{
    if (end != der.data + der.size)
        return true;
    const uint8_t *start = der.data;
    g_autoptr(X509) copy = d2i_X509(NULL, &start, (long)der.size);
    /* Drops the cached bytes of the signed part, so that it is encoded anew. */
    uint8_t *tbs = NULL, *whole = NULL;
    bool encoded = copy && i2d_re_X509_tbs(copy, &tbs) > 0;
    int size = encoded ? i2d_X509(copy, &whole) : 0;
    bool differs = size <= 0 || (size_t)size != der.size ||
                   memcmp(whole, der.data, der.size) != 0 || any_extension_differs(copy);
    OPENSSL_free(tbs);
    OPENSSL_free(whole);
    return differs;
}

static EkCertificate *from_der(GBytes *der, GError **error)
{
    Bytes bytes = bytes_of_gbytes(der);
    const uint8_t *end = bytes.data;
    X509 *leaf = d2i_X509(NULL, &end, (long)bytes.size);
    ERR_clear_error();
    if (!leaf) {
        g_set_error_literal(error, PKI_ERROR, PKI_ERROR_MALFORMED, "is no X.509 certificate");
        return NULL;
    }
    EkCertificate *certificate = g_new0(EkCertificate, 1);
    certificate->leaf = leaf;
    certificate->intermediates = sk_X509_new_null();
    certificate->der = g_bytes_ref(der);
    certificate->malformed = is_malformed(bytes, end);
    return certificate;
}

/* Bytes of the next "CERTIFICATE" block of a PEM text; NULL when there is none. */
static GBytes *next_pem(BIO *memory)
{
    char *name = NULL, *header = NULL;
    uint8_t *data = NULL;
    long size = 0;
    GBytes *der = NULL;
    if (PEM_read_bio(memory, &name, &header, &data, &size) == 1 &&
        strcmp(name, PEM_STRING_X509) == 0)
        der = g_bytes_new(data, (gsize)size);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
    ERR_clear_error();
    return der;
}

static EkCertificate *from_pem(const char *text, GError **error)
{
    g_autoptr(BIO) memory = BIO_new_mem_buf(text, -1);
    g_autoptr(GBytes) first = next_pem(memory);
    if (!first) {
        g_set_error_literal(error, PKI_ERROR, PKI_ERROR_MALFORMED,
                            "is no readable PEM certificate");
        return NULL;
    }
    g_autoptr(EkCertificate) certificate = from_der(first, error);
    while (certificate && sk_X509_num(certificate->intermediates) < INTERMEDIATES_MAX) {
        g_autoptr(GBytes) der = next_pem(memory);
        if (!der)
            break;
        const uint8_t *at = g_bytes_get_data(der, NULL);
        X509 *intermediate = d2i_X509(NULL, &at, (long)g_bytes_get_size(der));
        /* A broken intermediate can only make the chain incomplete. */
        if (intermediate)
            sk_X509_push(certificate->intermediates, intermediate);
        ERR_clear_error();
    }
    return g_steal_pointer(&certificate);
}

EkCertificate *ek_certificate_parse(const char *text, GError **error)
{
    if (strlen(text) > EK_TEXT_MAX) {
        g_set_error_literal(error, PKI_ERROR, PKI_ERROR_MALFORMED, "is too long");
        return NULL;
    }
    if (g_str_has_prefix(text, "-----BEGIN CERTIFICATE-----"))
        return from_pem(text, error);
    g_autoptr(GBytes) der = base64_decode(text);
    if (!der || g_bytes_get_size(der) == 0) {
        g_set_error_literal(error, PKI_ERROR, PKI_ERROR_MALFORMED,
                            "must be a PEM certificate or base64 of a DER one");
        return NULL;
    }
    return from_der(der, error);
}

void ek_certificate_free(EkCertificate *certificate)
{
    if (!certificate)
        return;
    X509_free(certificate->leaf);
    sk_X509_pop_free(certificate->intermediates, X509_free);
    g_bytes_unref(certificate->der);
    g_free(certificate);
}

bool ek_certificate_has_key(const EkCertificate *certificate, EVP_PKEY *key)
{
    EVP_PKEY *own = X509_get0_pubkey(certificate->leaf);
    bool same = own && key && EVP_PKEY_eq(own, key) == 1;
    ERR_clear_error();
    return same;
}
