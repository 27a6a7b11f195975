/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does an EK certificate come from a TPM vendor that the operator trusts? (registrar-api §8,
 * decisions D19, D20, D22)
 */
#pragma once

#include "base/bytes.h"
#include "pki/authority.h"

#include <openssl/x509.h>

/* DER leaf of PEM (first certificate; the rest are intermediates) or base64 DER. */
typedef struct {
    X509 *leaf;
    STACK_OF(X509) *intermediates;
    GBytes *der;     /* original bytes of the leaf, as received */
    bool malformed;  /* re-encoding differs, or trailing bytes */
} EkCertificate;
EkCertificate *ek_certificate_parse(const char *text, GError **error);
void ek_certificate_free(EkCertificate *certificate);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EkCertificate, ek_certificate_free)

/* The certificate's public key is this one. */
bool ek_certificate_has_key(const EkCertificate *certificate, EVP_PKEY *key);

/*
 * Chain to a certificate of the directory `store` (every *.pem there is an anchor, whatever its level).
 * Dates of the leaf count; an expired anchor or intermediate only fills *warning (newly allocated).
 * False and PKI_ERROR_UNTRUSTED with issuer and remedy.
 */
bool ek_certificate_verify(const EkCertificate *certificate, const char *store, char **warning,
                           GError **error);
