/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows a measurement list and extends PCR 10 of an emulated TPM as the kernel would extend a
 * real one (push-agent §17).
 */
#pragma once

#include "ima-emulator/emulated_pcr.h"

typedef struct {
    const char *path;   /* of the list */
    uint16_t list_hash; /* of its second column */
    size_t bank_count;
    uint16_t bank[EMULATED_MAX_BANKS];
    bool once; /* extend what the list holds now, and return */
} EmulatorSettings;

/*
 * Goes on after the last line that the TPM has been extended with. Returns true after SIGINT or
 * SIGTERM, or with `once`; false and EMULATOR_ERROR when TPM or list stand in the way. What it does
 * is told on standard output.
 */
bool emulator_run(const EmulatorSettings *settings, GError **error);
