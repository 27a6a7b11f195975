/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The three things the authority signs: its own certificate, those of servers and clients, and its
 * revocation list. Profiles: configuration-and-operations §10.4, decision D114; all pass
 * `openssl verify -x509_strict`.
 */
#pragma once

#include "pki/authority.h"

#include <openssl/x509.h>

/* A new private key of the configured kind; NULL and PKI_ERROR_OPENSSL. */
EVP_PKEY *certificate_new_key(const AuthoritySettings *settings, GError **error);

X509 *certificate_make_ca(const AuthoritySettings *settings, EVP_PKEY *key, GError **error);

typedef struct {
    const char *common_name;
    PkiRole role;
    const char *const *dns, *const *ip; /* subject alternative names, NULL-terminated or NULL */
} CertificateRequest;

/* Signed by `ca`; ends no later than it. */
X509 *certificate_make(const AuthoritySettings *settings, const CertificateRequest *request,
                       EVP_PKEY *key, X509 *ca, EVP_PKEY *ca_key, GError **error);

/* The list of what the CA takes back: `revoked` holds serial numbers as decimal texts, and a text
 * that is none is an error. Valid as long as the CA, which nothing in the system shortens; its
 * number, which must grow, is the time of its making. */
X509_CRL *certificate_make_crl(X509 *ca, EVP_PKEY *ca_key, const GPtrArray *revoked,
                               GError **error);
/* Decimal serial number, newly allocated. */
char *certificate_serial(X509 *certificate);

/* Peers refuse a certificate whose usages exclude its role; one that names none is for both. `what`
 * is for the message: "server certificate /path". */
bool certificate_check_role(X509 *certificate, PkiRole role, const char *what, GError **error);

/* All of `dns` and `ip` are among the certificate's subject alternative names. */
bool certificate_has_names(X509 *certificate, const char *const *dns, const char *const *ip);

/* ERROR in the log when it has expired, WARNING when less than 30 days are left. `path`: its file.
 */
void certificate_warn_expiry(X509 *certificate, const char *path);
