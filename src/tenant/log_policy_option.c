/* SPDX-License-Identifier: Apache-2.0 */
#include "tenant/log_policy_option.h"

#define LOG_NAME "keylime.tenant"
#include "base/encoding.h"
#include "base/log.h"
#include "policy/boot_policy.h"
#include "policy/dsse.h"
#include "policy/legacy_policy.h"
#include "policy/runtime_policy.h"
#include "tenant/ima_key_option.h"
#include "tenant/policy_option.h"
#include "tenant/remote_file.h"

#include <string.h>

/* Of a downloaded policy or allow list. */
#define DOWNLOAD_LIMIT ((size_t)256 * 1024 * 1024)

void log_policies_clear(LogPolicies *policies)
{
    g_clear_pointer(&policies->runtime_policy, g_free);
    g_clear_pointer(&policies->runtime_key, g_free);
    g_clear_pointer(&policies->mb_policy, g_free);
    g_clear_pointer(&policies->ima_keys, g_free);
}

/* --- runtime policy ----------------------------------------------------------------------------
 */

/* Upstream writes local time with microseconds (ima §7.4). */
static char *now_text(void)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    return g_date_time_format(now, "%Y-%m-%d %H:%M:%S.%f");
}

/* An allow list and an exclude list of earlier days as the runtime policy that they make. */
static GBytes *convert_allowlist(const Arguments *arguments, const char *option, GBytes *list,
                                 GError **error)
{
    log_warning("--allowlist, --allowlist-url and --exclude are deprecated: use a runtime policy "
                "(keylime-policy create runtime)");
    g_autofree char *now = now_text();
    g_autoptr(Json) policy = legacy_policy_from_allowlist(bytes_of_gbytes(list), now, NULL, error);
    if (!policy) {
        g_prefix_error(error, "%s: ", option);
        return NULL;
    }
    g_autoptr(GBytes) excludes =
        arguments->exclude ? local_file("--exclude", arguments->exclude, error) : NULL;
    if (arguments->exclude &&
        (!excludes || !legacy_policy_add_excludes(policy, bytes_of_gbytes(excludes), error))) {
        g_prefix_error(error, "--exclude: ");
        return NULL;
    }
    char *text = json_to_python_text(policy);
    return g_bytes_new_take(text, strlen(text));
}

/* NULL without an error: none of the options is given. */
static GBytes *runtime_source(const Tenant *tenant, GError **error)
{
    const Arguments *arguments = tenant->arguments;
    if (arguments->runtime_policy)
        return local_file("--runtime-policy", arguments->runtime_policy, error);
    if (arguments->runtime_policy_url)
        return remote_file(tenant, "--runtime-policy-url", arguments->runtime_policy_url,
                           DOWNLOAD_LIMIT, error);
    const char *option = "--allowlist";
    g_autoptr(GBytes) list = NULL;
    if (arguments->allowlist) {
        list = local_file(option, arguments->allowlist, error);
    } else if (arguments->allowlist_url) {
        option = "--allowlist-url";
        list = remote_file(tenant, option, arguments->allowlist_url, DOWNLOAD_LIMIT, error);
    }
    return list ? convert_allowlist(arguments, option, list, error) : NULL;
}

static bool check_checksum(const Arguments *arguments, GBytes *policy, GError **error)
{
    if (!arguments->runtime_policy_checksum)
        return true;
    g_autofree char *computed = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, policy);
    return g_ascii_strcasecmp(computed, arguments->runtime_policy_checksum) == 0 ||
           tenant_fail(error, "--runtime-policy-checksum: the policy's SHA-256 is %s", computed);
}

/* A signed policy needs the key that signed it; what is not by it is not sent. */
static bool check_signature(const char *key_file, GBytes *policy, char **key_text, GError **error)
{
    g_autoptr(Json) outer = runtime_policy_outer(bytes_of_gbytes(policy), error);
    if (!outer) {
        g_prefix_error(error, "--runtime-policy: ");
        return false;
    }
    bool is_signed = dsse_is_envelope(outer);
    if (!key_file)
        return !is_signed || tenant_fail(error, "--runtime-policy: the policy is signed; give the "
                                                "public key with --runtime-policy-sig-key");
    g_autoptr(GBytes) pem = local_file("--runtime-policy-sig-key", key_file, error);
    g_autoptr(ImaKey) key = pem ? ima_key_parse(bytes_of_gbytes(pem), error) : NULL;
    if (!key) {
        g_prefix_error(error, "--runtime-policy-sig-key: ");
        return false;
    }
    if (!is_signed)
        return tenant_fail(error, "--runtime-policy-sig-key: the policy is not signed");
    if (!dsse_verify(outer, ima_key_pkey(key), &dsse_rules_default, error)) {
        g_prefix_error(error, "--runtime-policy: ");
        return false;
    }
    *key_text = base64_encode(bytes_of_gbytes(pem));
    return true;
}

