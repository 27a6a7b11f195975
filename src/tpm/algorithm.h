/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TPM algorithm identifiers, their names in JSON and configuration, and their OpenSSL counterparts
 * (tpm-formats §2.1, §2.2; TCG Algorithm Registry).
 */
#pragma once

#include "base/bytes.h"

#include <openssl/evp.h>

typedef enum {
    TPM_ALG_RSA = 0x0001,
    TPM_ALG_SHA1 = 0x0004,
    TPM_ALG_AES = 0x0006,
    TPM_ALG_SHA256 = 0x000B,
    TPM_ALG_SHA384 = 0x000C,
    TPM_ALG_SHA512 = 0x000D,
    TPM_ALG_NULL = 0x0010,
    TPM_ALG_SM3_256 = 0x0012,
    TPM_ALG_RSASSA = 0x0014,
    TPM_ALG_RSAPSS = 0x0016,
    TPM_ALG_ECDSA = 0x0018,
    TPM_ALG_ECC = 0x0023,
    TPM_ALG_CFB = 0x0043,
} TpmAlgorithm;

#define TPM_MAX_DIGEST 64

/* Bytes of a digest of SHA-1/256/384/512 or SM3; 0 for anything else. */
size_t tpm_hash_size(uint16_t algorithm);
/* Fetched once, shared; NULL for an algorithm we never verify with (SM3) or that is none. */
const EVP_MD *tpm_hash_md(uint16_t algorithm);
/* "sha256" -> 0x000B; 0 when unknown. Exact, lower case. */
uint16_t tpm_hash_from_name(const char *name);
/* "rsassa", "rsapss", "ecdsa"; 0 when unknown or never accepted. */
uint16_t tpm_scheme_from_name(const char *name);
/* The JSON name of a hash, scheme or key algorithm; NULL when it has none. Static. */
const char *tpm_algorithm_name(uint16_t algorithm);
