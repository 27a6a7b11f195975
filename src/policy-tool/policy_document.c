/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-tool/policy_document.h"

#include "policy/legacy_policy.h"

#include <string.h>

struct PolicyDocument {
    GMutex lock; /* of `maps` and `unnamable` */
    /* name (char *) -> set of digests (GHashTable of interned texts) */
    GHashTable *maps[RUNTIME_POLICY_MAPS];
    guint unnamable;
    GHashTable *excludes, *ignored_keyrings; /* sets of char * */
    ImaKeyring *keys;
    char *log_hash_alg;
};

static const char *const map_names[RUNTIME_POLICY_MAPS] = {
    [RUNTIME_POLICY_DIGESTS] = "digests",
    [RUNTIME_POLICY_KEYRINGS] = "keyrings",
    [RUNTIME_POLICY_IMA_BUF] = "ima-buf",
};

static GHashTable *new_text_set(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

PolicyDocument *policy_document_new(void)
{
    PolicyDocument *document = g_new0(PolicyDocument, 1);
    g_mutex_init(&document->lock);
    for (int map = 0; map < RUNTIME_POLICY_MAPS; map++)
        document->maps[map] = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                                    (GDestroyNotify)g_hash_table_unref);
    document->excludes = new_text_set();
    document->ignored_keyrings = new_text_set();
    document->keys = ima_keyring_new();
    document->log_hash_alg = g_strdup("sha1");
    return document;
}

void policy_document_free(PolicyDocument *document)
{
    if (!document)
        return;
    for (int map = 0; map < RUNTIME_POLICY_MAPS; map++)
        g_hash_table_unref(document->maps[map]);
    g_hash_table_unref(document->excludes);
    g_hash_table_unref(document->ignored_keyrings);
    ima_keyring_free(document->keys);
    g_free(document->log_hash_alg);
    g_mutex_clear(&document->lock);
    g_free(document);
}

/* --- putting together ---------------------------------------------------------------------------
 */

static GHashTable *digests_of(GHashTable *map, const char *name)
{
    GHashTable *digests = g_hash_table_lookup(map, name);
    if (!digests) {
        digests = new_text_set();
        g_hash_table_insert(map, g_strdup(name), digests);
    }
    return digests;
}

void policy_document_add(PolicyDocument *document, RuntimePolicyMap map, Bytes name,
                         const char *hex)
{
    /* A NUL is no valid UTF-8 for this function. */
    bool namable = name.size == 0 || g_utf8_validate_len((const char *)name.data, name.size, NULL);
    g_autofree char *text = namable ? g_strndup((const char *)name.data, name.size) : NULL;
    if (text && map == RUNTIME_POLICY_DIGESTS)
        g_strdelimit(text, " ", '_');
    g_mutex_lock(&document->lock);
    if (text)
        g_hash_table_add(digests_of(document->maps[map], text), g_ascii_strdown(hex, -1));
    else
        document->unnamable++;
    g_mutex_unlock(&document->lock);
}

void policy_document_add_exclude(PolicyDocument *document, const char *pattern)
{
    g_hash_table_add(document->excludes, g_strdup(pattern));
}

void policy_document_ignore_keyring(PolicyDocument *document, const char *name)
{
    g_hash_table_add(document->ignored_keyrings, g_strdup(name));
}

void policy_document_add_key(PolicyDocument *document, const ImaKey *key)
{
    ima_keyring_add(document->keys, key);
}

static void add_map(PolicyDocument *document, RuntimePolicyMap map, Json *names)
{
    json_object_object_foreach (names, name, digests)
        for (size_t i = 0; i < json_object_array_length(digests); i++)
            policy_document_add(document, map, bytes_of_text(name),
                                json_object_get_string(json_object_array_get_idx(digests, i)));
}

