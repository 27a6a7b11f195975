/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/attestation_reference.h"

#include <string.h>

struct SharedKey {
    gint references;
    TpmPublic *public;
};

const TpmPublic *shared_key_public(const SharedKey *key)
{
    return key->public;
}

static SharedKey *shared_key_ref(SharedKey *key)
{
    g_atomic_int_inc(&key->references);
    return key;
}

void shared_key_unref(SharedKey *key)
{
    if (!key || !g_atomic_int_dec_and_test(&key->references))
        return;
    tpm_public_free(key->public);
    g_free(key);
}

/* --- a bounded table in the order of use --------------------------------------------------- */

typedef struct {
    GBytes *source;
    gpointer value;
    GList link; /* data = this entry */
} Entry;

typedef struct {
    GHashTable *entries; /* source -> Entry */
    GQueue order;        /* most recently used first */
    guint limit;
    GDestroyNotify free_value;
} Table;

static void table_open(Table *table, guint limit, GDestroyNotify free_value)
{
    table->entries = g_hash_table_new(g_bytes_hash, g_bytes_equal);
    g_queue_init(&table->order);
    table->limit = limit;
    table->free_value = free_value;
}

static void table_drop_oldest(Table *table)
{
    Entry *entry = g_queue_peek_tail(&table->order);
    g_queue_unlink(&table->order, &entry->link);
    g_hash_table_remove(table->entries, entry->source);
    table->free_value(entry->value);
    g_bytes_unref(entry->source);
    g_free(entry);
}

static void table_close(Table *table)
{
    while (!g_queue_is_empty(&table->order))
        table_drop_oldest(table);
    g_hash_table_unref(table->entries);
}

static gpointer table_find(Table *table, GBytes *source)
{
    Entry *entry = g_hash_table_lookup(table->entries, source);
    if (!entry)
        return NULL;
    g_queue_unlink(&table->order, &entry->link);
    g_queue_push_head_link(&table->order, &entry->link);
    return entry->value;
}

/* Takes `value` over, unless another thread was faster: then that one's is the value. */
static gpointer table_add(Table *table, GBytes *source, gpointer value)
{
    gpointer present = table_find(table, source);
    if (present) {
        table->free_value(value);
        return present;
    }
    if (table->order.length >= table->limit)
        table_drop_oldest(table);
    Entry *entry = g_new0(Entry, 1);
    entry->source = g_bytes_ref(source);
    entry->value = value;
    entry->link.data = entry;
    g_queue_push_head_link(&table->order, &entry->link);
    g_hash_table_insert(table->entries, entry->source, entry);
    return value;
}

/* --- both kinds ---------------------------------------------------------------------------- */

struct References {
    GMutex mutex;
    Table keys, policies;
};

static void free_key(gpointer key)
{
    shared_key_unref(key);
}

static void free_policy(gpointer policy)
{
    tpm_policy_unref(policy);
}

References *references_new(void)
{
    References *references = g_new0(References, 1);
    g_mutex_init(&references->mutex);
    table_open(&references->keys, REFERENCES_MAX_KEYS, free_key);
    table_open(&references->policies, REFERENCES_MAX_POLICIES, free_policy);
    return references;
}

void references_free(References *references)
{
    if (!references)
        return;
    table_close(&references->keys);
    table_close(&references->policies);
    g_mutex_clear(&references->mutex);
    g_free(references);
}

SharedKey *references_key(References *references, GBytes *tpm2b, GError **error)
{
    g_mutex_lock(&references->mutex);
    SharedKey *key = table_find(&references->keys, tpm2b);
    if (key)
        shared_key_ref(key);
    g_mutex_unlock(&references->mutex);
    if (key)
        return key;
    /* Parsed outside the lock: other agents need not wait. */
    TpmPublic *public = tpm_public_from_tpm2b(bytes_of_gbytes(tpm2b), error);
    if (!public)
        return NULL;
    key = g_new0(SharedKey, 1);
    key->references = 1;
    key->public = public;
    g_mutex_lock(&references->mutex);
    key = shared_key_ref(table_add(&references->keys, tpm2b, key));
    g_mutex_unlock(&references->mutex);
    return key;
}

TpmPolicy *references_policy(References *references, const char *text, GError **error)
{
    g_autoptr(GBytes) source = g_bytes_new_static(text, strlen(text));
    g_mutex_lock(&references->mutex);
    TpmPolicy *policy = table_find(&references->policies, source);
    if (policy)
        tpm_policy_ref(policy);
    g_mutex_unlock(&references->mutex);
    if (policy)
        return policy;
    policy = tpm_policy_parse(text, error);
    if (!policy)
        return NULL;
    g_autoptr(GBytes) kept = g_bytes_new(text, strlen(text));
    g_mutex_lock(&references->mutex);
    policy = tpm_policy_ref(table_add(&references->policies, kept, policy));
    g_mutex_unlock(&references->mutex);
    return policy;
}