static bool check_whole(GBytes *policy, GError **error)
{
    g_autoptr(RuntimePolicy) parsed =
        runtime_policy_parse(bytes_of_gbytes(policy), &runtime_policy_rules_default, error);
    if (!parsed)
        g_prefix_error(error, "--runtime-policy: ");
    return parsed != NULL;
}

static bool read_runtime(const Tenant *tenant, bool whole, LogPolicies *out, GError **error)
{
    const Arguments *arguments = tenant->arguments;
    out->runtime_name =
        arguments->runtime_policy_name ? arguments->runtime_policy_name : arguments->allowlist_name;
    if (out->runtime_name)
        out->mask |= IMA_MASK;
    GError *failure = NULL;
    g_autoptr(GBytes) policy = runtime_source(tenant, &failure);
    if (failure) {
        g_propagate_error(error, failure);
        return false;
    }
    if (!policy)
        return true;
    if (!check_checksum(arguments, policy, error) ||
        !check_signature(arguments->runtime_policy_sig_key, policy, &out->runtime_key, error) ||
        (whole && !check_whole(policy, error)))
        return false;
    out->runtime_policy = base64_encode(bytes_of_gbytes(policy));
    out->mask |= IMA_MASK;
    return true;
}

/* --- keys of IMA signatures --------------------------------------------------------------------
 */

static bool read_ima_keys(const Tenant *tenant, LogPolicies *out, GError **error)
{
    g_autoptr(ImaKeyring) ring = ima_key_option_read(tenant, error);
    if (!ring)
        return false;
    if (ima_keyring_size(ring) > 0) {
        out->ima_keys = ima_keyring_to_text(ring);
        out->mask |= IMA_MASK;
    }
    return true;
}

/* --- measured boot policy ----------------------------------------------------------------------
 */

/* What the verifier takes, but can hardly be meant. Which rules it has is not known here: those of
 * `hardware` read every reference state; what they cannot read is for the verifier to refuse. */
static void warn_of_notes(const char *path, const char *text)
{
    g_autoptr(BootPolicy) policy = boot_policy_new(BOOT_RULES_HARDWARE, text);
    const ReferenceState *reference = boot_policy_reference(policy);
    for (guint i = 0; reference && i < reference->notes->len; i++)
        log_warning("--mb-policy %s: %s", path,
                    (const char *)g_ptr_array_index(reference->notes, i));
}

static bool read_boot(const Tenant *tenant, LogPolicies *out, GError **error)
{
    const Arguments *arguments = tenant->arguments;
    out->mb_name = arguments->mb_policy_name;
    if (out->mb_name)
        out->mask |= BOOT_MASK;
    const char *path = arguments->mb_policy;
    if (!path)
        return true;
    if (g_str_equal(path, "default"))
        path = config_text(tenant->config, NULL, "mb_refstate");
    if (*path == '\0')
        return tenant_fail(error, "--mb-policy default: option mb_refstate names no file");
    g_autoptr(GBytes) content = local_file("--mb-policy", path, error);
    g_autoptr(Json) policy = content ? json_parse(bytes_of_gbytes(content), error) : NULL;
    if (!policy) {
        g_prefix_error(error, "--mb-policy %s: ", path);
        return false;
    }
    out->mb_policy = json_to_python_text(policy);
    warn_of_notes(path, out->mb_policy);
    out->mask |= BOOT_MASK;
    return true;
}

bool log_policies_read(const Tenant *tenant, bool whole, LogPolicies *out, GError **error)
{
    *out = (LogPolicies){0};
    return read_runtime(tenant, whole, out, error) && read_ima_keys(tenant, out, error) &&
           read_boot(tenant, out, error);
}

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

void log_policies_add(const LogPolicies *policies, Json *request)
{
    json_add_text(request, "runtime_policy", text_or_empty(policies->runtime_policy));
    json_add_text(request, "runtime_policy_name", text_or_empty(policies->runtime_name));
    json_add_text(request, "runtime_policy_key", text_or_empty(policies->runtime_key));
    json_add_text(request, "mb_policy", policies->mb_policy);
    json_add_text(request, "mb_policy_name", text_or_empty(policies->mb_name));
    json_add_text(request, "ima_sign_verification_keys", text_or_empty(policies->ima_keys));
}

char *log_policies_tpm_policy(const Tenant *tenant, const LogPolicies *policies, GError **error)
{
    g_autofree char *mask = NULL;
    char *text = policy_option_read(tenant->arguments->tpm_policy, policies->mask, &mask, error);
    if (!text)
        return NULL;
    log_write("keylime.cli.policies", LOG_LEVEL_INFO, "TPM PCR Mask from policy is %s", mask);
    if (policies->mb_policy)
        log_write("keylime.cli.policies", LOG_LEVEL_INFO,
                  "TPM PCR Mask automatically modified is 0x%x to include IMA/Event log PCRs",
                  policies->mask);
    return text;
}
