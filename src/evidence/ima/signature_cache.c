/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/ima/signature_cache.h"

#include "tpm/algorithm.h"

#include <string.h>

enum {
    BUCKET_SLOTS = 4,
    LOCKS = 64,
    /* Longest name: an RSA signature of 16,384 bits, OpenSSL's largest key. */
    NAME_MEMORY = 32 + 1 + 1 + TPM_MAX_DIGEST + 2048,
};

/* Newest first; an empty slot is all zero, which no SHA-256 is. */
typedef struct {
    ImaVerification slot[BUCKET_SLOTS];
} Bucket;

struct ImaSignatureCache {
    size_t mask; /* number of buckets - 1 */
    Bucket *buckets;
    GMutex lock[LOCKS]; /* bucket i has lock i % LOCKS */
    guint64 hits[LOCKS], misses[LOCKS];
};

ImaSignatureCache *ima_signature_cache_new(size_t signatures)
{
    size_t buckets = LOCKS;
    while (buckets < signatures / BUCKET_SLOTS && buckets < ((size_t)1 << 28))
        buckets *= 2;
    ImaSignatureCache *cache = g_new0(ImaSignatureCache, 1);
    cache->mask = buckets - 1;
    cache->buckets = g_new0(Bucket, buckets);
    for (size_t i = 0; i < LOCKS; i++)
        g_mutex_init(&cache->lock[i]);
    return cache;
}

void ima_signature_cache_free(ImaSignatureCache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i < LOCKS; i++)
        g_mutex_clear(&cache->lock[i]);
    g_free(cache->buckets);
    g_free(cache);
}

bool ima_verification_name(Bytes key, uint8_t hash_id, Bytes digest, Bytes signature,
                           ImaVerification *out)
{
    uint8_t name[NAME_MEMORY];
    if (key.size != 32 || digest.size > TPM_MAX_DIGEST ||
        34 + digest.size + signature.size > sizeof name)
        return false;
    memcpy(name, key.data, 32);
    name[32] = hash_id;
    name[33] = (uint8_t)digest.size;
    memcpy(name + 34, digest.data, digest.size);
    memcpy(name + 34 + digest.size, signature.data, signature.size);
    return EVP_Digest(name, 34 + digest.size + signature.size, out->sha256, NULL,
                      tpm_hash_md(TPM_ALG_SHA256), NULL) == 1;
}

static size_t bucket_of(const ImaSignatureCache *cache, const ImaVerification *verification)
{
    size_t number;
    memcpy(&number, verification->sha256, sizeof number);
    return number & cache->mask;
}

/* To the front; those before it, up to `position`, move one back. */
static void put_first(Bucket *bucket, size_t position, const ImaVerification *verification)
{
    memmove(&bucket->slot[1], &bucket->slot[0], position * sizeof bucket->slot[0]);
    bucket->slot[0] = *verification;
}

static int find(const Bucket *bucket, const ImaVerification *verification)
{
    for (int i = 0; i < BUCKET_SLOTS; i++)
        if (memcmp(&bucket->slot[i], verification, sizeof *verification) == 0)
            return i;
    return -1;
}

bool ima_signature_cache_holds(ImaSignatureCache *cache, const ImaVerification *verification)
{
    size_t number = bucket_of(cache, verification);
    g_mutex_lock(&cache->lock[number % LOCKS]);
    int found = find(&cache->buckets[number], verification);
    if (found >= 0)
        put_first(&cache->buckets[number], (size_t)found, verification);
    guint64 *count = found >= 0 ? cache->hits : cache->misses;
    count[number % LOCKS]++;
    g_mutex_unlock(&cache->lock[number % LOCKS]);
    return found >= 0;
}

void ima_signature_cache_add(ImaSignatureCache *cache, const ImaVerification *verification)
{
    size_t number = bucket_of(cache, verification);
    g_mutex_lock(&cache->lock[number % LOCKS]);
    int found = find(&cache->buckets[number], verification);
    put_first(&cache->buckets[number], found >= 0 ? (size_t)found : BUCKET_SLOTS - 1, verification);
    g_mutex_unlock(&cache->lock[number % LOCKS]);
}

ImaSignatureCacheUse ima_signature_cache_use(ImaSignatureCache *cache)
{
    ImaSignatureCacheUse use = {.memory = (cache->mask + 1) * sizeof(Bucket)};
    for (size_t i = 0; i < LOCKS; i++) {
        g_mutex_lock(&cache->lock[i]);
        use.hits += cache->hits[i];
        use.misses += cache->misses[i];
        g_mutex_unlock(&cache->lock[i]);
    }
    return use;
}
