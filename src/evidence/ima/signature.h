/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File signatures of measurement lists: struct signature_v2_hdr of Linux, all big-endian
 * (ima §10.1, §10.2; decisions D44, D48).
 *
 *   type (1)  version (1)  hash (1)  key id (4)  length (2)  signature (length)
 *
 * Types 3 (file digest) and 5 (EVM portable, judged over the file digest as upstream does) have
 * version 2 and sign the digest of the line. Type 6 (fs-verity) has version 3 and signs the hash of
 * (type, hash, digest). All else does not verify.
 */
#pragma once

#include "evidence/ima/entry.h"
#include "evidence/ima/signature_cache.h"
#include "policy/ima_keyring.h"

typedef struct {
    Bytes field; /* the whole signature field of the entry */
    Bytes algorithm;
    ImaDigestType digest_type;
    Bytes digest;
} ImaSignature;

/*
 * Does a key of the rings verify it? All keys with the signature's key id are tried, in the rings'
 * order. `cache` may be NULL.
 */
bool ima_signature_verify(const ImaSignature *signature, const ImaKeyrings *rings,
                          ImaSignatureCache *cache);
