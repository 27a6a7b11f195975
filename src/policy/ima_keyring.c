/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/ima_keyring.h"

#include "base/encoding.h"

#include <string.h>

/* Of JSON: the keys that a list may bring (IMA_MAX_KEYS) with their ids, twice over. Strangers send
 * rings, too, and each value may take 0.8 KiB. */
#define VALUES_MAX 40000

G_DEFINE_QUARK(ima - keyring - error - quark, ima_keyring_error)

const ImaKeyringRules ima_keyring_rules_upstream = {0};
const ImaKeyringRules ima_keyring_rules_default = {.drop_no_base64 = true, .keep_same_ids = true};
const ImaKeyringRules ima_keyring_rules_enrolment = {
    .refuse_unusable_keys = true, .check_ids = true, .keep_same_ids = true};

typedef struct {
    ImaKey *key;
    gint64 id;
} Entry;

struct ImaKeyring {
    GArray *entries; /* of Entry */
};

static void clear_entry(gpointer entry)
{
    ima_key_unref(((Entry *)entry)->key);
}

ImaKeyring *ima_keyring_new(void)
{
    ImaKeyring *ring = g_new0(ImaKeyring, 1);
    ring->entries = g_array_new(FALSE, FALSE, sizeof(Entry));
    g_array_set_clear_func(ring->entries, clear_entry);
    return ring;
}

void ima_keyring_free(ImaKeyring *ring)
{
    if (!ring)
        return;
    g_array_unref(ring->entries);
    g_free(ring);
}

static Entry *entry_at(const ImaKeyring *ring, guint index)
{
    return &g_array_index(ring->entries, Entry, index);
}

static bool same_key(const ImaKey *a, const ImaKey *b)
{
    return bytes_equal(ima_key_identity(a), ima_key_identity(b));
}

/* False when the very key is there under this id. */
static bool add_with_id(ImaKeyring *ring, const ImaKey *key, gint64 id, bool keep_same_ids)
{
    for (guint i = 0; i < ring->entries->len; i++) {
        Entry *entry = entry_at(ring, i);
        if (entry->id != id)
            continue;
        if (same_key(entry->key, key))
            return false;
        if (!keep_same_ids) {
            ima_key_unref(entry->key);
            entry->key = ima_key_ref(key);
            return true;
        }
    }
    Entry entry = {ima_key_ref(key), id};
    g_array_append_val(ring->entries, entry);
    return true;
}

bool ima_keyring_add(ImaKeyring *ring, const ImaKey *key)
{
    return add_with_id(ring, key, ima_key_id(key), true);
}

guint ima_keyring_size(const ImaKeyring *ring)
{
    return ring->entries->len;
}

const ImaKey *ima_keyring_at(const ImaKeyring *ring, guint index, gint64 *id)
{
    const Entry *entry = entry_at(ring, index);
    if (id)
        *id = entry->id;
    return entry->key;
}

/* --- text ---------------------------------------------------------------------------------------
 */

static bool set_error(GError **error, ImaKeyringError code, const char *reason)
{
    g_set_error(error, IMA_KEYRING_ERROR, code, "verification-keys: %s", reason);
    return false;
}

/* The form that upload and reading have in common. */
static bool check_object(Json *object, GError **error)
{
    if (!json_object_is_type(object, json_type_object))
        return set_error(error, IMA_KEYRING_ERROR_NONE, "is no JSON object");
    Json *keys = json_member_of_type(object, "pubkeys", json_type_array);
    Json *ids = json_member_of_type(object, "keyids", json_type_array);
    if (!keys || !ids)
        return set_error(error, IMA_KEYRING_ERROR_NONE,
                         keys ? "member keyids is no array" : "member pubkeys is no array");
    for (size_t i = 0; i < json_object_array_length(keys); i++)
        if (!json_object_is_type(json_object_array_get_idx(keys, i), json_type_string))
            return set_error(error, IMA_KEYRING_ERROR_NONE,
                             "pubkeys holds a value that is no text");
    for (size_t i = 0; i < json_object_array_length(ids); i++)
        if (!json_is_integer(json_object_array_get_idx(ids, i)))
            return set_error(error, IMA_KEYRING_ERROR_NONE,
                             "keyids holds a value that is no integer");
    Json *meta = NULL;
    if (!json_object_object_get_ex(object, "meta", &meta))
        return true;
    Json *version = json_member(meta, "version");
    if (!version || !json_is_integer(version) || json_object_get_double(version) < 1)
        return set_error(error, IMA_KEYRING_ERROR_NONE, "meta.version is no integer from 1");
    return true;
}

bool ima_keyring_check_form(Bytes text, GError **error)
{
    g_autoptr(GError) reason = NULL;
    g_autoptr(Json) object = json_parse_bounded(text, VALUES_MAX, &reason);
    if (!object)
        return set_error(error, IMA_KEYRING_ERROR_INVALID, reason->message);
    return check_object(object, error);
}

