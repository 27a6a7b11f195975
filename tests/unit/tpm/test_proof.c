/* SPDX-License-Identifier: Apache-2.0 */
/* Quotes, certifications and the clock: what verifies, and that one change at a time does not. */
#include "software_ak.h"
#include "tpm/marshal.h"

#include "base/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *word;
    uint16_t scheme, hash;
} algorithms[] = {
    {"rsa2048", TPM_ALG_RSASSA, TPM_ALG_SHA256}, {"rsa2048", TPM_ALG_RSAPSS, TPM_ALG_SHA384},
    {"ecc256", TPM_ALG_ECDSA, TPM_ALG_SHA256},   {"ecc384", TPM_ALG_ECDSA, TPM_ALG_SHA384},
    {"ecc521", TPM_ALG_ECDSA, TPM_ALG_SHA512},
};

static ProofResult verify(const QuoteInput *input)
{
    VerifiedQuote *quote = NULL;
    ProofResult result = quote_verify(input, &quote);
    assert_int_equal(result == PROOF_VERIFIED, quote != NULL);
    g_free(quote);
    return result;
}

static void test_quote_of_every_algorithm(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(algorithms); i++) {
        SoftwareAk ak =
            software_ak_new(algorithms[i].word, algorithms[i].scheme, algorithms[i].hash);
        SoftwareQuote quote;
        software_quote_begin(&quote, algorithms[i].hash, 0x00cc01);
        software_quote_sign(&quote, &ak);
        QuoteInput input = software_quote_input(&quote, &ak);
        VerifiedQuote *verified = NULL;
        assert_int_equal(quote_verify(&input, &verified), PROOF_VERIFIED);
        assert_int_equal(verified->hash, algorithms[i].hash);
        assert_int_equal(verified->clock.clock, 1000);
        assert_int_equal(verified->firmware_version, 7);
        assert_int_equal(pcr_values_get(&verified->pcrs, verified->hash, 15).data[0], 16);
        input.hash = 0;
        assert_int_equal(verify(&input), PROOF_VERIFIED);
        g_free(verified);
        software_quote_clear(&quote);
        software_ak_clear(&ak);
    }
}

/* One key and one good quote by it, for the tests that change one thing. */
typedef struct {
    SoftwareAk ak;
    SoftwareQuote quote;
    QuoteInput input;
} Fixture;

static int set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);
    fixture->ak = software_ak_new("ecc256", TPM_ALG_ECDSA, TPM_ALG_SHA256);
    software_quote_begin(&fixture->quote, TPM_ALG_SHA256, 0x8001);
    software_quote_sign(&fixture->quote, &fixture->ak);
    fixture->input = software_quote_input(&fixture->quote, &fixture->ak);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    software_quote_clear(&fixture->quote);
    software_ak_clear(&fixture->ak);
    g_free(fixture);
    return 0;
}

static void test_nonce(void **state)
{
    Fixture *fixture = *state;
    uint8_t other[16] = {1};
    fixture->input.nonce = BYTES_OF_ARRAY(other);
    assert_int_equal(verify(&fixture->input), PROOF_WRONG_NONCE);
    fixture->input.nonce = bytes_of(fixture->quote.nonce, 15);
    assert_int_equal(verify(&fixture->input), PROOF_WRONG_NONCE);
    fixture->input.nonce = BYTES_EMPTY;
    assert_int_equal(verify(&fixture->input), PROOF_WRONG_NONCE);
}

static void test_signed_bytes(void **state)
{
    Fixture *fixture = *state;
    Bytes message = fixture->input.message;
    g_autofree uint8_t *changed = g_memdup2(message.data, message.size);
    for (size_t i = 0; i < message.size; i++) {
        changed[i] ^= 0x80;
        fixture->input.message = bytes_of(changed, message.size);
        assert_int_equal(verify(&fixture->input), PROOF_BAD_SIGNATURE);
        changed[i] ^= 0x80;
    }
    fixture->input.message = BYTES_EMPTY;
    assert_int_equal(verify(&fixture->input), PROOF_BAD_SIGNATURE);
}

