/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The software TPM as a back end of the agent (`--avoid-tpm`): keeps its EK and counters in
 * `<keylime_dir>/software_tpm.json` (0600), so that identity and clock survive restarts.
 */
#pragma once

#include "agent/tpm_device.h"

/* NULL and TPM_DEVICE_ERROR. A state file that cannot be read is an error, never a new identity. */
TpmDevice *tpm_software_open(const char *keylime_dir, const KeyTemplate *keys, GError **error);
