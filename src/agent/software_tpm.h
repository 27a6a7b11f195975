/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TPM in the process (OpenSSL), for machines without one and for tests: its quotes and
 * certifications have every field of a real TPM's and verify like them, but its EK has no
 * certificate, so a verifier that demands one refuses it (decision D92).
 *
 * Knows nothing of the agent: no files, no configuration; any number of instances in one process.
 * An instance is used by one thread at a time.
 */
#pragma once

#include "agent/key_template.h"
#include "tpm/attest.h"
#include "tpm/pcr.h"

typedef struct SoftwareTpm SoftwareTpm;

#define SOFTWARE_TPM_BANKS 3 /* sha256, sha384, sha512 */

/* A TPM with a fresh EK of this kind, PCRs zero, clock at zero and reset count 1. NULL and
 * TPM_ERROR. */
SoftwareTpm *software_tpm_new(const KeyTemplate *keys, GError **error);
void software_tpm_free(SoftwareTpm *tpm);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SoftwareTpm, software_tpm_free)

/* PKCS #8 of the EK's private key, to keep it over restarts; secret. New reference. */
GBytes *software_tpm_ek_private(const SoftwareTpm *tpm);
/* As software_tpm_new() with a kept EK; NULL and TPM_ERROR when it is not of this kind. */
SoftwareTpm *software_tpm_restore(const KeyTemplate *keys, Bytes ek_private, GError **error);

/*
 * Counters. The clock is milliseconds of CLOCK_BOOTTIME plus `clock_base`, and never repeats a
 * value. The caller that keeps a TPM over reboots raises `reset_count` and sets a base beyond what
 * was shown.
 */
void software_tpm_set_clock(SoftwareTpm *tpm, uint64_t clock_base, uint32_t reset_count,
                            uint32_t restart_count);
TpmClock software_tpm_clock(SoftwareTpm *tpm);

/* Borrowed. The AK is NULL before it is created or loaded. */
const TpmPublic *software_tpm_ek(const SoftwareTpm *tpm);
const TpmPublic *software_tpm_ak(const SoftwareTpm *tpm);

/* Make (and load) an AK; its TPMT_PUBLIC and the private part to keep. */
bool software_tpm_create_ak(SoftwareTpm *tpm, GBytes **tpmt, GBytes **private_part, GError **error);
bool software_tpm_load_ak(SoftwareTpm *tpm, Bytes tpmt, Bytes private_part, GError **error);

/* PCR value := H(value || digest). False for an unknown bank or PCR, or a digest of another size.
 */
bool software_tpm_extend(SoftwareTpm *tpm, uint16_t hash, unsigned pcr, Bytes digest);
/* Values of the selected PCRs; false when a selected bank does not exist. */
bool software_tpm_read_pcrs(const SoftwareTpm *tpm, const PcrSelection *selection, PcrValues *out);

/* Each needs an AK. New references. */
GBytes *software_tpm_activate(SoftwareTpm *tpm, Bytes blob, GError **error);
bool software_tpm_certify(SoftwareTpm *tpm, Bytes nonce, GBytes **message, GBytes **signature,
                          GError **error);
bool software_tpm_quote(SoftwareTpm *tpm, const PcrSelection *selection, Bytes nonce,
                        GBytes **message, GBytes **signature, PcrValues *values, GError **error);
