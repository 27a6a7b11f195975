/* SPDX-License-Identifier: Apache-2.0 */
#include "floor.h"

#include "floor_tls.h"
#include "measure.h"
#include "tpm/credential.h"

#define ROUNDS 2000
#define SMALL_MESSAGE 512

static double microseconds_a_round(double since)
{
    return (thread_cpu_seconds() - since) * 1e6 / ROUNDS;
}

static bool measure_quote(SoftwareTpm *tpm, Floor *out, GError **error)
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
    out->signature_us = microseconds_a_round(before);

    uint8_t digest[TPM_MAX_DIGEST];
    before = thread_cpu_seconds();
    for (int i = 0; i < ROUNDS; i++)
        pcr_values_digest(values, ak->scheme_hash, digest);
    out->digest_us = microseconds_a_round(before);
    return true;
}

static bool measure_credential(SoftwareTpm *tpm, Floor *out, GError **error)
{
    static const uint8_t credential[CREDENTIAL_SIZE] = {1};
    Bytes name = tpm_public_name(software_tpm_ak(tpm));
    double before = thread_cpu_seconds();
    for (int i = 0; i < ROUNDS; i++) {
        g_autoptr(GBytes) blob =
            credential_make(software_tpm_ek(tpm), name, BYTES_OF_ARRAY(credential), error);
        if (!blob)
            return false;
    }
    out->credential_us = microseconds_a_round(before);
    return true;
}

bool floor_measure(SoftwareTpm *tpm, const Traffic *challenge, const Traffic *evidence, Floor *out,
                   GError **error)
{
    *out = (Floor){0};
    if (!measure_quote(tpm, out, error) || !measure_credential(tpm, out, error))
        return false;
    out->records_us = floor_tls_exchange_us(challenge->request, challenge->answer) +
                      floor_tls_exchange_us(evidence->request, evidence->answer);
    out->small_us = floor_tls_exchange_us(SMALL_MESSAGE, SMALL_MESSAGE);
    out->handshake_us = floor_tls_handshake_us();
    return true;
}
