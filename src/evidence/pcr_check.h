/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the PCR values of a verified quote are compared with, and in which order (measured-boot §8):
 * the part of the appraisal between the quote and the verdict.
 */
#pragma once

#include "evidence/verdict.h"
#include "policy/tpm_policy.h"

typedef struct {
    const PcrValues *pcrs;       /* of a verified quote */
    uint16_t bank;               /* the one that counts */
    const TpmPolicy *tpm_policy; /* may be NULL: nothing to compare */
} PcrCheck;

/* Adds the failures to the verdict. */
void pcr_check(const PcrCheck *check, Verdict *verdict);
