/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The unavoidable work of an attestation, in plain OpenSSL loops: what no server can do without.
 */
#pragma once

#include "agent/software_tpm.h"

typedef struct {
    double signature_us; /* verify one signature of the AK, its digest included */
    double digest_us;    /* PCR digest */
    double records_us;   /* AES-256-GCM over the bytes of one cycle, four records */
} Floor;

/* CPU microseconds; `bytes` is the size of one cycle's bodies. */
bool floor_measure(SoftwareTpm *tpm, guint64 bytes, Floor *out, GError **error);
double floor_total(const Floor *floor);
