/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which TPM algorithms an agent may use: the `accept_tpm_*` lists of its enrolment (decisions D6,
 * D7).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    const char *const *hashes;     /* accept_tpm_hash_algs, in the operator's order */
    const char *const *encryption; /* accept_tpm_encryption_algs */
    const char *const *signing;    /* accept_tpm_signing_algs */
} AcceptLists;

/* Words that such a list may hold; used at enrolment (400 names an unknown one). */
bool accept_hash_is_known(const char *word);
bool accept_encryption_is_known(const char *word);
bool accept_signing_is_known(const char *word);

bool accept_allows_hash(const AcceptLists *lists, const char *hash);
bool accept_allows_signing(const AcceptLists *lists, const char *scheme);
/* `ecc` = `ecc256`, `rsa` = `rsa2048`; the family word admits every size of the family (D7). `bits`
 * is the key's size. */
bool accept_allows_key(const AcceptLists *lists, const char *family, unsigned bits);
