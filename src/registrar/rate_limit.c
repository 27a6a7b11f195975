/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar/rate_limit.h"

#include "http/peer.h"

/* A few MiB at most, and more addresses than one machine serves at a time. */
#define ADDRESSES_MAX 65536
#define MINUTE (60 * TIMESTAMP_SECOND)

typedef struct {
    char *key;
    double tokens;
    Timestamp seen;
    GList link; /* in `recent`, newest first */
} Bucket;

struct RateLimit {
    unsigned per_minute;
    GMutex lock;
    GHashTable *buckets; /* key -> Bucket */
    GQueue recent;
};

static void bucket_free(gpointer data)
{
    Bucket *bucket = data;
    g_free(bucket->key);
    g_free(bucket);
}

RateLimit *rate_limit_new(unsigned per_minute)
{
    RateLimit *limit = g_new0(RateLimit, 1);
    limit->per_minute = per_minute;
    g_mutex_init(&limit->lock);
    limit->buckets = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, bucket_free);
    g_queue_init(&limit->recent);
    return limit;
}

void rate_limit_free(RateLimit *limit)
{
    if (!limit)
        return;
    g_hash_table_unref(limit->buckets);
    g_mutex_clear(&limit->lock);
    g_free(limit);
}

/* The peer's bucket, moved to the front; a new one is full. */
static Bucket *bucket_of(RateLimit *limit, const char *peer, Timestamp now)
{
    char key[PEER_TEXT_MAX];
    peer_network_text(peer, key);
    Bucket *bucket = g_hash_table_lookup(limit->buckets, key);
    if (bucket) {
        g_queue_unlink(&limit->recent, &bucket->link);
    } else {
        if (limit->recent.length == ADDRESSES_MAX) {
            Bucket *oldest = g_queue_peek_tail_link(&limit->recent)->data;
            g_queue_unlink(&limit->recent, &oldest->link);
            g_hash_table_remove(limit->buckets, oldest->key);
        }
        bucket = g_new0(Bucket, 1);
        bucket->key = g_strdup(key);
        bucket->tokens = limit->per_minute;
        bucket->seen = now;
        bucket->link.data = bucket;
        g_hash_table_insert(limit->buckets, bucket->key, bucket);
    }
    g_queue_push_head_link(&limit->recent, &bucket->link);
    return bucket;
}

bool rate_limit_take(RateLimit *limit, const char *peer, Timestamp now, guint64 *retry_after)
{
    if (limit->per_minute == 0)
        return true;
    g_mutex_lock(&limit->lock);
    Bucket *bucket = bucket_of(limit, peer, now);
    double earned = (double)(now - bucket->seen) * limit->per_minute / MINUTE;
    bucket->tokens = MIN(bucket->tokens + MAX(earned, 0), (double)limit->per_minute);
    bucket->seen = now;
    bool allowed = bucket->tokens >= 1;
    if (allowed)
        bucket->tokens -= 1;
    else
        *retry_after = 1 + (guint64)((1 - bucket->tokens) * 60 / limit->per_minute);
    g_mutex_unlock(&limit->lock);
    return allowed;
}
