/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client trusts, held in memory so that it outlives the dropping of privileges, and what the
 * last server offered, for messages that say what is wrong with a certificate (contract C88-C91,
 * C111).
 */
#pragma once

#include "base/bytes.h"

#include <openssl/ssl.h>

typedef struct ClientTrust ClientTrust;

/* Read the PEM files (NULL-terminated, at least one) into one bundle. Fails with
 * HTTP_CLIENT_ERROR_CA_FILE and the path when one is missing or unreadable, or holds no
 * certificate. */
ClientTrust *client_trust_new(const char *const *paths, GError **error);
void client_trust_free(ClientTrust *trust);

/* Read the files again if one has changed on disk; what cannot be read leaves what was read. */
void client_trust_refresh(ClientTrust *trust);
Bytes client_trust_bundle(const ClientTrust *trust);
const char *client_trust_paths(const ClientTrust *trust);
/* "CN=..., O=...; CN=..." of the bundle's certificates, at most three. Borrowed. */
const char *client_trust_subjects(const ClientTrust *trust);

/* The certificate a server showed, as far as the handshake came. Texts NULL until one was seen. */
typedef struct {
    char *subject, *issuer;
    char *names;                  /* "DNS a, IP b" of the subject alternative names; "" = none */
    char *not_before, *not_after; /* "2026-11-24 07:00:00 UTC" */
    gint64 expires;               /* not_after in seconds since the epoch; 0 = none was seen */
    int verify_error;             /* X509_V_...; X509_V_OK = none */
} OfferedCertificate;
void offered_certificate_clear(OfferedCertificate *offered);
/* Fill `offered` during the handshakes of this context; it must live as long as the context. The
 * verdict itself stays OpenSSL's. */
void offered_certificate_watch(OfferedCertificate *offered, SSL_CTX *context);
