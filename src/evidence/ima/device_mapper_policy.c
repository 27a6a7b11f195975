/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/ima/device_mapper_policy.h"

#include "policy/python_pattern.h"

#include <string.h>

G_DEFINE_QUARK(device - mapper - error - quark, device_mapper_error)

enum { POLICY_VERSION = 1 };

struct DeviceMapperPolicy {
    Json *object;
    bool by_name;
    GHashTable *expressions; /* pattern (char*) -> PythonPattern*, NULL when it is none */
    PythonMatcher *matcher;
};

static void free_expression(gpointer pattern)
{
    python_pattern_free(pattern);
}

static DeviceMapperPolicy *refuse(GError **error, const char *member)
{
    g_set_error(error, DEVICE_MAPPER_ERROR, DEVICE_MAPPER_ERROR_POLICY,
                "ima.dm_policy: %s is missing or not of its form", member);
    return NULL;
}

DeviceMapperPolicy *device_mapper_policy_parse(Bytes text, GError **error)
{
    g_autoptr(Json) object = json_parse(text, error);
    if (!object)
        return NULL;
    gint64 version;
    const char *match_on = json_member_text(object, "match_on");
    if (!json_member_int(object, "version", false, &version) || version != POLICY_VERSION)
        return refuse(error, "version (1)");
    if (!match_on || (strcmp(match_on, "name") != 0 && strcmp(match_on, "uuid") != 0))
        return refuse(error, "match_on (\"name\" or \"uuid\")");
    if (!json_member_of_type(object, "rules", json_type_object))
        return refuse(error, "rules");
    DeviceMapperPolicy *policy = g_new0(DeviceMapperPolicy, 1);
    policy->by_name = strcmp(match_on, "name") == 0;
    policy->object = g_steal_pointer(&object);
    policy->expressions = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_expression);
    policy->matcher = python_matcher_new();
    return policy;
}

void device_mapper_policy_free(DeviceMapperPolicy *policy)
{
    if (!policy)
        return;
    json_unref(policy->object);
    g_hash_table_unref(policy->expressions);
    python_matcher_free(policy->matcher);
    g_free(policy);
}

bool device_mapper_policy_matches_names(const DeviceMapperPolicy *policy)
{
    return policy->by_name;
}

Json *device_mapper_policy_rules(const DeviceMapperPolicy *policy)
{
    return json_member(policy->object, "rules");
}

bool device_mapper_policy_matches(DeviceMapperPolicy *policy, const char *pattern, Bytes text)
{
    gpointer compiled;
    if (!g_hash_table_lookup_extended(policy->expressions, pattern, NULL, &compiled)) {
        compiled = python_pattern_compile(bytes_of_text(pattern), PYTHON_MATCH_WHOLE, NULL);
        g_hash_table_insert(policy->expressions, g_strdup(pattern), compiled);
    }
    return compiled && python_pattern_match(compiled, policy->matcher, text) == PYTHON_MATCHES;
}

static bool is_one_of(const char *text, const char *const *words)
{
    return g_strv_contains(words, text);
}

/* "y", "off", ...: the words of a truth value. */
static bool allows_truth(bool wanted, const DeviceMapperValue *value, const char *text)
{
    static const char *const yes[] = {"y", "yes", "t", "true", "on", "1", NULL};
    static const char *const no[] = {"n", "no", "f", "false", "off", "0", NULL};
    g_autofree char *lower = g_ascii_strdown(text, -1);
    if (value->is_number)
        return strcmp(text, wanted ? "1" : "0") == 0;
    return is_one_of(lower, wanted ? yes : no);
}

/* A number stands for itself, without leading zeros. */
static char *text_of_value(const DeviceMapperValue *value)
{
    Bytes bytes = value->value;
    while (value->is_number && bytes.size > 1 && bytes.data[0] == '0')
        bytes = bytes_of(bytes.data + 1, bytes.size - 1);
    return g_strndup(bytes.size > 0 ? (const char *)bytes.data : "", bytes.size);
}

bool device_mapper_policy_allows(DeviceMapperPolicy *policy, Json *reference,
                                 const DeviceMapperValue *value)
{
    if (!reference)
        return true;
    if (!value || !value->present)
        return false;
    g_autofree char *text = text_of_value(value);
    gint64 number;
    switch (json_object_get_type(reference)) {
    case json_type_boolean:
        return allows_truth(json_object_get_boolean(reference), value, text);
    case json_type_int:
        return g_ascii_string_to_signed(text, 10, G_MININT64, G_MAXINT64, &number, NULL) &&
               number == json_object_get_int64(reference);
    case json_type_string:
        return json_text(reference) &&
               device_mapper_policy_matches(policy, json_text(reference), bytes_of_text(text));
    default:
        return false;
    }
}