static void test_signature_bytes(void **state)
{
    Fixture *fixture = *state;
    Bytes signature = fixture->input.signature;
    g_autofree uint8_t *changed = g_memdup2(signature.data, signature.size);
    for (size_t i = 0; i < signature.size; i++) {
        changed[i] ^= 1;
        fixture->input.signature = bytes_of(changed, signature.size);
        assert_int_not_equal(verify(&fixture->input), PROOF_VERIFIED);
        changed[i] ^= 1;
        g_autofree uint8_t *cut = g_memdup2(signature.data, i);
        fixture->input.signature = bytes_of(cut, i);
        assert_int_equal(verify(&fixture->input), PROOF_MALFORMED_SIGNATURE);
    }
}

static void test_algorithms_are_held_to_the_rules(void **state)
{
    Fixture *fixture = *state;
    static const char *const rsa[] = {"rsassa", "rsapss", NULL}, *const ecc[] = {"ecdsa", NULL};
    static const char *const sha384[] = {"sha384", NULL}, *const sha256_only[] = {"sha256", NULL};
    fixture->input.rules = (ProofRules){rsa, NULL};
    assert_int_equal(verify(&fixture->input), PROOF_ALGORITHM_NOT_ALLOWED);
    fixture->input.rules = (ProofRules){ecc, sha384};
    assert_int_equal(verify(&fixture->input), PROOF_ALGORITHM_NOT_ALLOWED);
    fixture->input.rules = (ProofRules){ecc, sha256_only};
    assert_int_equal(verify(&fixture->input), PROOF_VERIFIED);
    fixture->input.hash = TPM_ALG_SHA384;
    assert_int_equal(verify(&fixture->input), PROOF_ALGORITHM_NOT_ALLOWED);
    fixture->input.hash = TPM_ALG_SHA256;
    fixture->input.scheme = TPM_ALG_RSASSA;
    assert_int_equal(verify(&fixture->input), PROOF_ALGORITHM_NOT_ALLOWED);
}

static void test_sha1_must_be_named(void **state)
{
    static const char *const named[] = {"sha1", NULL};
    SoftwareAk ak = software_ak_new("rsa2048", TPM_ALG_RSASSA, TPM_ALG_SHA1);
    SoftwareQuote quote;
    software_quote_begin(&quote, TPM_ALG_SHA1, 1);
    software_quote_sign(&quote, &ak);
    QuoteInput input = software_quote_input(&quote, &ak);
    assert_int_equal(verify(&input), PROOF_ALGORITHM_NOT_ALLOWED);
    input.rules.hashes = named;
    assert_int_equal(verify(&input), PROOF_VERIFIED);
    software_quote_clear(&quote);
    software_ak_clear(&ak);
}

static void test_key_must_be_an_attestation_key(void **state)
{
    Fixture *fixture = *state;
    fixture->ak.public->attributes = 0x00040072;
    assert_int_equal(verify(&fixture->input), PROOF_BAD_KEY);
    fixture->input.ak = NULL;
    assert_int_equal(verify(&fixture->input), PROOF_BAD_KEY);
}

/* The blob says other PCRs than the signed ones, with values that give the signed digest. */
static void test_relabelled_pcrs(void **state)
{
    Fixture *fixture = *state;
    PcrValues *values = &fixture->quote.pcrs;
    values->selection.bank[0].pcrs = 0x0401;
    memcpy(values->value[0][10], values->value[0][15], 32);
    g_autoptr(GBytes) blob = pcr_blob_make(values);
    fixture->input.pcr_blob = bytes_of_gbytes(blob);
    fixture->input.required_pcrs = 0x0401;
    assert_int_equal(verify(&fixture->input), PROOF_SELECTION_DIFFERS);
}

static void test_other_values(void **state)
{
    Fixture *fixture = *state;
    fixture->quote.pcrs.value[0][15][31] ^= 1;
    g_autoptr(GBytes) blob = pcr_blob_make(&fixture->quote.pcrs);
    fixture->input.pcr_blob = bytes_of_gbytes(blob);
    assert_int_equal(verify(&fixture->input), PROOF_DIGEST_DIFFERS);
    fixture->input.pcr_blob.size--;
    assert_int_equal(verify(&fixture->input), PROOF_MALFORMED_PCRS);
}

