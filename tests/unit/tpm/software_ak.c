/* SPDX-License-Identifier: Apache-2.0 */
#include "software_ak.h"

#include "tpm/key.h"
#include "tpm/marshal.h"
#include "tpm/template.h"

#include <string.h>

SoftwareAk software_ak_new(const char *encryption_alg, uint16_t scheme, uint16_t hash)
{
    SoftwareAk ak = {.scheme = scheme, .hash = hash};
    TpmTemplate keys;
    g_assert_true(tpm_template_ak(encryption_alg, hash, scheme, &keys));
    ak.key = keys.type == TPM_ALG_RSA
                 ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)keys.key_bits)
                 : EVP_PKEY_Q_keygen(NULL, NULL, "EC", tpm_curve_find(keys.curve)->group);
    g_autoptr(GBytes) tpmt = tpm_template_public(&keys, ak.key, NULL);
    g_assert_nonnull(tpmt);
    ak.public = tpm_public_from_tpmt(bytes_of_gbytes(tpmt), NULL);
    g_assert_nonnull(ak.public);
    return ak;
}

void software_ak_clear(SoftwareAk *ak)
{
    EVP_PKEY_free(ak->key);
    tpm_public_free(ak->public);
}

void software_quote_begin(SoftwareQuote *quote, uint16_t hash, uint32_t pcrs)
{
    memset(quote, 0, sizeof *quote);
    quote->clock = (TpmClock){.clock = 1000, .reset_count = 1, .safe = true};
    memset(quote->nonce, 0x5a, sizeof quote->nonce);
    g_assert_true(pcr_selection_add(&quote->pcrs.selection, hash, pcrs));
    for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++)
        memset(quote->pcrs.value[0][pcr], (int)pcr + 1, tpm_hash_size(hash));
}

void software_quote_sign(SoftwareQuote *quote, const SoftwareAk *ak)
{
    uint8_t digest[TPM_MAX_DIGEST];
    g_assert_true(pcr_values_digest(&quote->pcrs, ak->hash, digest));
    const TpmAttest attest = {
        .type = TPM_ATTEST_QUOTE,
        .qualified_signer = tpm_public_name(ak->public),
        .extra_data = BYTES_OF_ARRAY(quote->nonce),
        .clock = quote->clock,
        .firmware_version = 7,
        .selection = quote->pcrs.selection,
        .pcr_digest = bytes_of(digest, tpm_hash_size(ak->hash)),
    };
    software_quote_clear(quote);
    quote->message = tpm_attest_marshal(&attest);
    quote->signature =
        tpm_signature_make(ak->key, ak->scheme, ak->hash, bytes_of_gbytes(quote->message), NULL);
    g_assert_nonnull(quote->signature);
    quote->blob = pcr_blob_make(&quote->pcrs);
}

void software_quote_clear(SoftwareQuote *quote)
{
    g_clear_pointer(&quote->message, g_bytes_unref);
    g_clear_pointer(&quote->signature, g_bytes_unref);
    g_clear_pointer(&quote->blob, g_bytes_unref);
}

QuoteInput software_quote_input(const SoftwareQuote *quote, const SoftwareAk *ak)
{
    return (QuoteInput){
        .ak = ak->public,
        .message = bytes_of_gbytes(quote->message),
        .signature = bytes_of_gbytes(quote->signature),
        .pcr_blob = bytes_of_gbytes(quote->blob),
        .nonce = BYTES_OF_ARRAY(quote->nonce),
        .hash = ak->hash,
        .required_pcrs = pcr_values_in_bank(&quote->pcrs, ak->hash),
    };
}
