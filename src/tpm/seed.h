/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seed of a credential: made and encrypted to an EK, or recovered with its private key
 * (tpm-formats §6.2 steps 1 and 2; TPM 2.0 Library Part 1, B.10.4 and C.6.4).
 */
#pragma once

#include "tpm/public.h"

/* As long as the digest of the EK's name algorithm. Wiped by the caller. */
typedef struct {
    uint8_t data[TPM_MAX_DIGEST];
    size_t size;
} CredentialSeed;

/* New seed; *secret receives it as the EK's holder can recover it. */
bool credential_seed_make(const TpmPublic *ek, CredentialSeed *seed, GBytes **secret);
bool credential_seed_recover(const TpmPublic *ek, EVP_PKEY *ek_private, Bytes secret,
                             CredentialSeed *seed);
