/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/legacy_policy.h"

#include <string.h>

G_DEFINE_QUARK(legacy - policy - error - quark, legacy_policy_error)

#define KEYRING_PREFIX "%keyring:"

static Json *set_error(GError **error, LegacyPolicyError code, const char *reason)
{
    g_set_error_literal(error, LEGACY_POLICY_ERROR, code, reason);
    return NULL;
}

/* --- the empty policy ---------------------------------------------------------------------------
 */

static Json *new_meta(PolicyGenerator generator, const char *timestamp)
{
    Json *meta = json_object_new_object();
    json_add_int(meta, "version", 1);
    json_add_int(meta, "generator", generator);
    if (timestamp)
        json_add_text(meta, "timestamp", timestamp);
    return meta;
}

static Json *new_ima(void)
{
    Json *ima = json_object_new_object();
    json_add(ima, "ignored_keyrings", json_object_new_array());
    json_add_text(ima, "log_hash_alg", "sha1");
    json_add_null(ima, "dm_policy");
    return ima;
}

Json *legacy_policy_empty(PolicyGenerator generator, const char *timestamp)
{
    Json *policy = json_object_new_object();
    json_add(policy, "meta", new_meta(generator, timestamp));
    json_add_int(policy, "release", 0);
    json_add(policy, "digests", json_object_new_object());
    json_add(policy, "excludes", json_object_new_array());
    json_add(policy, "keyrings", json_object_new_object());
    json_add(policy, "ima", new_ima());
    json_add(policy, "ima-buf", json_object_new_object());
    json_add_text(policy, "verification-keys", "");
    return policy;
}

/* A member of `from` takes the place of the policy's, when Python takes it for true. */
static void copy_member(Json *policy, Json *from, const char *name)
{
    Json *value = json_member(from, name);
    if (json_is_truthy(value))
        json_add(policy, name, json_object_get(value));
}

