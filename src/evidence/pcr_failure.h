/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Failures that are about PCR values, in one form: what the checks of measured-boot §8 add to a
 * verdict.
 */
#pragma once

#include "evidence/verdict.h"
#include "tpm/pcr.h"

/* A PCR's value is another one. `expected` is hexadecimal (may be several, or empty); `reason` is
 * the sentence without PCR and bank. */
void pcr_failure_value(Verdict *verdict, const char *event_id, unsigned pcr, uint16_t bank,
                       const char *expected, Bytes got, const char *reason);
/* PCRs (bits) that should be there are not; `what` is the sentence up to their list. */
void pcr_failure_missing(Verdict *verdict, const char *event_id, uint32_t missing, uint16_t bank,
                         const char *what);
