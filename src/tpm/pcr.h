/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of PCRs and the `subject_data` blob that carries their values (tpm-formats §7.4).
 */
#pragma once

#include "tpm/algorithm.h"
#include "tpm/public.h"

#define PCR_COUNT 24
#define PCR_MAX_BANKS 16

/* TPML_PCR_SELECTION: banks in the order given, bit n of `pcrs` = PCR n. */
typedef struct {
    size_t count;
    struct {
        uint16_t hash;
        uint32_t pcrs;
    } bank[PCR_MAX_BANKS];
} PcrSelection;

/* Appends a bank. False, and unchanged, when the hash is unknown, the bank is there already, or the
 * list is full. */
bool pcr_selection_add(PcrSelection *selection, uint16_t hash, uint32_t pcrs);
/* Same banks in the same order with the same PCRs. */
bool pcr_selection_equal(const PcrSelection *a, const PcrSelection *b);

/* Values of PCRs, by bank in selection order and PCR number. */
typedef struct {
    PcrSelection selection;
    uint8_t value[PCR_MAX_BANKS][PCR_COUNT][TPM_MAX_DIGEST];
} PcrValues;

/* The value of one PCR of a bank; empty view when it is not there. */
Bytes pcr_values_get(const PcrValues *values, uint16_t hash, unsigned pcr);
/* Bits of the PCRs present in a bank; 0 when the bank is absent. */
uint32_t pcr_values_in_bank(const PcrValues *values, uint16_t hash);

/* Sets the value of a selected PCR; `value` must have the bank's digest size. False otherwise. */
bool pcr_values_set(PcrValues *values, uint16_t hash, unsigned pcr, Bytes value);

/* Strict reader of the little-endian blob. NULL and TPM_ERROR when it is not exactly that.
 * Released with g_free(). */
PcrValues *pcr_blob_parse(Bytes blob, GError **error);
/* Writer: lists of eight values each. New reference. */
GBytes *pcr_blob_make(const PcrValues *values);

/* Digest over the values in selection order under `hash` (tpm-formats §7.3); size = its digest. */
bool pcr_values_digest(const PcrValues *values, uint16_t hash, uint8_t out[TPM_MAX_DIGEST]);
