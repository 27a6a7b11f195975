/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An attestation key in software, and quotes by it: what the tests change one thing of.
 */
#pragma once

#include "tpm/quote.h"

typedef struct {
    EVP_PKEY *key;
    TpmPublic *public;
    uint16_t scheme, hash;
} SoftwareAk;

/* `encryption_alg` as in tpm/template.h. Aborts the test program on failure. */
SoftwareAk software_ak_new(const char *encryption_alg, uint16_t scheme, uint16_t hash);
void software_ak_clear(SoftwareAk *ak);

/* Everything a quote is made of; each part may be changed before software_quote_sign(). */
typedef struct {
    TpmClock clock;
    PcrValues pcrs;
    uint8_t nonce[16];
    GBytes *message, *signature, *blob;
} SoftwareQuote;

/* PCR n of the bank `hash` holds bytes of value n + 1; clock 1000, resetCount 1. */
void software_quote_begin(SoftwareQuote *quote, uint16_t hash, uint32_t pcrs);
/* Message over the present PCR values, its signature, and the blob. */
void software_quote_sign(SoftwareQuote *quote, const SoftwareAk *ak);
void software_quote_clear(SoftwareQuote *quote);
/* Input that verifies. */
QuoteInput software_quote_input(const SoftwareQuote *quote, const SoftwareAk *ak);
