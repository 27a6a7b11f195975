/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL keys from and to the numbers of a TPM's public area (tpm-formats §3.1, §3.3, §12).
 */
#pragma once

#include "base/bytes.h"

#include <openssl/evp.h>

/* Longest modulus and longest coordinate that a key may have. */
#define TPM_MAX_RSA_BYTES 512
#define TPM_MAX_COORDINATE 66

typedef struct {
    uint16_t id;   /* TPM_ECC_CURVE */
    uint16_t bits; /* of the field */
    uint16_t size; /* bytes of a coordinate */
    const char *group;
} TpmCurve;

/* P-256, P-384, P-521; NULL for any other. */
const TpmCurve *tpm_curve_find(uint16_t id);
const TpmCurve *tpm_curve_of_bits(unsigned bits);
/* By the group's name, not its size: other curves have 256 bits too. */
const TpmCurve *tpm_curve_of_key(EVP_PKEY *key);

/* New public key, or NULL when OpenSSL refuses the numbers. `exponent` 0 means 65537. */
EVP_PKEY *tpm_key_rsa(Bytes modulus, uint32_t exponent);
/* Coordinates of at most the curve's length, padded on the left; NULL when the point is not on the
 * curve. */
EVP_PKEY *tpm_key_ecc(const TpmCurve *curve, Bytes x, Bytes y);

/* The numbers of a key, for writers. The modulus without leading zeros; coordinates at full length.
 */
bool tpm_key_get_rsa(EVP_PKEY *key, uint8_t modulus[TPM_MAX_RSA_BYTES], size_t *size,
                     uint32_t *exponent);
bool tpm_key_get_point(EVP_PKEY *key, const TpmCurve *curve, uint8_t x[TPM_MAX_COORDINATE],
                       uint8_t y[TPM_MAX_COORDINATE]);
