/* SPDX-License-Identifier: Apache-2.0 */
/* The software TPM's proofs against the verifier's own checks, for each kind of key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/software_tpm.h"
#include "tpm/credential.h"
#include "tpm/quote.h"

#include <string.h>

static const KeyTemplate kinds[] = {
    {TPM_ALG_RSA, 2048, TPM_ALG_RSASSA, TPM_ALG_SHA256},
    {TPM_ALG_RSA, 2048, TPM_ALG_RSAPSS, TPM_ALG_SHA384},
    {TPM_ALG_ECC, 256, TPM_ALG_ECDSA, TPM_ALG_SHA256},
    {TPM_ALG_ECC, 384, TPM_ALG_ECDSA, TPM_ALG_SHA384},
    {TPM_ALG_ECC, 521, TPM_ALG_ECDSA, TPM_ALG_SHA512},
};

static const uint8_t nonce_bytes[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static SoftwareTpm *ready(const KeyTemplate *keys)
{
    SoftwareTpm *tpm = software_tpm_new(keys, NULL);
    g_autoptr(GBytes) tpmt = NULL;
    g_autoptr(GBytes) private_part = NULL;
    assert_non_null(tpm);
    assert_true(software_tpm_create_ak(tpm, &tpmt, &private_part, NULL));
    assert_true(tpm_public_check_attestation_key(software_tpm_ak(tpm), NULL));
    assert_true(tpm_public_check_endorsement_key(software_tpm_ek(tpm), NULL));
    return tpm;
}

static ProofResult quote(SoftwareTpm *tpm, uint16_t bank, uint32_t pcrs, Bytes expected_nonce,
                         VerifiedQuote **verified)
{
    PcrSelection selection = {.count = 1, .bank = {{bank, pcrs}}};
    PcrValues values;
    g_autoptr(GBytes) message = NULL;
    g_autoptr(GBytes) signature = NULL;
    assert_true(software_tpm_quote(tpm, &selection, BYTES_OF_ARRAY(nonce_bytes), &message,
                                   &signature, &values, NULL));
    g_autoptr(GBytes) blob = pcr_blob_make(&values);
    QuoteInput input = {.ak = software_tpm_ak(tpm),
                        .message = bytes_of_gbytes(message),
                        .signature = bytes_of_gbytes(signature),
                        .pcr_blob = bytes_of_gbytes(blob),
                        .nonce = expected_nonce,
                        .required_pcrs = pcrs};
    return quote_verify(&input, verified);
}

static void test_quotes_verify(void **state)
{
    (void)state;
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autoptr(SoftwareTpm) tpm = ready(&kinds[i]);
        g_autofree VerifiedQuote *first = NULL;
        g_autofree VerifiedQuote *second = NULL;
        Bytes nonce = BYTES_OF_ARRAY(nonce_bytes);
        assert_int_equal(quote(tpm, kinds[i].hash, 0x00FFFFFF, nonce, &first), PROOF_VERIFIED);
        size_t size = tpm_hash_size(kinds[i].hash);
        assert_true(bytes_are_zero(pcr_values_get(&first->pcrs, kinds[i].hash, 23)));

        uint8_t digest[TPM_MAX_DIGEST] = {0xAB};
        assert_true(software_tpm_extend(tpm, kinds[i].hash, 15, bytes_of(digest, size)));
        assert_int_equal(quote(tpm, kinds[i].hash, 1u << 15, nonce, &second), PROOF_VERIFIED);
        assert_false(bytes_are_zero(pcr_values_get(&second->pcrs, kinds[i].hash, 15)));
        assert_int_equal(clock_compare(&first->clock, &second->clock), CLOCK_CONTINUES);
    }
}

static void test_wrong_nonce_is_found(void **state)
{
    (void)state;
    g_autoptr(SoftwareTpm) tpm = ready(&kinds[2]);
    const uint8_t other[16] = {0};
    VerifiedQuote *verified = NULL;
    assert_int_equal(quote(tpm, TPM_ALG_SHA256, 1, BYTES_OF_ARRAY(other), &verified),
                     PROOF_WRONG_NONCE);
    assert_null(verified);
}

static void test_possession_and_activation(void **state)
{
    (void)state;
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autoptr(SoftwareTpm) tpm = ready(&kinds[i]);
        g_autoptr(GBytes) message = NULL;
        g_autoptr(GBytes) signature = NULL;
        Bytes nonce = BYTES_OF_ARRAY(nonce_bytes);
        ProofRules rules = {0};
        assert_true(software_tpm_certify(tpm, nonce, &message, &signature, NULL));
        assert_int_equal(certify_verify_possession(software_tpm_ak(tpm), bytes_of_gbytes(message),
                                                   bytes_of_gbytes(signature), nonce, &rules),
                         PROOF_VERIFIED);

        uint8_t credential[CREDENTIAL_SIZE];
        memset(credential, 7, sizeof credential);
        g_autoptr(GBytes) blob =
            credential_make(software_tpm_ek(tpm), tpm_public_name(software_tpm_ak(tpm)),
                            BYTES_OF_ARRAY(credential), NULL);
        g_autoptr(GBytes) opened = software_tpm_activate(tpm, bytes_of_gbytes(blob), NULL);
        assert_non_null(opened);
        assert_true(bytes_equal(bytes_of_gbytes(opened), BYTES_OF_ARRAY(credential)));
    }
}

/* A credential for another key opens nowhere. */
static void test_foreign_credential(void **state)
{
    (void)state;
    g_autoptr(SoftwareTpm) tpm = ready(&kinds[2]);
    g_autoptr(SoftwareTpm) other = ready(&kinds[2]);
    const uint8_t credential[CREDENTIAL_SIZE] = {7};
    g_autoptr(GBytes) blob =
        credential_make(software_tpm_ek(tpm), tpm_public_name(software_tpm_ak(other)),
                        BYTES_OF_ARRAY(credential), NULL);
    g_autoptr(GError) error = NULL;
    assert_null(software_tpm_activate(tpm, bytes_of_gbytes(blob), &error));
    assert_non_null(error);
}