static void add_texts(GHashTable *set, Json *texts)
{
    for (size_t i = 0; i < json_object_array_length(texts); i++)
        g_hash_table_add(set,
                         g_strdup(json_object_get_string(json_object_array_get_idx(texts, i))));
}

void policy_document_add_policy(PolicyDocument *document, Json *policy)
{
    Json *ima = json_member(policy, "ima");
    for (int map = 0; map < RUNTIME_POLICY_MAPS; map++)
        add_map(document, map, json_member(policy, map_names[map]));
    add_texts(document->excludes, json_member(policy, "excludes"));
    add_texts(document->ignored_keyrings, json_member(ima, "ignored_keyrings"));
    g_free(document->log_hash_alg);
    document->log_hash_alg = g_strdup(json_member_text(ima, "log_hash_alg"));
    const char *keys = json_member_text(policy, "verification-keys");
    g_autoptr(ImaKeyring) ring =
        ima_keyring_parse(bytes_of_text(keys), &ima_keyring_rules_default, NULL);
    for (guint i = 0; ring && i < ima_keyring_size(ring); i++)
        ima_keyring_add(document->keys, ima_keyring_at(ring, i, NULL));
}

guint policy_document_size(const PolicyDocument *document, RuntimePolicyMap map)
{
    return g_hash_table_size(document->maps[map]);
}

guint policy_document_unnamable(const PolicyDocument *document)
{
    return document->unnamable;
}

/* --- the result ---------------------------------------------------------------------------------
 */

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The keys of a table in order, NULL-terminated, borrowed texts in an allocated array. */
static const char **sorted_keys(GHashTable *table)
{
    guint count;
    gpointer *keys = g_hash_table_get_keys_as_array(table, &count);
    qsort(keys, count, sizeof *keys, compare_texts);
    return (const char **)keys;
}

static Json *sorted_texts(GHashTable *set)
{
    g_autofree const char **texts = sorted_keys(set);
    return json_new_texts(texts);
}

static Json *sorted_map(GHashTable *map)
{
    Json *object = json_object_new_object();
    g_autofree const char **names = sorted_keys(map);
    for (const char **name = names; *name; name++)
        json_add(object, *name, sorted_texts(g_hash_table_lookup(map, *name)));
    return object;
}

char *policy_document_text(const PolicyDocument *document, const char *timestamp)
{
    g_autoptr(Json) policy = legacy_policy_empty(POLICY_GENERATOR_LEGACY, timestamp);
    Json *ima = json_member(policy, "ima");
    for (int map = 0; map < RUNTIME_POLICY_MAPS; map++)
        json_add(policy, map_names[map], sorted_map(document->maps[map]));
    json_add(policy, "excludes", sorted_texts(document->excludes));
    json_add(ima, "ignored_keyrings", sorted_texts(document->ignored_keyrings));
    json_add_text(ima, "log_hash_alg", document->log_hash_alg);
    if (ima_keyring_size(document->keys) > 0) {
        g_autofree char *keys = ima_keyring_to_text(document->keys);
        json_add_text(policy, "verification-keys", keys);
    }
    return json_to_python_text(policy);
}

static void append_lines(GString *lines, GHashTable *map, const char *name)
{
    GHashTable *set = g_hash_table_lookup(map, name);
    g_autofree const char **digests = set ? sorted_keys(set) : NULL;
    for (const char **digest = digests; digest && *digest; digest++)
        g_string_append_printf(lines, "%s  %s\n", *digest, name);
}

char *policy_document_allowlist(const PolicyDocument *document)
{
    static const char first[] = "boot_aggregate";
    GHashTable *map = document->maps[RUNTIME_POLICY_DIGESTS];
    GString *lines = g_string_new(NULL);
    append_lines(lines, map, first);
    g_autofree const char **names = sorted_keys(map);
    for (const char **name = names; *name; name++)
        if (strcmp(*name, first) != 0)
            append_lines(lines, map, *name);
    return g_string_free(lines, FALSE);
}