/* As Python's base64.b64decode(): what is not of the alphabet is passed over, padding that
 * completes a group ends the text, and an incomplete group at the end is an error. */
static GBytes *lenient_base64(Json *value)
{
    const char *text = json_object_get_string(value);
    size_t size = (size_t)json_object_get_string_len(value);
    g_autoptr(GString) kept = g_string_sized_new(size + 2);
    size_t pads = 0;
    bool padded = false;
    for (size_t i = 0; i < size && !padded; i++) {
        if (text[i] == '=') {
            padded = kept->len % 4 >= 2 && kept->len % 4 + ++pads >= 4;
        } else if (g_ascii_isalnum(text[i]) || text[i] == '+' || text[i] == '/') {
            pads = 0;
            g_string_append_c(kept, text[i]);
        }
    }
    if (kept->len % 4 != 0 && !padded)
        return NULL;
    while (kept->len % 4 != 0)
        g_string_append_c(kept, '=');
    gsize decoded = 0;
    guchar *bytes = g_base64_decode(kept->str, &decoded);
    return g_bytes_new_take(bytes, decoded);
}

/* The stated id; 0, which stands for "computed", when there is none. */
static gint64 stated_id(Json *ids, size_t index)
{
    Json *value = json_object_array_get_idx(ids, index);
    return value ? json_object_get_int64(value) : 0;
}

static bool add_parsed(ImaKeyring *ring, Json *text, gint64 id, const ImaKeyringRules *rules,
                       GError **error)
{
    g_autoptr(GBytes) der = lenient_base64(text);
    if (!der)
        return rules->drop_no_base64 ||
               set_error(error, IMA_KEYRING_ERROR_INVALID, "a key is no base64");
    g_autoptr(GError) reason = NULL;
    g_autoptr(ImaKey) key = ima_key_parse_public(bytes_of_gbytes(der), &reason);
    if (!key)
        return !rules->refuse_unusable_keys ||
               set_error(error, IMA_KEYRING_ERROR_KEY, reason->message);
    gint64 own = ima_key_id(key);
    if (rules->check_ids && id != 0 && id != own)
        return set_error(error, IMA_KEYRING_ERROR_KEY, "a stated key id is not that of its key");
    add_with_id(ring, key, id != 0 ? id : own, rules->keep_same_ids);
    return true;
}

static Json *parse_text(Bytes text, GError **error)
{
    g_autoptr(GError) reason = NULL;
    if (text.size == 0) {
        set_error(error, IMA_KEYRING_ERROR_NONE, "empty");
        return NULL;
    }
    g_autoptr(Json) document = json_parse_bounded(text, VALUES_MAX, &reason);
    if (!document && text.size == 4 && memcmp(text.data, "null", 4) == 0) {
        set_error(error, IMA_KEYRING_ERROR_NONE, "is null");
        return NULL;
    }
    if (document && json_object_is_type(document, json_type_string)) {
        Bytes content = bytes_of(json_object_get_string(document),
                                 (size_t)json_object_get_string_len(document));
        Json *inner = json_parse_bounded(content, VALUES_MAX, &reason);
        json_unref(document);
        document = inner;
    }
    if (!document)
        set_error(error, IMA_KEYRING_ERROR_INVALID, reason->message);
    return g_steal_pointer(&document);
}

ImaKeyring *ima_keyring_parse(Bytes text, const ImaKeyringRules *rules, GError **error)
{
    g_autoptr(Json) object = parse_text(text, error);
    if (!object || !check_object(object, error))
        return NULL;
    Json *keys = json_member(object, "pubkeys");
    Json *ids = json_member(object, "keyids");
    g_autoptr(ImaKeyring) ring = ima_keyring_new();
    for (size_t i = 0; i < json_object_array_length(keys); i++)
        if (!add_parsed(ring, json_object_array_get_idx(keys, i), stated_id(ids, i), rules, error))
            return NULL;
    return g_steal_pointer(&ring);
}

char *ima_keyring_to_text(const ImaKeyring *ring)
{
    g_autoptr(Json) object = json_object_new_object();
    Json *keys = json_object_new_array();
    Json *ids = json_object_new_array();
    for (guint i = 0; i < ring->entries->len; i++) {
        const Entry *entry = entry_at(ring, i);
        g_autofree char *text = base64_encode(ima_key_spki(entry->key));
        json_object_array_add(keys, json_new_text(text));
        json_object_array_add(ids, json_object_new_int64(entry->id));
    }
    json_add(object, "pubkeys", keys);
    json_add(object, "keyids", ids);
    return json_to_python_text(object);
}

/* --- named rings --------------------------------------------------------------------------------
 */

