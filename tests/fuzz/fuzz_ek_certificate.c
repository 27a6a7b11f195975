/* SPDX-License-Identifier: Apache-2.0 */
/* A TPM's certificate as an agent sends it: PEM or base64 DER, then DER itself (pki/endorsement.h).
 */
#include "base/encoding.h"
#include "pki/endorsement.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(EkCertificate) certificate = ek_certificate_parse(text, &error);
    g_assert((certificate == NULL) == (error != NULL));
    if (!certificate)
        return;
    g_assert(ek_certificate_has_key(certificate, X509_get0_pubkey(certificate->leaf)) ||
             !X509_get0_pubkey(certificate->leaf));
    /* An empty store: parsing goes on as far as it gets without an anchor. */
    g_autofree char *warning = NULL;
    g_assert(!ek_certificate_verify(certificate, "/nonexistent", &warning, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup(size ? (const char *)data : "", size);
    g_autofree char *encoded = base64_encode(bytes_of(data, size));
    parse(text);
    parse(encoded);
    return 0;
}