static void test_keys_survive(void **state)
{
    (void)state;
    g_autoptr(SoftwareTpm) tpm = software_tpm_new(&kinds[0], NULL);
    g_autoptr(GBytes) tpmt = NULL;
    g_autoptr(GBytes) private_part = NULL;
    assert_true(software_tpm_create_ak(tpm, &tpmt, &private_part, NULL));
    g_autoptr(GBytes) kept = software_tpm_ek_private(tpm);
    g_autoptr(SoftwareTpm) again = software_tpm_restore(&kinds[0], bytes_of_gbytes(kept), NULL);
    assert_non_null(again);
    assert_true(bytes_equal(tpm_public_name(software_tpm_ek(again)),
                            tpm_public_name(software_tpm_ek(tpm))));
    assert_true(
        software_tpm_load_ak(again, bytes_of_gbytes(tpmt), bytes_of_gbytes(private_part), NULL));
    /* A kept key of another kind, and damage. */
    g_autoptr(GError) error = NULL;
    assert_null(software_tpm_restore(&kinds[2], bytes_of_gbytes(kept), &error));
    Bytes half = bytes_of_gbytes(kept);
    half.size /= 2;
    assert_null(software_tpm_restore(&kinds[0], half, NULL));
}

static void test_counters(void **state)
{
    (void)state;
    g_autoptr(SoftwareTpm) tpm = ready(&kinds[2]);
    software_tpm_set_clock(tpm, 1000, 1, 0);
    TpmClock before = software_tpm_clock(tpm);
    TpmClock next = software_tpm_clock(tpm);
    assert_true(next.clock > before.clock);
    software_tpm_set_clock(tpm, 4000000, 2, 0);
    TpmClock after = software_tpm_clock(tpm);
    assert_int_equal(clock_compare(&next, &after), CLOCK_NEW_BOOT);
}

static void test_bounds(void **state)
{
    (void)state;
    g_autoptr(SoftwareTpm) tpm = ready(&kinds[2]);
    const uint8_t digest[32] = {0}, long_nonce[67] = {0};
    assert_false(software_tpm_extend(tpm, TPM_ALG_SHA256, 24, BYTES_OF_ARRAY(digest)));
    assert_false(software_tpm_extend(tpm, TPM_ALG_SHA1, 0, BYTES_OF_ARRAY(digest)));
    assert_false(software_tpm_extend(tpm, TPM_ALG_SHA384, 0, BYTES_OF_ARRAY(digest)));
    g_autoptr(GBytes) message = NULL;
    g_autoptr(GBytes) signature = NULL;
    assert_false(software_tpm_certify(tpm, BYTES_OF_ARRAY(long_nonce), &message, &signature, NULL));
    PcrSelection sha1 = {.count = 1, .bank = {{TPM_ALG_SHA1, 1}}};
    PcrValues values;
    assert_false(software_tpm_quote(tpm, &sha1, BYTES_OF_ARRAY(digest), &message, &signature,
                                    &values, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quotes_verify),
        cmocka_unit_test(test_wrong_nonce_is_found),
        cmocka_unit_test(test_possession_and_activation),
        cmocka_unit_test(test_foreign_credential),
        cmocka_unit_test(test_keys_survive),
        cmocka_unit_test(test_counters),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
