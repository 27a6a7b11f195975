/* SPDX-License-Identifier: Apache-2.0 */
/* TPMT_SIGNATURE: what is accepted is written back as it came, and verifies under no fixed key. */
#include "tpm/marshal.h"

#include "tpm/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static TpmPublic *new_key(const char *word, uint16_t scheme)
{
    TpmTemplate keys;
    g_assert(tpm_template_ak(word, TPM_ALG_SHA256, scheme, &keys));
    EVP_PKEY *key = scheme == TPM_ALG_ECDSA ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256")
                                            : EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    g_autoptr(GBytes) tpmt = tpm_template_public(&keys, key, NULL);
    EVP_PKEY_free(key);
    return tpm_public_from_tpmt(bytes_of_gbytes(tpmt), NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Kept for the whole run: making a key costs more than thousands of inputs. */
    static TpmPublic *rsa, *ecc;
    if (!rsa) {
        rsa = new_key("rsa2048", TPM_ALG_RSASSA);
        ecc = new_key("ecc256", TPM_ALG_ECDSA);
    }
    TpmSignature signature;
    g_autoptr(GError) error = NULL;
    bool read = tpm_signature_parse(bytes_of(data, size), &signature, &error);
    g_assert(read == (error == NULL));
    if (!read)
        return 0;
    g_autoptr(GBytes) written = tpm_signature_marshal(&signature);
    g_assert(bytes_equal(bytes_of_gbytes(written), bytes_of(data, size)));
    Bytes message = bytes_of_text("never signed by these keys");
    g_assert(!tpm_signature_verify(rsa, &signature, message));
    g_assert(!tpm_signature_verify(ecc, &signature, message));
    return 0;
}