static void test_required_pcrs(void **state)
{
    Fixture *fixture = *state;
    fixture->input.required_pcrs = 0x8003;
    assert_int_equal(verify(&fixture->input), PROOF_PCRS_MISSING);
    fixture->input.required_pcrs = 0x8000;
    assert_int_equal(verify(&fixture->input), PROOF_VERIFIED);
}

/* A good signature over a structure that is no quote of this selection. */
static void test_signed_but_malformed(void **state)
{
    Fixture *fixture = *state;
    static const size_t offsets[] = {0, 5, 76, 91}; /* magic, type, safe flag, sizeofSelect */
    for (size_t i = 0; i < G_N_ELEMENTS(offsets); i++) {
        Bytes good = bytes_of_gbytes(fixture->quote.message);
        g_autofree uint8_t *changed = g_memdup2(good.data, good.size);
        changed[offsets[i]] ^= 0x44;
        fixture->input.message = bytes_of(changed, good.size);
        g_autoptr(GBytes) signature = tpm_signature_make(
            fixture->ak.key, TPM_ALG_ECDSA, TPM_ALG_SHA256, fixture->input.message, NULL);
        fixture->input.signature = bytes_of_gbytes(signature);
        assert_int_not_equal(verify(&fixture->input), PROOF_VERIFIED);
        assert_int_not_equal(verify(&fixture->input), PROOF_BAD_SIGNATURE);
    }
}

static GBytes *certification(const TpmPublic *signer, Bytes name, Bytes qualifying)
{
    const TpmAttest attest = {
        .type = TPM_ATTEST_CERTIFY,
        .qualified_signer = tpm_public_name(signer),
        .extra_data = qualifying,
        .clock = {.clock = 5, .safe = true},
        .certified_name = name,
        .certified_qualified_name = name,
    };
    return tpm_attest_marshal(&attest);
}

static ProofResult possession(const Fixture *fixture, GBytes *message, Bytes challenge)
{
    g_autoptr(GBytes) signature = tpm_signature_make(fixture->ak.key, TPM_ALG_ECDSA, TPM_ALG_SHA256,
                                                     bytes_of_gbytes(message), NULL);
    return certify_verify_possession(fixture->ak.public, bytes_of_gbytes(message),
                                     bytes_of_gbytes(signature), challenge, NULL);
}

static void test_possession(void **state)
{
    Fixture *fixture = *state;
    static const uint8_t challenge[16] = {1, 2, 3}, other[16] = {1, 2, 4};
    Bytes ak_name = tpm_public_name(fixture->ak.public);
    g_autoptr(GBytes) good = certification(fixture->ak.public, ak_name, BYTES_OF_ARRAY(challenge));
    assert_int_equal(possession(fixture, good, BYTES_OF_ARRAY(challenge)), PROOF_VERIFIED);
    assert_int_equal(possession(fixture, good, BYTES_OF_ARRAY(other)), PROOF_WRONG_NONCE);
    assert_int_equal(
        possession(fixture, fixture->quote.message, BYTES_OF_ARRAY(fixture->quote.nonce)),
        PROOF_MALFORMED_MESSAGE);
    g_autoptr(GBytes) unasked = certification(fixture->ak.public, ak_name, BYTES_EMPTY);
    assert_int_equal(possession(fixture, unasked, BYTES_EMPTY), PROOF_WRONG_NONCE);
    static const uint8_t stranger[34] = {0, 0x0b};
    g_autoptr(GBytes) foreign =
        certification(fixture->ak.public, BYTES_OF_ARRAY(stranger), BYTES_OF_ARRAY(challenge));
    assert_int_equal(possession(fixture, foreign, BYTES_OF_ARRAY(challenge)), PROOF_WRONG_OBJECT);
}

