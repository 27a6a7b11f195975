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
    STACK_OF(X509) * intermediates;
    GBytes *der;    /* original bytes of the leaf, as received */
    bool malformed; /* re-encoding differs, or trailing bytes */
} EkCertificate;
EkCertificate *ek_certificate_parse(const char *text, GError **error);
void ek_certificate_free(EkCertificate *certificate);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EkCertificate, ek_certificate_free)

/* The certificate's public key is this one. */
bool ek_certificate_has_key(const EkCertificate *certificate, EVP_PKEY *key);

/* Trust in the certificates of a directory: every certificate of every `*.pem` there is an anchor,
 * whatever its level. Read when first needed and again when the directory changes. Thread-safe. */
typedef struct TpmTrust TpmTrust;
TpmTrust *tpm_trust_new(const char *directory);
void tpm_trust_free(TpmTrust *trust);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TpmTrust, tpm_trust_free)

/*
 * Chain to an anchor. Dates of the leaf count; an expired anchor or intermediate only fills
 * *warning (newly allocated; else NULL). An extended key usage, when there is one, must name the EK
 * certificate (TCG EK Credential Profile §3.2.16). False and PKI_ERROR_UNTRUSTED with issuer and
 * remedy.
 */
bool tpm_trust_verify_ek(TpmTrust *trust, const EkCertificate *certificate, char **warning,
                         GError **error);

/* The same for an IAK or IDevID certificate, whose subject alternative name must say that it is a
 * TPM's: a HardwareModuleName of type 2.23.133.1.2 (decision D21). */
bool tpm_trust_verify_device(TpmTrust *trust, const EkCertificate *certificate, char **warning,
                             GError **error);

/* tpm_trust_verify_ek() for a program that asks once. */
bool ek_certificate_verify(const EkCertificate *certificate, const char *store, char **warning,
                           GError **error);
