/* SPDX-License-Identifier: Apache-2.0 */
#define LOG_NAME "keylime.verifier"
#include "verifier/policies/posted_policy.h"

#include "base/encoding.h"
#include "base/log.h"
#include "policy/ima_key.h"
#include "policy/policy_upload.h"

#include <string.h>

struct PolicyRules {
    GPtrArray *keys; /* of PEM texts, NULL-terminated: the only ones that count, unless empty */
    bool require_signatures;
    BootRules boot;
};

G_GNUC_PRINTF(2, 3)
static bool refuse(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *reason = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, POLICY_UPLOAD_ERROR, POLICY_UPLOAD_ERROR_MALFORMED, reason);
    return false;
}

/* --- the configuration ------------------------------------------------------------------------ */

/* Policies are signed with ECDSA (ima §12.1). */
static bool check_key(const char *pem, GError **error)
{
    g_autoptr(ImaKey) key = ima_key_parse(bytes_of_text(pem), error);
    return key && (ima_key_kind(key) == IMA_KEY_EC || refuse(error, "it is no EC key"));
}

static bool load_key(PolicyRules *rules, const char *path, GError **error)
{
    g_autofree char *pem = NULL;
    if (!g_file_get_contents(path, &pem, NULL, error)) {
        g_prefix_error(error, "runtime_policy_keys: ");
        return false;
    }
    if (!check_key(pem, error)) {
        g_prefix_error(error, "runtime_policy_keys: %s: ", path);
        return false;
    }
    g_ptr_array_insert(rules->keys, (gint)rules->keys->len - 1, g_steal_pointer(&pem));
    return true;
}

PolicyRules *policy_rules_new(BootRules boot, bool require_signatures)
{
    PolicyRules *rules = g_new0(PolicyRules, 1);
    rules->keys = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(rules->keys, NULL);
    rules->require_signatures = require_signatures;
    rules->boot = boot;
    return rules;
}

PolicyRules *policy_rules_load(const Config *config, GError **error)
{
    BootRules boot = BOOT_RULES_ACCEPT_ALL;
    /* The word was checked with the options. */
    boot_rules_from_name(config_text(config, NULL, "measured_boot_policy_name"), &boot);
    g_autoptr(PolicyRules) rules =
        policy_rules_new(boot, config_bool(config, NULL, "require_allow_list_signatures"));
    for (const char *const *path = config_list(config, NULL, "runtime_policy_keys"); *path; path++)
        if (!load_key(rules, *path, error))
            return NULL;
    return g_steal_pointer(&rules);
}

void policy_rules_free(PolicyRules *rules)
{
    if (!rules)
        return;
    g_ptr_array_unref(rules->keys);
    g_free(rules);
}

/* --- runtime policies --------------------------------------------------------------------------
 */

/* The decoded text of a base64 member; *out NULL when it is absent or empty. What is stored becomes
 * a text of the database, so it must be one. */
static bool read_text(Json *members, const char *name, char **out, GError **error)
{
    *out = NULL;
    Json *value = json_member(members, name);
    if (!value)
        return true;
    const char *encoded = json_text(value);
    g_autoptr(GBytes) decoded = encoded ? base64_decode(encoded) : NULL;
    if (!decoded)
        return refuse(error, "%s: must be a base64 text", name);
    Bytes bytes = bytes_of_gbytes(decoded);
    if (bytes.size == 0)
        return true;
    if (!g_utf8_validate_len((const char *)bytes.data, bytes.size, NULL))
        return refuse(error, "%s: is no UTF-8 text", name);
    *out = g_strndup((const char *)bytes.data, bytes.size);
    return true;
}

/* The key that a request brings, in PEM; *out NULL when there is none. */
static bool read_request_key(Json *members, char **out, GError **error)
{
    if (!read_text(members, "runtime_policy_key", out, error))
        return false;
    if (!*out || check_key(*out, error))
        return true;
    g_prefix_error(error, "runtime_policy_key: ");
    (*error)->code = POLICY_UPLOAD_ERROR_MALFORMED;
    return false;
}

static RuntimePolicy *accept(const PolicyRules *rules, const char *text, const char *request_key,
                             PolicySignature *signature, GError **error)
{
    const PolicyUploadKeys keys = {
        .signature_required = rules->require_signatures,
        .trusted_keys = (const char *const *)rules->keys->pdata,
        .request_key = request_key,
    };
    return policy_upload_accept(bytes_of_text(text), &keys, &runtime_policy_rules_default,
                                signature, error);
}

bool posted_policy_runtime(const PolicyRules *rules, Json *members, const char *name,
                           PolicyRecord **out, GError **error)
{
    g_autofree char *text = NULL;
    g_autofree char *key = NULL;
    *out = NULL;
    if (!read_text(members, "runtime_policy", &text, error) ||
        !read_request_key(members, &key, error))
        return false;
    if (!text)
        return true;
    PolicySignature signature;
    g_autoptr(RuntimePolicy) policy = accept(rules, text, key, &signature, error);
    if (!policy)
        return false;
    if (signature == POLICY_SIGNATURE_UNVERIFIED)
        log_warning("Runtime policy '%s' is taken without a look at its signature: no key came with"
                    " it, and runtime_policy_keys is empty",
                    name);
    *out = policy_record_new(POLICY_RUNTIME, name, g_steal_pointer(&text));
    (*out)->generator = runtime_policy_generator(policy);
    (*out)->wants_log = runtime_policy_wants_ima(policy);
    if (signature == POLICY_SIGNATURE_VERIFIED)
        (*out)->key = g_steal_pointer(&key);
    return true;
}

/* --- measured boot policies --------------------------------------------------------------------
 */

bool posted_policy_boot(const PolicyRules *rules, Json *members, const char *name,
                        PolicyRecord **out, GError **error)
{
    *out = NULL;
    Json *value = json_member(members, "mb_policy");
    if (!value)
        return true;
    g_autofree char *text = json_object_is_type(value, json_type_object)
                                ? json_to_python_text(value)
                                : g_strdup(json_text(value));
    if (!text)
        return refuse(error, "mb_policy: must be a JSON text");
    g_autofree char *bare = g_strstrip(g_strdup(text));
    if (*bare == '\0' || g_str_equal(bare, "null"))
        return true;
    g_autoptr(BootPolicy) policy = boot_policy_new(rules->boot, text);
    const char *problem = boot_policy_problem(policy);
    if (problem)
        return refuse(error, "%s", problem);
    const ReferenceState *reference = boot_policy_reference(policy);
    for (guint i = 0; reference && i < reference->notes->len; i++)
        log_warning("Measured boot policy '%s': %s", name,
                    (const char *)g_ptr_array_index(reference->notes, i));
    *out = policy_record_new(POLICY_MEASURED_BOOT, name, g_steal_pointer(&text));
    (*out)->wants_log = true;
    return true;
}
