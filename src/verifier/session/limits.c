/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/session/limits.h"

#include "base/secret.h"
#include "http/peer.h"

#include <string.h>

/* Decision D32: the whole table, whatever strangers do. */
#define MAX_ENTRIES 65536
#define FAILED_PROOFS_MAX 20
#define FAILED_PROOFS_WINDOW 60
#define KEY_SIZE 16

typedef enum { KIND_ADDRESS = 'i', KIND_AGENT = 'a', KIND_FAILED_PROOF = 'f' } Kind;

typedef struct {
    unsigned limit;
    Timestamp window;
} Rule;

/* Times of the counted requests, the oldest first. */
typedef struct {
    uint8_t key[KEY_SIZE];
    GList link; /* in SessionLimits.recent */
    GArray *times;
} Entry;

struct SessionLimits {
    GMutex lock;
    Rule address, agent, failed_proof;
    uint8_t salt[KEY_SIZE];
    GHashTable *entries; /* Entry.key -> Entry */
    GQueue recent;       /* of Entry.link, the most recently used first */
};

static guint key_hash(gconstpointer key)
{
    guint hash;
    memcpy(&hash, key, sizeof hash);
    return hash;
}

static gboolean key_equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, KEY_SIZE) == 0;
}

static void entry_free(gpointer data)
{
    Entry *entry = data;
    g_array_unref(entry->times);
    g_free(entry);
}

SessionLimits *session_limits_new(const VerifierSettings *settings)
{
    SessionLimits *limits = g_new0(SessionLimits, 1);
    g_mutex_init(&limits->lock);
    limits->address =
        (Rule){settings->rate_limit_per_ip, settings->rate_window_ip * TIMESTAMP_SECOND};
    limits->agent =
        (Rule){settings->rate_limit_per_agent, settings->rate_window_agent * TIMESTAMP_SECOND};
    limits->failed_proof = (Rule){FAILED_PROOFS_MAX, FAILED_PROOFS_WINDOW * TIMESTAMP_SECOND};
    secret_random(limits->salt, sizeof limits->salt);
    limits->entries = g_hash_table_new_full(key_hash, key_equal, NULL, entry_free);
    g_queue_init(&limits->recent);
    return limits;
}

void session_limits_free(SessionLimits *limits)
{
    if (!limits)
        return;
    g_hash_table_unref(limits->entries);
    g_mutex_clear(&limits->lock);
    g_free(limits);
}

/* Salted, so that nobody can choose names that fall into one bucket, and of one size, so that a
 * table full of strangers' names is bounded. */
static void make_key(const SessionLimits *limits, Kind kind, const char *peer, const char *agent_id,
                     uint8_t out[KEY_SIZE])
{
    char network[PEER_TEXT_MAX];
    peer_network_text(peer, network);
    g_autoptr(GByteArray) message = g_byte_array_sized_new(192);
    append_u8(message, (uint8_t)kind);
    bytes_append(message, bytes_of_text(network));
    append_u8(message, 0);
    bytes_append(message, bytes_of_text(agent_id));
    uint8_t digest[SHA256_SIZE];
    hmac_sha256(BYTES_OF_ARRAY(limits->salt), bytes_of_array(message), digest);
    memcpy(out, digest, KEY_SIZE);
}

static void forget(SessionLimits *limits, Entry *entry)
{
    g_queue_unlink(&limits->recent, &entry->link);
    g_hash_table_remove(limits->entries, entry->key);
}

static Entry *find(SessionLimits *limits, const uint8_t key[KEY_SIZE])
{
    return g_hash_table_lookup(limits->entries, key);
}

static Entry *find_or_make(SessionLimits *limits, const uint8_t key[KEY_SIZE])
{
    Entry *entry = find(limits, key);
    if (entry) {
        g_queue_unlink(&limits->recent, &entry->link);
        g_queue_push_head_link(&limits->recent, &entry->link);
        return entry;
    }
    if (g_hash_table_size(limits->entries) >= MAX_ENTRIES)
        forget(limits, g_queue_peek_tail(&limits->recent));
    entry = g_new0(Entry, 1);
    memcpy(entry->key, key, KEY_SIZE);
    entry->link.data = entry;
    entry->times = g_array_new(FALSE, FALSE, sizeof(Timestamp));
    g_hash_table_insert(limits->entries, entry->key, entry);
    g_queue_push_head_link(&limits->recent, &entry->link);
    return entry;
}

