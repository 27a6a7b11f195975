/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures in files of their own, as they are given for keys of IMA signatures
 * (tenant-and-management-api §2.3, §2.4): OpenPGP, or ECDSA over SHA-256 in DER.
 */
#pragma once

#include "base/bytes.h"

/* Of a signature, and of the public key that checks it. */
#define DETACHED_SIGNATURE_MAX ((size_t)1024 * 1024)

/*
 * Is `signature` a good one over `data`? `signer` is an armoured OpenPGP public key, or a PEM
 * public key or certificate of EC. No other key counts, none of this machine's; keys that have
 * expired or are revoked do not. False, and an error that says which of the three is wrong.
 */
bool detached_signature_check(Bytes signer, Bytes signature, Bytes data, GError **error);
