/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a log's digests make of the PCRs, in every bank, and the boot aggregates that follow
 * (measured-boot §7).
 */
#pragma once

#include "evidence/uefi/bank.h"
#include "evidence/uefi/event_log.h"

typedef struct {
    uint32_t touched;  /* bit n: some event lists a digest for PCR n, EV_NO_ACTION included */
    uint32_t extended; /* bit n: PCR n was extended */
    uint8_t value[UEFI_LAST_PCR_UPSTREAM + 1][TPM_MAX_DIGEST];
} UefiReplayBank;

typedef struct {
    UefiReplayBank bank[UEFI_BANK_COUNT]; /* by uefi_bank_position() */
} UefiReplay;

/*
 * Replays a parsed log. A bank whose hash is not known, or not offered by OpenSSL, is left out: it
 * stays untouched. Released with g_free().
 *
 * PCR 0 begins with the locality of a StartupLocality event or with 4 for an H-CRTM event in its
 * last byte, but only as long as it has not been extended.
 */
UefiReplay *uefi_replay(const UefiLog *log);

/* The bank's replay; NULL when no event has a digest for it. */
const UefiReplayBank *uefi_replay_bank(const UefiReplay *replay, uint16_t algorithm);
/* Value of a PCR of a bank that is there; zeros when the log does not touch it. */
Bytes uefi_replay_pcr(const UefiReplay *replay, uint16_t algorithm, unsigned pcr);

#define UEFI_MAX_BOOT_AGGREGATES 2
/* Digests over PCR 0-7, and over PCR 0-9, each only if the log touches them all. Returns how many;
 * 0 for a bank that is no SHA-1 or SHA-2. */
size_t uefi_boot_aggregates(const UefiReplay *replay, uint16_t algorithm,
                            uint8_t out[UEFI_MAX_BOOT_AGGREGATES][TPM_MAX_DIGEST]);
