/* SPDX-License-Identifier: Apache-2.0 */
/* Quotes while PCRs move: a TPM in software whose PCR 10 is extended between the two commands. */
#include "agent/steady_quote.h"

#include "agent/software_tpm.h"
#include "tpm/quote.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define PCRS ((1u << 0) | (1u << 10))

static const uint8_t nonce[16] = {7};
static const PcrSelection selection = {.count = 1, .bank = {{TPM_ALG_SHA256, PCRS}}};

typedef struct {
    TpmDevice base;
    SoftwareTpm *tpm;
    int changes; /* still to come, one after each reading; the PCR changes again and again below 0
                  */
    int reads, quotes;
    int fails_at; /* the quote that the TPM refuses; 0 = none */
} MovingTpm;

static bool moving_read(TpmDevice *device, const PcrSelection *wanted, PcrValues *values,
                        GError **error)
{
    MovingTpm *self = (MovingTpm *)device;
    g_autoptr(GBytes) message = NULL;
    g_autoptr(GBytes) signature = NULL;
    self->reads++;
    assert_true(software_tpm_quote(self->tpm, wanted, BYTES_OF_ARRAY(nonce), &message, &signature,
                                   values, error));
    static const uint8_t measured[32] = {0xAB};
    if (self->changes != 0)
        assert_true(software_tpm_extend(self->tpm, TPM_ALG_SHA256, 10, BYTES_OF_ARRAY(measured)));
    if (self->changes > 0)
        self->changes--;
    return true;
}

static bool moving_quote(TpmDevice *device, const PcrSelection *wanted, Bytes challenge,
                         GBytes **message, GBytes **signature, GError **error)
{
    MovingTpm *self = (MovingTpm *)device;
    PcrValues unread;
    if (++self->quotes == self->fails_at) {
        g_set_error_literal(error, TPM_DEVICE_ERROR, TPM_DEVICE_ERROR_UNAVAILABLE, "gone");
        return false;
    }
    return software_tpm_quote(self->tpm, wanted, challenge, message, signature, &unread, error);
}

static MovingTpm *moving_new(int changes)
{
    static const KeyTemplate keys = {TPM_ALG_ECC, 256, TPM_ALG_ECDSA, TPM_ALG_SHA256};
    g_autoptr(GBytes) tpmt = NULL;
    g_autoptr(GBytes) private_part = NULL;
    MovingTpm *self = g_new0(MovingTpm, 1);
    self->tpm = software_tpm_new(&keys, NULL);
    self->changes = changes;
    assert_true(software_tpm_create_ak(self->tpm, &tpmt, &private_part, NULL));
    return self;
}

static void moving_free(MovingTpm *self)
{
    software_tpm_free(self->tpm);
    g_free(self);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MovingTpm, moving_free)

static bool quote(MovingTpm *self, GBytes **message, GBytes **signature, PcrValues *values,
                  GError **error)
{
    QuoteCommands commands = {&self->base, moving_read, moving_quote, TPM_ALG_SHA256};
    return steady_quote(&commands, &selection, BYTES_OF_ARRAY(nonce), message, signature, values,
                        error);
}

/* After each number of changes that leaves a try, what is returned verifies. */
static void taken_again_until_the_pcrs_stand_still(void **state)
{
    for (int changes = 0; changes < QUOTE_TRIES; changes++) {
        g_autoptr(MovingTpm) tpm = moving_new(changes);
        g_autoptr(GBytes) message = NULL;
        g_autoptr(GBytes) signature = NULL;
        PcrValues values;
        assert_true(quote(tpm, &message, &signature, &values, NULL));
        assert_int_equal(tpm->reads, changes + 1);
        assert_int_equal(tpm->quotes, changes + 1);
        g_autoptr(GBytes) blob = pcr_blob_make(&values);
        g_autofree VerifiedQuote *verified = NULL;
        QuoteInput input = {.ak = software_tpm_ak(tpm->tpm),
                            .message = bytes_of_gbytes(message),
                            .signature = bytes_of_gbytes(signature),
                            .pcr_blob = bytes_of_gbytes(blob),
                            .nonce = BYTES_OF_ARRAY(nonce),
                            .required_pcrs = PCRS};
        assert_int_equal(quote_verify(&input, &verified), PROOF_VERIFIED);
    }
}

static void given_up_after_five(void **state)
{
    g_autoptr(MovingTpm) tpm = moving_new(-1);
    g_autoptr(GBytes) message = NULL;
    g_autoptr(GBytes) signature = NULL;
    g_autoptr(GError) error = NULL;
    PcrValues values;
    assert_false(quote(tpm, &message, &signature, &values, &error));
    assert_true(g_error_matches(error, TPM_DEVICE_ERROR, TPM_DEVICE_ERROR_REFUSED));
    assert_string_equal(error->message, "the PCRs changed during each of 5 quotes");
    assert_int_equal(tpm->reads, 5);
    assert_int_equal(tpm->quotes, 5);
    assert_null(message);
    assert_null(signature);
}

/* A TPM that refuses is not asked again. */
static void ended_by_an_error(void **state)
{
    g_autoptr(MovingTpm) tpm = moving_new(-1);
    g_autoptr(GBytes) message = NULL;
    g_autoptr(GBytes) signature = NULL;
    g_autoptr(GError) error = NULL;
    PcrValues values;
    tpm->fails_at = 3;
    assert_false(quote(tpm, &message, &signature, &values, &error));
    assert_true(g_error_matches(error, TPM_DEVICE_ERROR, TPM_DEVICE_ERROR_UNAVAILABLE));
    assert_int_equal(tpm->quotes, 3);
    assert_null(message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taken_again_until_the_pcrs_stand_still),
        cmocka_unit_test(given_up_after_five),
        cmocka_unit_test(ended_by_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
