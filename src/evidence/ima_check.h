/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A measurement list beside a quote: what the list's appraisal takes from the quote and from the
 * event log (ima §5.5, §9.4; measured-boot §8 step 3). Pure.
 */
#pragma once

#include "evidence/ima/push.h"
#include "evidence/uefi/replay.h"
#include "tpm/pcr.h"

#define IMA_PCR 10

typedef struct {
    ImaInput list;       /* `bank`, `quoted` and `boot_aggregates` are set by the check */
    ImaRound round;      /* `reset_count` is */
    ImaPushState *state; /* of the agent; changed as ima_push_appraise() says */
    ImaRoundResult result;
    bool passed; /* set by the check: the list failed nothing */
} ImaCheck;

/* `pcrs`: of a verified quote with this reset count, `bank` the one that counts; `replay`: of the
 * event log that came too, or NULL. */
void ima_check(ImaCheck *check, const PcrValues *pcrs, uint16_t bank, uint32_t reset_count,
               const UefiReplay *replay, Verdict *verdict);
