/* SPDX-License-Identifier: Apache-2.0 */
#include "test_certificates.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    g_assert_nonnull(extension);
    g_assert_true(X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

TestIdentity *test_identity_new(const TestProfile *profile, const TestIdentity *issuer)
{
    static int serial = 1;
    TestIdentity *identity = g_new0(TestIdentity, 1);
    identity->key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    identity->certificate = certificate;
    g_assert_true(identity->key && certificate);
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
    bool default_times = profile->valid_from == 0 && profile->valid_to == 0;
    X509_gmtime_adj(X509_getm_notBefore(certificate), default_times ? -60 : profile->valid_from);
    X509_gmtime_adj(X509_getm_notAfter(certificate), default_times ? 3600 : profile->valid_to);
    X509_set_pubkey(certificate, identity->key);
    X509_NAME *subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8, (const unsigned char *)"Tests", -1, -1,
                               0);
    if (profile->common_name)
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                   (const unsigned char *)profile->common_name, -1, -1, 0);
    const TestIdentity *signer = issuer ? issuer : identity;
    X509_set_issuer_name(certificate, X509_get_subject_name(signer->certificate));
    if (profile->authority) {
        add_extension(certificate, signer->certificate, NID_basic_constraints, "critical,CA:TRUE");
        add_extension(certificate, signer->certificate, NID_key_usage,
                      "critical,keyCertSign,cRLSign");
    }
    if (profile->names)
        add_extension(certificate, signer->certificate, NID_subject_alt_name, profile->names);
    if (profile->usage)
        add_extension(certificate, signer->certificate, NID_ext_key_usage, profile->usage);
    g_assert_true(X509_sign(certificate, signer->key, EVP_sha256()) > 0);
    return identity;
}

void test_identity_free(TestIdentity *identity)
{
    if (!identity)
        return;
    X509_free(identity->certificate);
    EVP_PKEY_free(identity->key);
    g_free(identity);
}

static char *text_of(BIO *bio)
{
    char *data;
    long size = BIO_get_mem_data(bio, &data);
    char *text = g_strndup(data, (gsize)size);
    BIO_free(bio);
    return text;
}

char *test_certificate_pem(const TestIdentity *identity)
{
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, identity->certificate);
    return text_of(bio);
}

char *test_key_pem(const TestIdentity *identity)
{
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, identity->key, NULL, NULL, 0, NULL, NULL);
    return text_of(bio);
}

char *test_write(const char *directory, const char *name, const char *text)
{
    char *path = g_build_filename(directory, name, NULL);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    return path;
}

SSL_CTX *test_server_context(const TestIdentity *server, const TestIdentity *authority)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    g_assert_true(SSL_CTX_use_certificate(context, server->certificate) == 1);
    g_assert_true(SSL_CTX_use_PrivateKey(context, server->key) == 1);
    if (authority)
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority->certificate);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    return context;
}
