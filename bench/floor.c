/* SPDX-License-Identifier: Apache-2.0 */
#include "floor.h"

#include "measure.h"

#include <openssl/evp.h>

#define ROUNDS 2000

static void measure_records(guint64 bytes, Floor *out)
{
    static const uint8_t key[32], nonce[12];
    g_autofree uint8_t *plain = g_malloc0(bytes / 4 + 1);
    g_autofree uint8_t *sealed = g_malloc0(bytes / 4 + 17);
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    EVP_EncryptInit_ex2(context, cipher, key, nonce, NULL);
    double before = thread_cpu_seconds();
    for (int i = 0; i < ROUNDS; i++) {
        for (int record = 0; record < 4; record++) {
            int length;
            EVP_EncryptInit_ex2(context, NULL, NULL, nonce, NULL);
            EVP_EncryptUpdate(context, sealed, &length, plain, (int)(bytes / 4));
            EVP_EncryptFinal_ex(context, sealed + length, &length);
        }
    }
    out->records_us = (thread_cpu_seconds() - before) * 1e6 / ROUNDS;
    EVP_CIPHER_CTX_free(context);
    EVP_CIPHER_free(cipher);
}

bool floor_measure(SoftwareTpm *tpm, guint64 bytes, Floor *out, GError **error)
{
    static const uint8_t nonce[16] = {1};
    const TpmPublic *ak = software_tpm_ak(tpm);
    PcrSelection selection = {.count = 1};
    selection.bank[0].hash = ak->scheme_hash;
    selection.bank[0].pcrs = 1;
    g_autoptr(GBytes) message = NULL;
    g_autoptr(GBytes) signature = NULL;
    g_autofree PcrValues *values = g_new0(PcrValues, 1);
    TpmSignature parsed;
    if (!software_tpm_quote(tpm, &selection, BYTES_OF_ARRAY(nonce), &message, &signature, values,
                            error) ||
        !tpm_signature_parse(bytes_of_gbytes(signature), &parsed, error))
        return false;

    double before = thread_cpu_seconds();
    for (int i = 0; i < ROUNDS; i++)
        if (!tpm_signature_verify(ak, &parsed, bytes_of_gbytes(message)))
            g_error("the software TPM's signature does not verify");
    out->signature_us = (thread_cpu_seconds() - before) * 1e6 / ROUNDS;

    uint8_t digest[TPM_MAX_DIGEST];
    before = thread_cpu_seconds();
    for (int i = 0; i < ROUNDS; i++)
        pcr_values_digest(values, ak->scheme_hash, digest);
    out->digest_us = (thread_cpu_seconds() - before) * 1e6 / ROUNDS;
    measure_records(bytes, out);
    return true;
}

double floor_total(const Floor *floor)
{
    return floor->signature_us + floor->digest_us + floor->records_us;
}
