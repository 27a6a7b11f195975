/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCR 10 of an emulated TPM, in several banks. A real TPM is refused: its PCR 10 is the kernel's.
 */
#pragma once

#include "tpm/algorithm.h"

#define IMA_PCR 10
#define EMULATED_MAX_BANKS 8

#define EMULATOR_ERROR (emulator_error_quark())
typedef enum {
    EMULATOR_ERROR_TPM,  /* it cannot be opened, is real, or refuses; the message has its words */
    EMULATOR_ERROR_LIST, /* the measurement list cannot be read, or does not fit the TPM */
} EmulatorError;
GQuark emulator_error_quark(void);

/* One value for each bank, in the order of the banks. */
typedef struct {
    uint8_t value[EMULATED_MAX_BANKS][TPM_MAX_DIGEST];
} PcrInBanks;

typedef struct EmulatedPcr EmulatedPcr;

/* The TPM that the environment variable TCTI names. `banks`: 1 to EMULATED_MAX_BANKS hash
 * algorithms. NULL and EMULATOR_ERROR_TPM. */
EmulatedPcr *emulated_pcr_open(const uint16_t *banks, size_t count, GError **error);
void emulated_pcr_close(EmulatedPcr *pcr);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EmulatedPcr, emulated_pcr_close)

bool emulated_pcr_read(EmulatedPcr *pcr, PcrInBanks *out, GError **error);
/* One command for all banks, so that no quote sees one ahead of another. */
bool emulated_pcr_extend(EmulatedPcr *pcr, const PcrInBanks *digests, GError **error);
