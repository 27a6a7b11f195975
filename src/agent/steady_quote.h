/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A quote together with the PCR values that it covers. A TPM gives the two by separate commands,
 * and PCR 10 moves between them while the kernel measures: both are taken again until they fit
 * (tpm-formats §7.6).
 */
#pragma once

#include "agent/tpm_device.h"

/* A device's two commands. */
typedef struct {
    TpmDevice *device;
    bool (*read)(TpmDevice *device, const PcrSelection *selection, PcrValues *values,
                 GError **error);
    bool (*quote)(TpmDevice *device, const PcrSelection *selection, Bytes nonce, GBytes **message,
                  GBytes **signature, GError **error);
    uint16_t hash; /* of the attestation key: what the quote digests the values with */
} QuoteCommands;

/* At most QUOTE_TRIES times; an error of either command ends it at once, and PCRs that never stand
 * still are TPM_DEVICE_ERROR_REFUSED. */
bool steady_quote(const QuoteCommands *commands, const PcrSelection *selection, Bytes nonce,
                  GBytes **message, GBytes **signature, PcrValues *values, GError **error);
