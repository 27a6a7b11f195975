/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's hash algorithms as measurement lists name them and as signatures number them
 * (ima §10.1; enum hash_algo of Linux).
 */
#pragma once

#include "base/bytes.h"

#include <openssl/evp.h>

/* Fetched once, shared; NULL when the name is unknown or the algorithm cannot be computed. */
const EVP_MD *ima_hash_by_name(Bytes name);
/* The number of a known name in signatures; 0 (md4, never used) otherwise. */
uint8_t ima_hash_id(Bytes name);
/* Digest under a named algorithm. False when ima_hash_by_name() gives none. */
bool ima_hash_data(Bytes name, Bytes data, uint8_t out[EVP_MAX_MD_SIZE], size_t *size);
