/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A quote as one text, the way that agents and tools outside of push mode carry it:
 * "r" message ":" signature ":" PCR values, each in base64 (tenant-and-management-api §8.2). Pure.
 */
#pragma once

#include "evidence/verdict.h"

typedef struct {
    GBytes *message, *signature, *pcr_blob;
} CompoundQuote;

/* False, with nothing in *out and the failure `qoute_validation.invalid_quote` in the verdict, when
 * the text is no quote. */
bool compound_quote_parse(const char *text, CompoundQuote *out, Verdict *verdict);
void compound_quote_clear(CompoundQuote *quote);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CompoundQuote, compound_quote_clear)

/*
 * The bytes of a nonce that is told as a text: what the text stands for in base64 when the quote's
 * (unverified) message holds just that, else the text's own bytes. Which of the two the TPM was
 * given cannot be seen from the text; verification compares it with what was signed either way.
 */
GBytes *compound_quote_nonce(const CompoundQuote *quote, const char *nonce);

/* The hash by its name; 0, with the failure `qoute_validation.invalid_hash_alg` in the verdict,
 * when there is none of this name. */
uint16_t compound_quote_bank(const char *hash_alg, Verdict *verdict);
/* The failure `qoute_validation.invalid_quote`. */
void compound_quote_fail(Verdict *verdict, const char *reason);
