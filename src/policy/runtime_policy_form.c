/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/runtime_policy_form.h"

#include "policy/python_pattern.h"

#include <string.h>

#define MIN_DIGITS 40
#define MAX_DIGITS 128

static bool refuse(GError **error, const char *path, const char *reason)
{
    g_set_error(error, RUNTIME_POLICY_ERROR, RUNTIME_POLICY_ERROR_FORM, "%s: %s", path, reason);
    return false;
}

/* The member, which may be null; false when it is absent. */
static bool take(Json *object, const char *name, const char *path, Json **value, GError **error)
{
    return json_object_object_get_ex(object, name, value) ||
           refuse(error, path, "is a required member");
}

static bool take_of_type(Json *object, const char *name, const char *path, json_type type,
                         Json **value, GError **error)
{
    if (!take(object, name, path, value, error))
        return false;
    if (*value && json_object_is_type(*value, type))
        return true;
    return refuse(error, path,
                  type == json_type_object  ? "is not an object"
                  : type == json_type_array ? "is not an array"
                                            : "is not a text");
}

/* An integer from 0 to `most`. */
static bool check_number(Json *object, const char *name, const char *path, double most,
                         GError **error)
{
    Json *value = NULL;
    if (!take(object, name, path, &value, error))
        return false;
    if (!json_is_integer(value))
        return refuse(error, path, "is not an integer");
    double number = json_object_get_double(value);
    if (number < 0)
        return refuse(error, path, "is below 0");
    return number <= most || refuse(error, path, "is none of the known generators, 0 to 3");
}

static bool check_meta(Json *policy, GError **error)
{
    Json *meta = NULL, *timestamp = NULL;
    if (!take_of_type(policy, "meta", "meta", json_type_object, &meta, error) ||
        !check_number(meta, "version", "meta.version", G_MAXDOUBLE, error) ||
        !check_number(meta, "generator", "meta.generator", 3, error))
        return false;
    return !json_object_object_get_ex(meta, "timestamp", &timestamp) ||
           json_object_is_type(timestamp, json_type_string) ||
           refuse(error, "meta.timestamp", "is not a text");
}

Bytes runtime_policy_digest_digits(Json *value)
{
    if (!value || !json_object_is_type(value, json_type_string))
        return BYTES_EMPTY;
    Bytes digits =
        bytes_of(json_object_get_string(value), (size_t)json_object_get_string_len(value));
    if (digits.size > 0 && digits.data[digits.size - 1] == '\n')
        digits.size--;
    if (digits.size < MIN_DIGITS || digits.size > MAX_DIGITS)
        return BYTES_EMPTY;
    for (size_t i = 0; i < digits.size; i++)
        if (!g_ascii_isdigit(digits.data[i]) && !(digits.data[i] >= 'a' && digits.data[i] <= 'f'))
            return BYTES_EMPTY;
    return digits;
}

static bool check_digests(const char *map, const char *name, Json *digests, GError **error)
{
    g_autofree char *path = g_strdup_printf("%s.%s", map, name);
    if (!digests || !json_object_is_type(digests, json_type_array))
        return refuse(error, path, "is not an array of digests");
    size_t count = json_object_array_length(digests);
    if (count == 0)
        return refuse(error, path, "holds no digest");
    for (size_t i = 0; i < count; i++) {
        if (runtime_policy_digest_digits(json_object_array_get_idx(digests, i)).size > 0)
            continue;
        g_autofree char *element = g_strdup_printf("%s[%zu]", path, i);
        return refuse(error, element, "is not a digest of 40 to 128 lower-case hexadecimal digits");
    }
    return true;
}

static bool check_map(Json *policy, const char *name, GError **error)
{
    Json *map = NULL;
    if (!take_of_type(policy, name, name, json_type_object, &map, error))
        return false;
    json_object_object_foreach (map, key, digests)
        if (!check_digests(name, key, digests, error))
            return false;
    return true;
}

static bool check_texts(Json *object, const char *name, const char *path, GError **error)
{
    Json *texts = NULL;
    if (!take_of_type(object, name, path, json_type_array, &texts, error))
        return false;
    for (size_t i = 0; i < json_object_array_length(texts); i++) {
        if (json_object_is_type(json_object_array_get_idx(texts, i), json_type_string))
            continue;
        g_autofree char *element = g_strdup_printf("%s[%zu]", path, i);
        return refuse(error, element, "is not a text");
    }
    return true;
}

