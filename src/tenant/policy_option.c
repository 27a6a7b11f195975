/* SPDX-License-Identifier: Apache-2.0 */
#include "tenant/policy_option.h"

#include "base/json.h"
#include "policy/tpm_policy.h"
#include "tenant/commands.h"

static bool check_pcr(const char *key, unsigned *pcr, GError **error)
{
    guint64 number;
    if (!g_ascii_string_to_unsigned(key, 10, 0, PCR_COUNT - 1, &number, NULL))
        return tenant_fail(error, "Invalid tpm policy pcr number: %s", key);
    if (number == 16)
        return tenant_fail(error, "Invalid allowlist PCR number 16, keylime uses this PCR to bind "
                                  "data.");
    if (number == 10)
        return tenant_fail(error, "Invalid allowlist PCR number 10, this PCR is used for IMA.");
    *pcr = (unsigned)number;
    return true;
}

/* One text becomes a list of one; every value in lower case. */
static Json *lower_values(const char *key, Json *value, GError **error)
{
    g_autoptr(Json) list = json_object_new_array();
    bool is_list = json_object_is_type(value, json_type_array);
    size_t count = is_list ? json_object_array_length(value) : 1;
    for (size_t i = 0; i < count; i++) {
        const char *text = json_text(is_list ? json_object_array_get_idx(value, i) : value);
        if (!text) {
            tenant_fail(error,
                        "--tpm_policy: PCR %s: a value is a text of hexadecimal digits, or a "
                        "list of such texts",
                        key);
            return NULL;
        }
        g_autofree char *lower = g_ascii_strdown(text, -1);
        json_object_array_add(list, json_new_text(lower));
    }
    return g_steal_pointer(&list);
}

static bool check_judged(unsigned mask, unsigned judged, GError **error)
{
    unsigned both = mask & judged;
    return both == 0 ||
           tenant_fail(error,
                       "WARNING: PCR %d is specified in \"tpm_policy\", but is judged by the "
                       "agent's %s policy",
                       __builtin_ctz(both), (both & 0x400) ? "runtime" : "measured boot");
}

char *policy_option_read(const char *text, unsigned judged, char **mask_text, GError **error)
{
    g_autoptr(Json) given = json_parse(bytes_of_text(text ? text : "{}"), error);
    if (!given || !json_object_is_type(given, json_type_object)) {
        if (given)
            tenant_fail(error,
                        "--tpm_policy: a JSON object is expected, e.g. {\"15\": [\"00...00\"]}");
        else
            g_prefix_error(error, "--tpm_policy: ");
        return NULL;
    }
    g_autoptr(Json) posted = json_object_new_object();
    unsigned mask = 0;
    json_object_object_foreach (given, key, value) {
        unsigned pcr = 0;
        if (!check_pcr(key, &pcr, error))
            return NULL;
        Json *values = lower_values(key, value, error);
        if (!values)
            return NULL;
        json_add(posted, key, values);
        mask |= 1u << pcr;
    }
    if (!check_judged(mask, judged, error))
        return NULL;
    *mask_text = g_strdup_printf("0x%x", mask);
    g_autofree char *posted_mask = g_strdup_printf("0x%x", mask | judged);
    json_add_text(posted, "mask", posted_mask);
    g_autofree char *posted_text = json_to_python_text(posted);
    /* What the verifier would refuse is refused here, before anything is sent. */
    g_autoptr(TpmPolicy) checked = tpm_policy_parse(posted_text, error);
    if (!checked) {
        g_prefix_error(error, "--tpm_policy: ");
        g_clear_pointer(mask_text, g_free);
        return NULL;
    }
    return g_steal_pointer(&posted_text);
}
