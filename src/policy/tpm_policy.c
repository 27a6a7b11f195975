/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/tpm_policy.h"

#include "base/encoding.h"
#include "base/json.h"

#include <string.h>

/* Of JSON: 24 PCRs with a thousand values each. Strangers send policies, too, and each value may
 * take 0.8 KiB. */
#define VALUES_MAX 25000

G_DEFINE_QUARK(policy - error - quark, policy_error)

struct TpmPolicy {
    gatomicrefcount references;
    GPtrArray *values[PCR_COUNT]; /* of GBytes; NULL when the PCR is not named */
};

static bool invalid(GError **error, const char *member, const char *reason)
{
    g_set_error(error, POLICY_ERROR, POLICY_ERROR_INVALID, "tpm_policy: member \"%s\" %s", member,
                reason);
    return false;
}

/* "0" to "23" in the one way to write them; -1 otherwise. */
static int pcr_from_name(const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length > 2 || !g_ascii_isdigit(name[0]) ||
        (length == 2 && (name[0] == '0' || !g_ascii_isdigit(name[1]))))
        return -1;
    int pcr = name[0] - '0';
    if (length == 2)
        pcr = pcr * 10 + (name[1] - '0');
    return pcr < PCR_COUNT ? pcr : -1;
}

static const char *without_hex_prefix(const char *text)
{
    return g_ascii_strncasecmp(text, "0x", 2) == 0 ? text + 2 : text;
}

static bool is_digest_size(size_t size)
{
    return size == 20 || size == 32 || size == 48 || size == 64;
}

static bool add_value(GPtrArray *values, const char *name, Json *value, GError **error)
{
    const char *text = json_text(value);
    if (!text)
        return invalid(error, name, "holds a value that is no text");
    g_autoptr(GBytes) digest = hex_decode(without_hex_prefix(text));
    if (!digest || !is_digest_size(g_bytes_get_size(digest)))
        return invalid(
            error, name,
            "holds a value that is not a digest of 20, 32, 48 or 64 bytes in hexadecimal");
    g_ptr_array_add(values, g_steal_pointer(&digest));
    return true;
}

static bool add_pcr(TpmPolicy *policy, const char *name, Json *value, GError **error)
{
    int pcr = pcr_from_name(name);
    if (pcr < 0)
        return invalid(error, name, "is neither a PCR from 0 to 23 nor \"mask\"");
    GPtrArray *values = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    policy->values[pcr] = values;
    if (!json_object_is_type(value, json_type_array))
        return add_value(values, name, value, error);
    for (size_t i = 0; i < json_object_array_length(value); i++)
        if (!add_value(values, name, json_object_array_get_idx(value, i), error))
            return false;
    return true;
}

/* The mask only repeats which PCRs are named and is not used; what is no mask at all is a mistake.
 */
static bool check_mask(Json *value, GError **error)
{
    if (json_object_is_type(value, json_type_int) && json_object_get_int64(value) >= 0)
        return true;
    const char *text = json_text(value);
    const char *digits = text ? without_hex_prefix(text) : "";
    if (*digits == '\0' || digits[strspn(digits, "0123456789abcdefABCDEF")] != '\0')
        return invalid(error, "mask", "is neither a number nor a hexadecimal text");
    return true;
}

/* The object of `text`, also when it is written as a JSON text once more. */
static Json *parse_object(const char *text, GError **error)
{
    g_autoptr(GError) reason = NULL;
    g_autoptr(Json) document = json_parse_bounded(bytes_of_text(text), VALUES_MAX, &reason);
    const char *inner = json_text(document);
    if (inner) {
        Json *object = json_parse_bounded(bytes_of_text(inner), VALUES_MAX, &reason);
        json_unref(document);
        document = object;
    }
    if (!document || !json_object_is_type(document, json_type_object)) {
        g_set_error(error, POLICY_ERROR, POLICY_ERROR_INVALID, "tpm_policy: %s",
                    reason ? reason->message : "not a JSON object");
        return NULL;
    }
    return g_steal_pointer(&document);
}

TpmPolicy *tpm_policy_parse(const char *text, GError **error)
{
    g_autoptr(Json) object = parse_object(text, error);
    if (!object)
        return NULL;
    g_autoptr(TpmPolicy) policy = g_new0(TpmPolicy, 1);
    g_atomic_ref_count_init(&policy->references);
    json_object_object_foreach (object, name, value) {
        if (!value)
            continue; /* null is as good as absent (decision D76) */
        bool good = strcmp(name, "mask") == 0 ? check_mask(value, error)
                                              : add_pcr(policy, name, value, error);
        if (!good)
            return NULL;
    }
    return g_steal_pointer(&policy);
}

TpmPolicy *tpm_policy_ref(const TpmPolicy *policy)
{
    TpmPolicy *shared = (TpmPolicy *)policy;
    g_atomic_ref_count_inc(&shared->references);
    return shared;
}

void tpm_policy_unref(TpmPolicy *policy)
{
    if (!policy || !g_atomic_ref_count_dec(&policy->references))
        return;
    for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++)
        g_clear_pointer(&policy->values[pcr], g_ptr_array_unref);
    g_free(policy);
}

static guint value_count(const TpmPolicy *policy, unsigned pcr)
{
    return pcr < PCR_COUNT && policy->values[pcr] ? policy->values[pcr]->len : 0;
}

static Bytes value_at(const TpmPolicy *policy, unsigned pcr, guint index)
{
    return bytes_of_gbytes(g_ptr_array_index(policy->values[pcr], index));
}

uint32_t tpm_policy_pcrs(const TpmPolicy *policy)
{
    uint32_t pcrs = 0;
    for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++)
        if (value_count(policy, pcr) > 0)
            pcrs |= UINT32_C(1) << pcr;
    return pcrs;
}

bool tpm_policy_allows(const TpmPolicy *policy, unsigned pcr, Bytes value)
{
    for (guint i = 0; i < value_count(policy, pcr); i++)
        if (bytes_equal(value_at(policy, pcr, i), value))
            return true;
    return false;
}

char *tpm_policy_expected(const TpmPolicy *policy, unsigned pcr, size_t digest_size)
{
    g_autoptr(GString) list = g_string_new(NULL);
    for (guint i = 0; i < value_count(policy, pcr); i++) {
        Bytes value = value_at(policy, pcr, i);
        if (value.size != digest_size)
            continue;
        g_autofree char *hex = hex_encode(value);
        g_string_append_printf(list, "%s%s", list->len > 0 ? ", " : "", hex);
    }
    return g_string_free(g_steal_pointer(&list), FALSE);
}
