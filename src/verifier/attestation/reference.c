/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/attestation/reference.h"

#include "base/json.h"

#include <malloc.h>
#include <string.h>

/* Bytes of a policy's text from which the memory of its compilation is given back. */
#define TRIM_SIZE (1024 * 1024)

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

struct SharedWords {
    gint references;
    const char **texts; /* of `list` */
    Json *list;
};

const char *const *shared_words_texts(const SharedWords *words)
{
    static const char *const none[] = {NULL};
    return words->texts ? words->texts : none;
}

static SharedWords *shared_words_ref(SharedWords *words)
{
    g_atomic_int_inc(&words->references);
    return words;
}

void shared_words_unref(SharedWords *words)
{
    if (!words || !g_atomic_int_dec_and_test(&words->references))
        return;
    g_free(words->texts);
    json_unref(words->list);
    g_free(words);
}

/* --- a bounded table in the order of use --------------------------------------------------- */

typedef struct {
    GBytes *source;
    gpointer value;
    size_t weight;
    GList link; /* data = this entry */
} Entry;

typedef struct {
    GHashTable *entries; /* source -> Entry */
    GQueue order;        /* most recently used first */
    size_t weight, limit;
    GDestroyNotify free_value;
} Table;

static void table_open(Table *table, size_t limit, GDestroyNotify free_value)
{
    table->entries = g_hash_table_new(g_bytes_hash, g_bytes_equal);
    g_queue_init(&table->order);
    table->weight = 0;
    table->limit = limit;
    table->free_value = free_value;
}

static void table_drop_oldest(Table *table)
{
    Entry *entry = g_queue_peek_tail(&table->order);
    g_queue_unlink(&table->order, &entry->link);
    g_hash_table_remove(table->entries, entry->source);
    table->weight -= entry->weight;
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

/* A value of more than the limit is alone in the table. Takes `value` over, unless another thread
 * was faster: then that one's is the value. */
static gpointer table_add(Table *table, GBytes *source, gpointer value, size_t weight)
{
    gpointer present = table_find(table, source);
    if (present) {
        table->free_value(value);
        return present;
    }
    while (table->weight + weight > table->limit && !g_queue_is_empty(&table->order))
        table_drop_oldest(table);
    table->weight += weight;
    Entry *entry = g_new0(Entry, 1);
    entry->weight = weight;
    entry->source = g_bytes_ref(source);
    entry->value = value;
    entry->link.data = entry;
    g_queue_push_head_link(&table->order, &entry->link);
    g_hash_table_insert(table->entries, entry->source, entry);
    return value;
}

/* --- all kinds ----------------------------------------------------------------------------- */

struct References {
    GMutex mutex;
    Table keys, policies, words, runtime, boot;
    ImaSignatureCache *signatures;
};

static void free_key(gpointer key)
{
    shared_key_unref(key);
}

static void free_policy(gpointer policy)
{
    tpm_policy_unref(policy);
}

static void free_runtime(gpointer policy)
{
    runtime_policy_unref(policy);
}

static void free_boot(gpointer policy)
{
    boot_policy_unref(policy);
}

static void free_words(gpointer words)
{
    shared_words_unref(words);
}

References *references_new(void)
{
    References *references = g_new0(References, 1);
    g_mutex_init(&references->mutex);
    table_open(&references->keys, REFERENCES_MAX_KEYS, free_key);
    table_open(&references->policies, REFERENCES_MAX_POLICIES, free_policy);
    table_open(&references->words, REFERENCES_MAX_WORDS, free_words);
    table_open(&references->runtime, REFERENCES_MAX_RUNTIME, free_runtime);
    table_open(&references->boot, REFERENCES_MAX_BOOT, free_boot);
    references->signatures = ima_signature_cache_new(REFERENCES_MAX_SIGNATURES);
    return references;
}

void references_free(References *references)
{
    if (!references)
        return;
    table_close(&references->keys);
    table_close(&references->policies);
    table_close(&references->words);
    table_close(&references->runtime);
    table_close(&references->boot);
    ima_signature_cache_free(references->signatures);
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
    key = shared_key_ref(table_add(&references->keys, tpm2b, key, 1));
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
    policy = tpm_policy_ref(table_add(&references->policies, kept, policy, 1));
    g_mutex_unlock(&references->mutex);
    return policy;
}

static SharedWords *words_of(const char *text)
{
    SharedWords *words = g_new0(SharedWords, 1);
    Json *list = json_parse(bytes_of_text(text), NULL);
    words->references = 1;
    words->list = json_object_new_object();
    json_add(words->list, "list", list);
    words->texts = json_member_texts(words->list, "list");
    return words;
}

SharedWords *references_words(References *references, const char *text)
{
    if (!text)
        text = "[]";
    g_autoptr(GBytes) source = g_bytes_new_static(text, strlen(text));
    g_mutex_lock(&references->mutex);
    SharedWords *words = table_find(&references->words, source);
    if (words)
        shared_words_ref(words);
    g_mutex_unlock(&references->mutex);
    if (words)
        return words;
    words = words_of(text);
    g_autoptr(GBytes) kept = g_bytes_new(text, strlen(text));
    g_mutex_lock(&references->mutex);
    words = shared_words_ref(table_add(&references->words, kept, words, 1));
    g_mutex_unlock(&references->mutex);
    return words;
}

RuntimePolicy *references_runtime(References *references, const char *checksum)
{
    g_autoptr(GBytes) source = g_bytes_new_static(checksum, strlen(checksum));
    g_mutex_lock(&references->mutex);
    RuntimePolicy *policy = table_find(&references->runtime, source);
    if (policy)
        runtime_policy_ref(policy);
    g_mutex_unlock(&references->mutex);
    return policy;
}

RuntimePolicy *references_add_runtime(References *references, const char *checksum,
                                      const char *text, GError **error)
{
    /* Compiled outside the lock: other agents need not wait. */
    RuntimePolicy *policy =
        runtime_policy_parse(bytes_of_text(text), &runtime_policy_rules_default, error);
    if (!policy)
        return NULL;
    /* Compiling a large policy leaves holes of many times its size. */
    if (strlen(text) > TRIM_SIZE)
        (void)malloc_trim(0);
    g_autoptr(GBytes) kept = g_bytes_new(checksum, strlen(checksum));
    size_t weight = runtime_policy_memory(policy);
    g_mutex_lock(&references->mutex);
    policy = runtime_policy_ref(table_add(&references->runtime, kept, policy, weight));
    g_mutex_unlock(&references->mutex);
    return policy;
}

BootPolicy *references_boot(References *references, const char *checksum)
{
    g_autoptr(GBytes) source = g_bytes_new_static(checksum, strlen(checksum));
    g_mutex_lock(&references->mutex);
    BootPolicy *policy = table_find(&references->boot, source);
    if (policy)
        boot_policy_ref(policy);
    g_mutex_unlock(&references->mutex);
    return policy;
}

BootPolicy *references_add_boot(References *references, const char *checksum, BootRules rules,
                                const char *text)
{
    BootPolicy *policy = boot_policy_new(rules, text);
    g_autoptr(GBytes) kept = g_bytes_new(checksum, strlen(checksum));
    g_mutex_lock(&references->mutex);
    policy = boot_policy_ref(table_add(&references->boot, kept, policy, strlen(text) + 1));
    g_mutex_unlock(&references->mutex);
    return policy;
}

ImaSignatureCache *references_signatures(References *references)
{
    return references->signatures;
}
