/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TPMS_ATTEST and TPMT_SIGNATURE: strict reading and signature verification (tpm-formats §7.1,
 * §7.2, §8.1; TPM 2.0 Library Part 2, 10.12.8 and 11.3.4).
 */
#pragma once

#include "tpm/pcr.h"

typedef struct {
    uint64_t clock; /* milliseconds of powered time */
    uint32_t reset_count, restart_count;
    bool safe;
} TpmClock;

typedef struct {
    uint16_t type; /* TPM_ST_ATTEST_QUOTE or TPM_ST_ATTEST_CERTIFY */
    Bytes qualified_signer, extra_data;
    TpmClock clock;
    uint64_t firmware_version;
    /* quote */
    PcrSelection selection;
    Bytes pcr_digest;
    /* certify */
    Bytes certified_name, certified_qualified_name;
} TpmAttest;

/* "\xffTCG": a TPM signs this prefix with a restricted key only in structures of its own making. */
#define TPM_ATTEST_MAGIC 0xFF544347u
#define TPM_ATTEST_CERTIFY 0x8017
#define TPM_ATTEST_QUOTE 0x8018

/* Views into `message`. Consumed whole; magic checked. */
bool tpm_attest_parse(Bytes message, TpmAttest *out, GError **error);

typedef struct {
    uint16_t scheme; /* RSASSA, RSAPSS or ECDSA */
    uint16_t hash;
    Bytes rsa;
    Bytes r, s;
} TpmSignature;

bool tpm_signature_parse(Bytes signature, TpmSignature *out, GError **error);
/* True only when `signature` by `public` over `message` verifies; key type and scheme must fit. */
bool tpm_signature_verify(const TpmPublic *public, const TpmSignature *signature, Bytes message);
