/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The template data of an entry, which is what the kernel hashes and extends (ima §3), and the
 * replay of PCR 10 from it.
 */
#pragma once

#include "evidence/ima/entry.h"
#include "tpm/algorithm.h"

/* Appends the entry's template data. */
void ima_template_append(const ImaEntry *entry, GByteArray *out);

/*
 * Digests of template data under the algorithm of the list's second column and under that of the
 * replayed bank; computed once when both are the same. Holds one context of each kind for as many
 * entries as there are.
 */
typedef struct ImaHasher ImaHasher;

/* NULL when either algorithm cannot be computed (SM3). */
ImaHasher *ima_hasher_new(uint16_t log_algorithm, uint16_t bank);
void ima_hasher_free(ImaHasher *hasher);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImaHasher, ima_hasher_free)

typedef struct {
    uint8_t column[TPM_MAX_DIGEST];   /* what the second column should hold */
    uint8_t extended[TPM_MAX_DIGEST]; /* what the bank is extended with */
} ImaTemplateDigests;

bool ima_hasher_entry(ImaHasher *hasher, const ImaEntry *entry, ImaTemplateDigests *out);
/* pcr := H(pcr || value) in the bank's algorithm; both have its size. */
bool ima_hasher_extend(ImaHasher *hasher, uint8_t *pcr, const uint8_t *value);
