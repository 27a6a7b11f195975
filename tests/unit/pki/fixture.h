/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of src/pki share: settings, a directory that goes away, certificates with chosen
 * dates. */
#pragma once

#include "pki/certificate.h"
#include "pki/pem_file.h"

#include <glib/gstdio.h>
#include <openssl/x509v3.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static inline AuthoritySettings test_settings(void)
{
    return (AuthoritySettings){
        .key_type = PKI_KEY_EC_P256,
        .rsa_bits = 2048,
        .country = "US",
        .ca_name = "Keylime Certificate Authority",
        .state = "MA",
        .locality = "Lexington",
        .organization = "Keylime",
        .org_unit = "53",
        .ca_lifetime_days = 3650,
        .lifetime_days = 365,
        .crl_url = "http://localhost:38080/crl",
        .password = "test password",
    };
}

static inline char *test_directory(void)
{
    char *directory = g_dir_make_tmp("pki-XXXXXX", NULL);
    assert_non_null(directory);
    return directory;
}

/* Removes a directory of files. */
static inline void test_remove(const char *directory)
{
    g_autoptr(GDir) listing = g_dir_open(directory, 0, NULL);
    const char *name;
    while (listing && (name = g_dir_read_name(listing))) {
        g_autofree char *path = g_build_filename(directory, name, NULL);
        g_unlink(path);
    }
    g_rmdir(directory);
}

/* Valid from `start` to `end` seconds from now, signed again. */
static inline void test_set_dates(X509 *certificate, long start, long end, EVP_PKEY *signer)
{
    X509_gmtime_adj(X509_getm_notBefore(certificate), start);
    X509_gmtime_adj(X509_getm_notAfter(certificate), end);
    assert_true(X509_sign(certificate, signer, EVP_sha256()) > 0);
}
