/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signatures that operators' files have: ECDSA over SHA-256, in DER (ima §12,
 * tenant-and-management-api §2.4).
 */
#pragma once

#include "base/bytes.h"

#include <openssl/evp.h>

/* Is `signature` one over `data` by this EC key? A key of another kind has signed nothing. */
bool ecdsa_signature_is_by(EVP_PKEY *key, Bytes data, Bytes signature);