/* Counts that have left the window go; so do counts from a clock that was set back since. */
static void drop_old(Entry *entry, const Rule *rule, Timestamp now)
{
    guint old = 0;
    while (old < entry->times->len) {
        Timestamp time = g_array_index(entry->times, Timestamp, old);
        if (time <= now && now - time < rule->window)
            break;
        old++;
    }
    if (old > 0)
        g_array_remove_range(entry->times, 0, old);
}

static unsigned wait_of(const Entry *entry, const Rule *rule, Timestamp now)
{
    if (entry->times->len < rule->limit)
        return 0;
    Timestamp rest = g_array_index(entry->times, Timestamp, 0) + rule->window - now;
    gint64 seconds = (rest + TIMESTAMP_SECOND - 1) / TIMESTAMP_SECOND;
    return (unsigned)CLAMP(seconds, 1, rule->window / TIMESTAMP_SECOND);
}

static unsigned count(SessionLimits *limits, const Rule *rule, const uint8_t key[KEY_SIZE],
                      Timestamp now)
{
    Entry *entry = find_or_make(limits, key);
    drop_old(entry, rule, now);
    unsigned wait = wait_of(entry, rule, now);
    if (wait == 0)
        g_array_append_val(entry->times, now);
    return wait;
}

static void take_back(SessionLimits *limits, const uint8_t key[KEY_SIZE])
{
    Entry *entry = find(limits, key);
    if (!entry)
        return;
    if (entry->times->len > 0)
        g_array_set_size(entry->times, entry->times->len - 1);
    if (entry->times->len == 0)
        forget(limits, entry);
}

unsigned session_limits_count_address(SessionLimits *limits, const char *peer, Timestamp now)
{
    uint8_t key[KEY_SIZE];
    make_key(limits, KIND_ADDRESS, peer, NULL, key);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&limits->lock);
    return count(limits, &limits->address, key, now);
}

unsigned session_limits_count_agent(SessionLimits *limits, const char *peer, const char *agent_id,
                                    Timestamp now)
{
    uint8_t key[KEY_SIZE], address_key[KEY_SIZE];
    make_key(limits, KIND_AGENT, peer, agent_id, key);
    make_key(limits, KIND_ADDRESS, peer, NULL, address_key);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&limits->lock);
    unsigned wait = count(limits, &limits->agent, key, now);
    if (wait > 0)
        take_back(limits, address_key);
    return wait;
}

void session_limits_proven(SessionLimits *limits, const char *peer, const char *agent_id)
{
    uint8_t key[KEY_SIZE], address_key[KEY_SIZE];
    make_key(limits, KIND_AGENT, peer, agent_id, key);
    make_key(limits, KIND_ADDRESS, peer, NULL, address_key);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&limits->lock);
    take_back(limits, key);
    take_back(limits, address_key);
}

unsigned session_limits_proofs_wait(SessionLimits *limits, const char *peer, Timestamp now)
{
    uint8_t key[KEY_SIZE];
    make_key(limits, KIND_FAILED_PROOF, peer, NULL, key);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&limits->lock);
    Entry *entry = find(limits, key);
    if (!entry)
        return 0;
    drop_old(entry, &limits->failed_proof, now);
    return wait_of(entry, &limits->failed_proof, now);
}

void session_limits_count_failed_proof(SessionLimits *limits, const char *peer, Timestamp now)
{
    uint8_t key[KEY_SIZE];
    make_key(limits, KIND_FAILED_PROOF, peer, NULL, key);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&limits->lock);
    count(limits, &limits->failed_proof, key, now);
}

size_t session_limits_size(SessionLimits *limits)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&limits->lock);
    return g_hash_table_size(limits->entries);
}
