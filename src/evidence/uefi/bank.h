/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash algorithms of PCR banks in event logs (measured-boot §4.3). More than a quote may be signed
 * with: a log's SM3 and SHA-3 banks are carried and replayed as well.
 */
#pragma once

#include "tpm/algorithm.h"

/* SHA-3 banks have no other use in the project. */
enum { UEFI_ALG_SHA3_256 = 0x0027, UEFI_ALG_SHA3_384 = 0x0028, UEFI_ALG_SHA3_512 = 0x0029 };

/* The known banks have positions 0 to UEFI_BANK_COUNT - 1, in the order of upstream's `pcrs`. */
enum { UEFI_BANK_COUNT = 8 };
/* -1 for an algorithm that is not known. */
int uefi_bank_position(uint16_t algorithm);
uint16_t uefi_bank_at(int position);

/* Bytes of a digest; 0 for an algorithm that is not known. */
size_t uefi_bank_digest_size(uint16_t algorithm);
/* "sha256"; NULL for an algorithm that is not known. Static. */
const char *uefi_bank_name(uint16_t algorithm);
/* Fetched once, shared; NULL when not known, or when OpenSSL's provider does not offer it. */
const EVP_MD *uefi_bank_md(uint16_t algorithm);
