/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy_upload.h"

#include "policy/openssl.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

G_DEFINE_QUARK(policy - upload - error - quark, policy_upload_error)

static bool refuse(GError **error, PolicyUploadError status, const char *text)
{
    g_set_error_literal(error, POLICY_UPLOAD_ERROR, (gint)status, text);
    return false;
}

static EVP_PKEY *key_from_pem(const char *text)
{
    g_autoptr(BIO) source = BIO_new_mem_buf(text, -1);
    EVP_PKEY *key = PEM_read_bio_PUBKEY(source, NULL, NULL, NULL);
    ERR_clear_error();
    return key;
}

static bool same_key(const char *a, const char *b)
{
    g_autoptr(EVP_PKEY) first = key_from_pem(a);
    g_autoptr(EVP_PKEY) second = key_from_pem(b);
    return first && second && EVP_PKEY_eq(first, second) == 1;
}

static bool is_given(const char *text)
{
    return text && *text;
}

static bool has_trusted_keys(const PolicyUploadKeys *keys)
{
    return keys->trusted_keys && keys->trusted_keys[0];
}

/* With keys of the operator, a request may name only one of them. */
static bool request_key_is_allowed(const PolicyUploadKeys *keys)
{
    if (!is_given(keys->request_key) || !has_trusted_keys(keys))
        return true;
    for (const char *const *trusted = keys->trusted_keys; *trusted; trusted++)
        if (same_key(*trusted, keys->request_key))
            return true;
    return false;
}

static bool verifies(Json *envelope, const char *pem, const DsseRules *rules)
{
    g_autoptr(EVP_PKEY) key = key_from_pem(pem);
    return key && dsse_verify(envelope, key, rules, NULL);
}

static bool verified_by_any(Json *envelope, const PolicyUploadKeys *keys, const DsseRules *rules)
{
    if (is_given(keys->request_key))
        return verifies(envelope, keys->request_key, rules);
    for (const char *const *trusted = keys->trusted_keys; trusted && *trusted; trusted++)
        if (verifies(envelope, *trusted, rules))
            return true;
    return false;
}

/* Steps 4 to 6. */
static bool check_signature(Json *object, const PolicyUploadKeys *keys, const DsseRules *rules,
                            PolicySignature *signature, GError **error)
{
    bool has_key = is_given(keys->request_key) || has_trusted_keys(keys);
    *signature = POLICY_SIGNATURE_NONE;
    if (keys->signature_required && !has_key)
        return refuse(error, POLICY_UPLOAD_ERROR_UNSIGNED,
                      "Runtime policy signature verification required but no key was given!");
    if (!request_key_is_allowed(keys))
        return refuse(error, POLICY_UPLOAD_ERROR_UNSIGNED,
                      "The key of this runtime policy is none of runtime_policy_keys!");
    if (!dsse_is_envelope(object))
        return !keys->signature_required ||
               refuse(error, POLICY_UPLOAD_ERROR_MALFORMED, "Runtime policy is not signed!");
    *signature = has_key ? POLICY_SIGNATURE_VERIFIED : POLICY_SIGNATURE_UNVERIFIED;
    return !has_key || verified_by_any(object, keys, rules) ||
           refuse(error, POLICY_UPLOAD_ERROR_UNSIGNED,
                  "Runtime policy failed DSSE signature verification!");
}

static bool invalid_pattern(GError **error, const char *reason)
{
    g_autofree char *text = g_strdup_printf(
        "Invalid regex: %s. Exclude list regex is misformatted. Please correct the issue and try "
        "again.",
        reason);
    return refuse(error, POLICY_UPLOAD_ERROR_MALFORMED, text);
}

/* Step 7: upstream looks at the member `exclude`, an array of patterns, of the outer object. */
static bool check_exclude(Json *object, GError **error)
{
    g_autofree const char **texts = json_member_texts(object, "exclude");
    size_t count = texts ? g_strv_length((char **)texts) : 0;
    g_autofree Bytes *patterns = g_new(Bytes, count);
    for (size_t i = 0; i < count; i++)
        patterns[i] = bytes_of_text(texts[i]);
    g_autoptr(GError) reason = NULL;
    g_autoptr(ExcludeList) list = exclude_list_compile_joined(patterns, count, &reason);
    return list || invalid_pattern(error, reason->message);
}

static Json *parse_object(Bytes text, GError **error)
{
    Json *object = runtime_policy_outer(text, NULL);
    if (object)
        return object;
    refuse(error, POLICY_UPLOAD_ERROR_MALFORMED, "Runtime policy is not valid JSON!");
    return NULL;
}

static RuntimePolicy *compile(Bytes text, const RuntimePolicyRules *rules, GError **error)
{
    g_autoptr(GError) reason = NULL;
    RuntimePolicy *policy = runtime_policy_parse(text, rules, &reason);
    if (policy)
        return policy;
    g_autofree char *message =
        g_strdup_printf("Runtime policy is malformatted: %s", reason->message);
    refuse(error, POLICY_UPLOAD_ERROR_MALFORMED, message);
    return NULL;
}

RuntimePolicy *policy_upload_accept(Bytes text, const PolicyUploadKeys *keys,
                                    const RuntimePolicyRules *rules, PolicySignature *signature,
                                    GError **error)
{
    PolicySignature unused;
    g_autoptr(Json) object = parse_object(text, error);
    if (!object ||
        !check_signature(object, keys, &rules->dsse, signature ? signature : &unused, error) ||
        !check_exclude(object, error))
        return NULL;
    g_clear_pointer(&object, json_unref); /* a large policy is not kept in memory twice */
    return compile(text, rules, error);
}
