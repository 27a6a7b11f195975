/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates for tests, made on the spot.
 */
#pragma once

#include <glib.h>
#include <openssl/ssl.h>
#include <stdbool.h>

typedef struct {
    X509 *certificate;
    EVP_PKEY *key;
} TestIdentity;

typedef struct {
    const char *common_name; /* NULL = none */
    const char *names;       /* subjectAltName as OpenSSL's configuration spells it, or NULL */
    const char *usage;       /* extendedKeyUsage, or NULL */
    bool authority;
    int valid_from, valid_to; /* seconds from now; both 0 = -60 .. +3600 */
} TestProfile;

/* `issuer` NULL = self-signed. Aborts on failure. */
TestIdentity *test_identity_new(const TestProfile *profile, const TestIdentity *issuer);
void test_identity_free(TestIdentity *identity);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TestIdentity, test_identity_free)

/* PEM text; newly allocated. */
char *test_certificate_pem(const TestIdentity *identity);
char *test_key_pem(const TestIdentity *identity);
/* Write to `directory`/`name`; the path, newly allocated. */
char *test_write(const char *directory, const char *name, const char *text);

/* Server context as the servers use it: TLS 1.2 or later, client certificates of `authority`
 * optional. */
SSL_CTX *test_server_context(const TestIdentity *server, const TestIdentity *authority);