static void test_iak(void **state)
{
    Fixture *fixture = *state;
    SoftwareAk iak = software_ak_new("ecc256", TPM_ALG_ECDSA, TPM_ALG_SHA256);
    Bytes ak_name = tpm_public_name(fixture->ak.public);
    const char *id = "agent-1";
    uint8_t digest[SHA256_SIZE];
    sha256(bytes_of_text(id), digest);
    const Bytes forms[] = {bytes_of_text(id), BYTES_OF_ARRAY(digest)};
    for (size_t i = 0; i < G_N_ELEMENTS(forms); i++) {
        g_autoptr(GBytes) message = certification(iak.public, ak_name, forms[i]);
        g_autoptr(GBytes) signature = tpm_signature_make(iak.key, TPM_ALG_ECDSA, TPM_ALG_SHA256,
                                                         bytes_of_gbytes(message), NULL);
        Bytes m = bytes_of_gbytes(message), s = bytes_of_gbytes(signature);
        assert_int_equal(certify_verify_iak(iak.public, fixture->ak.public, m, s, id),
                         PROOF_VERIFIED);
        assert_int_equal(certify_verify_iak(iak.public, fixture->ak.public, m, s, "agent-2"),
                         PROOF_WRONG_NONCE);
        assert_int_equal(certify_verify_iak(iak.public, iak.public, m, s, id), PROOF_WRONG_OBJECT);
        assert_int_equal(certify_verify_iak(fixture->ak.public, fixture->ak.public, m, s, id),
                         PROOF_BAD_SIGNATURE);
    }
    iak.public->attributes = 0x00040072;
    assert_int_equal(
        certify_verify_iak(iak.public, fixture->ak.public, BYTES_EMPTY, BYTES_EMPTY, id),
        PROOF_BAD_KEY);
    software_ak_clear(&iak);
}

static void test_clock(void **state)
{
    static const struct {
        TpmClock previous, current;
        ClockResult result;
    } cases[] = {
        {{10, 1, 0, true}, {11, 1, 0, true}, CLOCK_CONTINUES},
        {{10, 1, 0, true}, {11, 1, 1, true}, CLOCK_CONTINUES},
        {{10, 1, 0, true}, {10, 1, 0, true}, CLOCK_WENT_BACK},
        {{10, 1, 0, true}, {10, 1, 1, true}, CLOCK_WENT_BACK},
        {{10, 1, 2, true}, {11, 1, 1, true}, CLOCK_RESTART_WENT_BACK},
        {{10, 2, 0, true}, {99, 1, 5, true}, CLOCK_RESET_WENT_BACK},
        {{10, 1, 3, true}, {11, 2, 0, true}, CLOCK_NEW_BOOT},
        {{10, 1, 0, true}, {9, 2, 0, true}, CLOCK_WENT_BACK},
        {{10, 1, 0, true}, {9, 2, 0, false}, CLOCK_UNSAFE_NEW_BOOT},
        {{10, 1, 0, true}, {11, 1, 0, false}, CLOCK_UNSAFE},
        {{10, 1, 0, true}, {10, 1, 0, false}, CLOCK_WENT_BACK},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        ClockResult result = clock_compare(&cases[i].previous, &cases[i].current);
        assert_int_equal(result, cases[i].result);
        assert_int_equal(clock_is_acceptable(result), result <= CLOCK_UNSAFE_NEW_BOOT);
    }
}

static void test_texts(void **state)
{
    for (int i = 0; i <= PROOF_PCRS_MISSING; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(proof_result_text((ProofResult)i),
                                    proof_result_text((ProofResult)j));
    assert_string_equal(proof_result_text((ProofResult)999), proof_result_text(PROOF_UNCHECKED));
    for (int i = 0; i <= CLOCK_RESTART_WENT_BACK; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(clock_result_text((ClockResult)i),
                                    clock_result_text((ClockResult)j));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quote_of_every_algorithm),
        cmocka_unit_test(test_sha1_must_be_named),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_texts),
        cmocka_unit_test_setup_teardown(test_nonce, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_signed_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_signature_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_algorithms_are_held_to_the_rules, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_key_must_be_an_attestation_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_relabelled_pcrs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_required_pcrs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_signed_but_malformed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_possession, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_iak, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
