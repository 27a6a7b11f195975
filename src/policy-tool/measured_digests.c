/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-tool/measured_digests.h"

#include "base/encoding.h"
#include "evidence/ima/log.h"
#include "policy-tool/command.h"
#include "policy/legacy_policy.h"

/* Digests that policies can hold, in bytes (ima §7.1). */
#define MIN_DIGEST 20
#define MAX_DIGEST 64

static bool is_wanted_key(const ImaEntry *entry, const MeasuredSettings *settings)
{
    g_autofree char *name = g_strndup((const char *)entry->name.data, entry->name.size);
    return settings->keyrings && !(settings->ignored && g_strv_contains(settings->ignored, name));
}

static void add_buffer(const ImaEntry *entry, const char *hex, const MeasuredSettings *settings,
                       PolicyDocument *document)
{
    g_autoptr(ImaKey) key = ima_key_parse(entry->buffer, NULL);
    if (key && is_wanted_key(entry, settings))
        policy_document_add(document, RUNTIME_POLICY_KEYRINGS, entry->name, hex);
    else if (!key && settings->buffers)
        policy_document_add(document, RUNTIME_POLICY_IMA_BUF, entry->name, hex);
}

static bool is_file(const ImaEntry *entry)
{
    return entry->template != IMA_TEMPLATE_BUF;
}

/* False for an entry without a digest that a policy can hold. */
static bool add_entry(const ImaEntry *entry, const MeasuredSettings *settings,
                      PolicyDocument *document)
{
    if (entry->digest.size < MIN_DIGEST || entry->digest.size > MAX_DIGEST ||
        bytes_are_zero(entry->template_hash))
        return false;
    g_autofree char *hex = hex_encode(entry->digest);
    if (is_file(entry))
        policy_document_add(document, RUNTIME_POLICY_DIGESTS, entry->name, hex);
    else if (settings->keyrings || settings->buffers)
        add_buffer(entry, hex, settings, document);
    return true;
}

void measured_digests_add(Bytes list, const MeasuredSettings *settings, PolicyDocument *document)
{
    g_auto(ImaLog) log;
    ImaEntry entry;
    const char *reason;
    guint left_out = 0;
    ima_log_init(&log, list, true);
    for (ImaLogItem item; (item = ima_log_next(&log, &entry, &reason)) != IMA_LOG_END;)
        if (item == IMA_LOG_BROKEN ||
            (item == IMA_LOG_ENTRY && !add_entry(&entry, settings, document)))
            left_out++;
    if (left_out > 0)
        command_note("%u entries of the measurement list are not in the policy: they do not parse, "
                     "or are violations, which have no digest",
                     left_out);
}

size_t measured_digest_length(Bytes list)
{
    g_auto(ImaLog) log;
    ImaEntry entry;
    const char *reason;
    ima_log_init(&log, list, true);
    for (ImaLogItem item; (item = ima_log_next(&log, &entry, &reason)) != IMA_LOG_END;)
        if (item == IMA_LOG_ENTRY && is_file(&entry))
            return 2 * entry.digest.size;
    return 0;
}

bool allowlist_digests_add(Bytes list, PolicyDocument *document, GError **error)
{
    g_autoptr(GArray) skipped = g_array_new(FALSE, FALSE, sizeof(guint));
    g_autoptr(Json) policy = legacy_policy_from_allowlist(list, NULL, skipped, error);
    if (!policy)
        return false;
    for (guint i = 0; i < skipped->len; i++)
        command_note("allow list: line %u has no path and is left out",
                     g_array_index(skipped, guint, i));
    /* Only its names and digests: the rest of it is the policy's own. */
    static const struct {
        const char *name;
        RuntimePolicyMap map;
    } maps[] = {{"digests", RUNTIME_POLICY_DIGESTS}, {"keyrings", RUNTIME_POLICY_KEYRINGS}};
    for (size_t i = 0; i < G_N_ELEMENTS(maps); i++) {
        Json *names = json_member_of_type(policy, maps[i].name, json_type_object);
        if (!names)
            continue;
        json_object_object_foreach (names, name, digests)
            for (size_t j = 0; json_object_is_type(digests, json_type_array) &&
                               j < json_object_array_length(digests);
                 j++)
                policy_document_add(document, maps[i].map, bytes_of_text(name),
                                    json_object_get_string(json_object_array_get_idx(digests, j)));
    }
    return true;
}