static void copy_members(Json *policy, Json *from)
{
    static const char *const names[] = {"release", "excludes", "keyrings",
                                        "ima",     "ima-buf",  "verification-keys"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        copy_member(policy, from, names[i]);
}

/* --- lines, as Python's str has them ------------------------------------------------------------
 */

static bool is_line_break(gunichar c)
{
    return (c >= 0x0a && c <= 0x0d) || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 ||
           c == 0x2029;
}

static bool is_space(gunichar c)
{
    return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
           c == 0x202f || c == 0x205f || c == 0x3000;
}

/* A span of UTF-8 text. */
typedef struct {
    const char *at, *end;
} Span;

/* The next line, stripped; false at the end of the text. */
static bool next_line(Span *text, Span *line)
{
    if (text->at == text->end)
        return false;
    line->at = text->at;
    while (text->at < text->end && !is_line_break(g_utf8_get_char(text->at)))
        text->at = g_utf8_next_char(text->at);
    line->end = text->at;
    if (text->at < text->end) {
        bool cr = *text->at == '\r';
        text->at = g_utf8_next_char(text->at);
        if (cr && text->at < text->end && *text->at == '\n')
            text->at++;
    }
    while (line->at < line->end && is_space(g_utf8_get_char(line->at)))
        line->at = g_utf8_next_char(line->at);
    while (line->at < line->end && is_space(g_utf8_get_char(g_utf8_prev_char(line->end))))
        line->end = g_utf8_prev_char(line->end);
    return true;
}

/* Parts a line at its first white space; false when there is none. */
static bool split_line(Span line, Span *first, Span *rest)
{
    const char *at = line.at;
    while (at < line.end && !is_space(g_utf8_get_char(at)))
        at = g_utf8_next_char(at);
    *first = (Span){line.at, at};
    while (at < line.end && is_space(g_utf8_get_char(at)))
        at = g_utf8_next_char(at);
    *rest = (Span){at, line.end};
    return at < line.end;
}

/* The text as a span; it must be UTF-8 without NUL, which JSON names could not hold. */
static bool take_text(Bytes text, Span *span, GError **error)
{
    *span = (Span){"", ""};
    if (text.size == 0)
        return true;
    if (!g_utf8_validate_len((const char *)text.data, text.size, NULL)) {
        set_error(error, LEGACY_POLICY_ERROR_TEXT, "no UTF-8 text without NUL");
        return false;
    }
    *span = (Span){(const char *)text.data, (const char *)text.data + text.size};
    return true;
}

static Json *span_json(Span span)
{
    return json_object_new_string_len(span.at, (int)(span.end - span.at));
}

/* --- allow lists --------------------------------------------------------------------------------
 */

/* Appends a digest to those of a name. */
static void add_digest(Json *map, const char *name, Span digest)
{
    Json *digests = json_member(map, name);
    if (!digests) {
        digests = json_object_new_array();
        json_add(map, name, digests);
    }
    json_object_array_add(digests, span_json(digest));
}

static Json *from_flat_list(Bytes list, const char *timestamp, GArray *skipped, GError **error)
{
    Span text, line, digest, path;
    if (!take_text(list, &text, error))
        return NULL;
    Json *policy = legacy_policy_empty(POLICY_GENERATOR_LEGACY, timestamp);
    Json *digests = json_member(policy, "digests");
    Json *keyrings = json_member(policy, "keyrings");
    for (guint number = 1; next_line(&text, &line); number++) {
        if (line.at == line.end)
            continue;
        if (!split_line(line, &digest, &path)) {
            if (skipped)
                g_array_append_val(skipped, number);
            continue;
        }
        g_autofree char *name = g_strndup(path.at, (gsize)(path.end - path.at));
        if (g_str_has_prefix(name, KEYRING_PREFIX))
            add_digest(keyrings, name + strlen(KEYRING_PREFIX), digest);
        else
            add_digest(digests, name, digest);
    }
    return policy;
}

static Json *from_hashes(Json *list, const char *timestamp)
{
    Json *policy = legacy_policy_empty(POLICY_GENERATOR_LEGACY, timestamp);
    json_add(policy, "digests", json_object_get(json_member(list, "hashes")));
    copy_members(policy, list);
    return policy;
}

Json *legacy_policy_from_allowlist(Bytes text, const char *timestamp, GArray *skipped,
                                   GError **error)
{
    g_autoptr(Json) document = json_parse(text, NULL);
    if (!document)
        return from_flat_list(text, timestamp, skipped, error);
    if (!json_object_is_type(document, json_type_object))
        return set_error(error, LEGACY_POLICY_ERROR_FORM,
                         "JSON, but neither an allow list nor any other object");
    if (json_is_truthy(json_member(document, "hashes")))
        return from_hashes(document, timestamp);
    if (json_member(document, "digests"))
        return set_error(error, LEGACY_POLICY_ERROR_FORM,
                         "a runtime policy, not an allow list: it needs no conversion");
    return set_error(error, LEGACY_POLICY_ERROR_FORM, "a JSON object without \"hashes\"");
}

Json *legacy_policy_from_row(Json *row, const char *timestamp, GError **error)
{
    Json *list = json_member_of_type(row, "allowlist", json_type_object);
    if (!json_is_truthy(json_member(list, "hashes")))
        return set_error(error, LEGACY_POLICY_ERROR_FORM,
                         "a stored allow list without \"allowlist\" and \"hashes\" in it");
    Json *policy = from_hashes(list, timestamp);
    Json *exclude = json_member(row, "exclude");
    if (exclude)
        json_add(policy, "excludes", json_object_get(exclude));
    return policy;
}

/* --- changing a policy --------------------------------------------------------------------------
 */

Json *legacy_policy_upgrade(Json *policy, const char *timestamp, GError **error)
{
    Json *version = json_member(json_member(policy, "meta"), "version");
    if (!version || !json_is_integer(version))
        return set_error(error, LEGACY_POLICY_ERROR_FORM, "meta.version: is not an integer");
    if (json_object_get_double(version) >= 1)
        return json_object_get(policy);
    Json *rebuilt = legacy_policy_empty(POLICY_GENERATOR_COMPATIBLE, timestamp);
    copy_member(rebuilt, policy, "digests");
    copy_members(rebuilt, policy);
    return rebuilt;
}

bool legacy_policy_add_excludes(Json *policy, Bytes list, GError **error)
{
    Json *excludes = json_member_of_type(policy, "excludes", json_type_array);
    Span text, line;
    if (!excludes) {
        set_error(error, LEGACY_POLICY_ERROR_FORM, "excludes: is not an array");
        return false;
    }
    if (!take_text(list, &text, error))
        return false;
    while (next_line(&text, &line))
        if (line.at < line.end && *line.at != '#')
            json_object_array_add(excludes, span_json(line));
    return true;
}

void legacy_policy_add_keys(Json *policy, const ImaKey *const *keys, size_t count)
{
    const char *text = json_member_text(policy, "verification-keys");
    g_autoptr(ImaKeyring) ring =
        ima_keyring_parse(bytes_of_text(text), &ima_keyring_rules_default, NULL);
    if (!ring)
        ring = ima_keyring_new();
    for (size_t i = 0; i < count; i++)
        ima_keyring_add(ring, keys[i]);
    g_autofree char *written = ima_keyring_to_text(ring);
    json_add_text(policy, "verification-keys", written);
}