typedef struct {
    GBytes *name;
    ImaKeyring *ring;
} NamedRing;

struct ImaKeyrings {
    GArray *rings; /* of NamedRing */
};

static void clear_ring(gpointer ring)
{
    g_bytes_unref(((NamedRing *)ring)->name);
    ima_keyring_free(((NamedRing *)ring)->ring);
}

ImaKeyrings *ima_keyrings_new(void)
{
    ImaKeyrings *rings = g_new0(ImaKeyrings, 1);
    rings->rings = g_array_new(FALSE, FALSE, sizeof(NamedRing));
    g_array_set_clear_func(rings->rings, clear_ring);
    return rings;
}

void ima_keyrings_free(ImaKeyrings *rings)
{
    if (!rings)
        return;
    g_array_unref(rings->rings);
    g_free(rings);
}

static NamedRing *ring_at(const ImaKeyrings *rings, guint index)
{
    return &g_array_index(rings->rings, NamedRing, index);
}

/* The ring of this name, which is appended when there is none. */
static NamedRing *ring_named(ImaKeyrings *rings, Bytes name)
{
    for (guint i = 0; i < rings->rings->len; i++)
        if (bytes_equal(bytes_of_gbytes(ring_at(rings, i)->name), name))
            return ring_at(rings, i);
    NamedRing ring = {bytes_copy(name), ima_keyring_new()};
    g_array_append_val(rings->rings, ring);
    return ring_at(rings, rings->rings->len - 1);
}

void ima_keyrings_set(ImaKeyrings *rings, Bytes name, const ImaKeyring *ring)
{
    NamedRing *named = ring_named(rings, name);
    ima_keyring_free(named->ring);
    named->ring = ima_keyring_new();
    for (guint i = 0; i < ring->entries->len; i++) {
        Entry copy = *entry_at(ring, i);
        ima_key_ref(copy.key);
        g_array_append_val(named->ring->entries, copy);
    }
}

ImaKeyrings *ima_keyrings_copy(const ImaKeyrings *rings)
{
    ImaKeyrings *copy = ima_keyrings_new();
    for (guint i = 0; i < rings->rings->len; i++)
        ima_keyrings_set(copy, bytes_of_gbytes(ring_at(rings, i)->name), ring_at(rings, i)->ring);
    return copy;
}

bool ima_keyrings_add(ImaKeyrings *rings, Bytes name, const ImaKey *key)
{
    return ima_keyring_add(ring_named(rings, name)->ring, key);
}

guint ima_keyrings_count(const ImaKeyrings *rings)
{
    return rings->rings->len;
}

const ImaKeyring *ima_keyrings_at(const ImaKeyrings *rings, guint index, Bytes *name)
{
    const NamedRing *ring = ring_at(rings, index);
    if (name)
        *name = bytes_of_gbytes(ring->name);
    return ring->ring;
}

const ImaKey *ima_keyrings_next(const ImaKeyrings *rings, uint32_t id, ImaKeyCursor *cursor)
{
    for (; cursor->ring < rings->rings->len; cursor->ring++, cursor->key = 0) {
        const GArray *entries = ring_at(rings, cursor->ring)->ring->entries;
        while (cursor->key < entries->len) {
            const Entry *entry = &g_array_index(entries, Entry, cursor->key++);
            if (entry->id == (gint64)id)
                return entry->key;
        }
    }
    return NULL;
}

Json *ima_keyrings_to_json(const ImaKeyrings *rings)
{
    Json *object = json_object_new_object();
    for (guint i = 0; i < rings->rings->len; i++) {
        const NamedRing *ring = ring_at(rings, i);
        Bytes name = bytes_of_gbytes(ring->name);
        if (bytes_equal(name, bytes_of_text(IMA_TENANT_KEYRING)))
            continue;
        g_autofree char *key = utf8_escape(name);
        g_autofree char *text = ima_keyring_to_text(ring->ring);
        json_add_text(object, key, text);
    }
    return object;
}

ImaKeyrings *ima_keyrings_from_json(Json *object, GError **error)
{
    if (!json_object_is_type(object, json_type_object)) {
        g_set_error_literal(error, IMA_KEYRING_ERROR, IMA_KEYRING_ERROR_INVALID,
                            "learned keyrings: no JSON object");
        return NULL;
    }
    g_autoptr(ImaKeyrings) rings = ima_keyrings_new();
    json_object_object_foreach (object, name, value) {
        const char *text = json_text(value);
        g_autoptr(ImaKeyring) ring =
            ima_keyring_parse(bytes_of_text(text), &ima_keyring_rules_default, error);
        if (!ring) {
            g_prefix_error(error, "learned keyring \"%s\": ", name);
            return NULL;
        }
        ima_keyrings_set(rings, bytes_of_text(name), ring);
    }
    return g_steal_pointer(&rings);
}
