/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File signatures that verified before, on whatever machine: a fleet of equal machines pays for a
 * signature once.
 *
 * A bounded table that threads share. Only successes are kept, each under a SHA-256 over all that
 * the verification depended on (key, digest, signature), so that a hit says exactly what the
 * verification would: verdicts do not depend on the table. A full bucket forgets what was not asked
 * for longest.
 */
#pragma once

#include "base/bytes.h"

typedef struct ImaSignatureCache ImaSignatureCache;

/* Room for about `signatures`, 32 bytes each; memory is touched as it fills. */
ImaSignatureCache *ima_signature_cache_new(size_t signatures);
void ima_signature_cache_free(ImaSignatureCache *cache);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImaSignatureCache, ima_signature_cache_free)

/* The name of one verification. */
typedef struct {
    uint8_t sha256[32];
} ImaVerification;

/* `key` is the key's 32-byte identity. False when the parts cannot be named (too long a signature):
 * such a verification is done each time. */
bool ima_verification_name(Bytes key, uint8_t hash_id, Bytes digest, Bytes signature,
                           ImaVerification *out);

bool ima_signature_cache_holds(ImaSignatureCache *cache, const ImaVerification *verification);
void ima_signature_cache_add(ImaSignatureCache *cache, const ImaVerification *verification);

typedef struct {
    guint64 hits, misses; /* of ima_signature_cache_holds() */
    size_t memory;        /* bytes of the table */
} ImaSignatureCacheUse;
ImaSignatureCacheUse ima_signature_cache_use(ImaSignatureCache *cache);