/* Every text of a rule is an expression over a value (ima §13). */
static bool check_expressions(Json *value, const char *path, GError **error)
{
    g_autoptr(GError) reason = NULL;
    switch (json_object_get_type(value)) {
    case json_type_string: {
        Bytes text =
            bytes_of(json_object_get_string(value), (size_t)json_object_get_string_len(value));
        g_autoptr(PythonPattern) pattern =
            python_pattern_compile(text, PYTHON_MATCH_WHOLE, &reason);
        return pattern || refuse(error, path, reason->message);
    }
    case json_type_object: {
        json_object_object_foreach (value, name, member) {
            g_autofree char *inner = g_strdup_printf("%s.%s", path, name);
            if (!check_expressions(member, inner, error))
                return false;
        }
        return true;
    }
    case json_type_array:
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            g_autofree char *inner = g_strdup_printf("%s[%zu]", path, i);
            if (!check_expressions(json_object_array_get_idx(value, i), inner, error))
                return false;
        }
        return true;
    default:
        return true;
    }
}

/* What the policy floor must know of it (ima §13): the appraisal compiles it. */
static bool check_dm_policy(Json *ima, const RuntimePolicyRules *rules, GError **error)
{
    Json *dm = NULL;
    if (!take(ima, "dm_policy", "ima.dm_policy", &dm, error))
        return false;
    if (!dm)
        return true;
    if (!rules->accept_dm_policy || !json_object_is_type(dm, json_type_object))
        return refuse(error, "ima.dm_policy",
                      rules->accept_dm_policy ? "is neither null nor an object" : "is not null");
    gint64 version;
    if (!json_member_int(dm, "version", false, &version) || version != 1)
        return refuse(error, "ima.dm_policy.version", "is not 1");
    const char *match_on = json_member_text(dm, "match_on");
    if (g_strcmp0(match_on, "name") != 0 && g_strcmp0(match_on, "uuid") != 0)
        return refuse(error, "ima.dm_policy.match_on", "is neither \"name\" nor \"uuid\"");
    Json *device_rules = json_member_of_type(dm, "rules", json_type_object);
    return device_rules ? check_expressions(device_rules, "ima.dm_policy.rules", error)
                        : refuse(error, "ima.dm_policy.rules", "is not an object");
}

static bool check_ima(Json *policy, const RuntimePolicyRules *rules, GError **error)
{
    Json *ima = NULL, *algorithm = NULL;
    if (!take_of_type(policy, "ima", "ima", json_type_object, &ima, error) ||
        !check_texts(ima, "ignored_keyrings", "ima.ignored_keyrings", error) ||
        !take_of_type(ima, "log_hash_alg", "ima.log_hash_alg", json_type_string, &algorithm, error))
        return false;
    uint16_t hash = tpm_hash_from_name(json_object_get_string(algorithm));
    if (!tpm_hash_md(hash))
        return refuse(error, "ima.log_hash_alg", "is none of sha1, sha256, sha384, sha512");
    return check_dm_policy(ima, rules, error);
}

static bool check_verification_keys(Json *policy, GError **error)
{
    Json *keys = NULL;
    if (!take_of_type(policy, "verification-keys", "verification-keys", json_type_string, &keys,
                      error))
        return false;
    int size = json_object_get_string_len(keys);
    g_autoptr(GError) reason = NULL;
    if (size == 0 ||
        ima_keyring_check_form(bytes_of(json_object_get_string(keys), (size_t)size), &reason))
        return true;
    /* The reason begins with the member's path. */
    g_set_error_literal(error, RUNTIME_POLICY_ERROR, RUNTIME_POLICY_ERROR_FORM, reason->message);
    return false;
}

bool runtime_policy_check_form(Json *policy, const RuntimePolicyRules *rules, GError **error)
{
    return check_meta(policy, error) &&
           check_number(policy, "release", "release", G_MAXDOUBLE, error) &&
           check_map(policy, "digests", error) &&
           check_texts(policy, "excludes", "excludes", error) &&
           check_map(policy, "keyrings", error) && check_ima(policy, rules, error) &&
           check_map(policy, "ima-buf", error) && check_verification_keys(policy, error);
}
