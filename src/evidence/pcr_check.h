/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the PCR values of a verified quote are compared with, and in which order (measured-boot §8):
 * the part of the appraisal between the quote and the verdict. Pure.
 */
#pragma once

#include "evidence/ima_check.h"
#include "evidence/uefi/boot_check.h"
#include "policy/tpm_policy.h"

typedef struct {
    const PcrValues *pcrs;       /* of a verified quote */
    uint16_t bank;               /* the one that counts */
    uint32_t reset_count;        /* of the quote's clock: which boot this is */
    const TpmPolicy *tpm_policy; /* NULL: nothing to compare */
    const BootInput *boot;       /* NULL: no boot event log and no policy for one */
    ImaCheck *ima;               /* NULL: no measurement list */
} PcrCheck;

/* Adds the failures to the verdict. *boot_state is replaced as boot_check_evaluate() says. */
void pcr_check(const PcrCheck *check, BootState *boot_state, Verdict *verdict);
