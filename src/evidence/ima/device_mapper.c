/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/ima/device_mapper.h"

#include "base/encoding.h"
#include "evidence/ima/algorithm.h"
#include "evidence/ima/device_mapper_policy.h"
#include "evidence/ima/report.h"

#include <string.h>

static const char *const event_names[DEVICE_MAPPER_EVENTS] = {
    [DEVICE_MAPPER_LOAD] = "dm_table_load",      [DEVICE_MAPPER_RESUME] = "dm_device_resume",
    [DEVICE_MAPPER_REMOVE] = "dm_device_remove", [DEVICE_MAPPER_CLEAR] = "dm_table_clear",
    [DEVICE_MAPPER_RENAME] = "dm_device_rename", [DEVICE_MAPPER_UPDATE] = "dm_target_update",
};

/* --- devices --------------------------------------------------------------------------------- */

typedef struct {
    char *rule;  /* of the policy, that its table matched */
    char *table; /* digest of the load event, "sha256:<hex>" */
    bool active;
    bool valid;
} Device;

struct DeviceMapper {
    GHashTable *devices; /* name or uuid -> Device */
};

static void free_device(gpointer data)
{
    Device *device = data;
    g_free(device->rule);
    g_free(device->table);
    g_free(device);
}

static Device *new_device(const char *rule, const char *table, bool active, bool valid)
{
    Device *device = g_new0(Device, 1);
    device->rule = g_strdup(rule);
    device->table = g_strdup(table);
    device->active = active;
    device->valid = valid;
    return device;
}

DeviceMapper *device_mapper_new(void)
{
    DeviceMapper *mapper = g_new0(DeviceMapper, 1);
    mapper->devices = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_device);
    return mapper;
}

DeviceMapper *device_mapper_copy(const DeviceMapper *mapper)
{
    DeviceMapper *copy = device_mapper_new();
    GHashTableIter iterator;
    gpointer key, value;
    g_hash_table_iter_init(&iterator, mapper->devices);
    while (g_hash_table_iter_next(&iterator, &key, &value)) {
        const Device *device = value;
        g_hash_table_insert(copy->devices, g_strdup(key),
                            new_device(device->rule, device->table, device->active, device->valid));
    }
    return copy;
}

void device_mapper_free(DeviceMapper *mapper)
{
    if (!mapper)
        return;
    g_hash_table_unref(mapper->devices);
    g_free(mapper);
}

/* In the order of their names, so that verdicts and texts do not depend on a table's. */
static GPtrArray *sorted_keys(const DeviceMapper *mapper)
{
    g_autoptr(GList) list =
        g_list_sort(g_hash_table_get_keys(mapper->devices), (GCompareFunc)strcmp);
    GPtrArray *keys = g_ptr_array_new();
    for (GList *item = list; item; item = item->next)
        g_ptr_array_add(keys, item->data);
    return keys;
}

Json *device_mapper_to_json(const DeviceMapper *mapper)
{
    Json *object = json_object_new_object();
    g_autoptr(GPtrArray) keys = sorted_keys(mapper);
    for (guint i = 0; i < keys->len; i++) {
        const Device *device = g_hash_table_lookup(mapper->devices, keys->pdata[i]);
        Json *entry = json_object_new_object();
        json_add_text(entry, "policy", device->rule);
        json_add_bool(entry, "active", device->active);
        json_add_bool(entry, "valid", device->valid);
        json_add_text(entry, "table", device->table);
        json_add(object, keys->pdata[i], entry);
    }
    return object;
}

DeviceMapper *device_mapper_from_json(Json *object, GError **error)
{
    g_autoptr(DeviceMapper) mapper = device_mapper_new();
    bool is_object = object && json_object_is_type(object, json_type_object) &&
                     json_object_object_length(object) <= DEVICE_MAPPER_MAX_DEVICES;
    if (is_object) {
        json_object_object_foreach (object, name, entry) {
            const char *rule = json_member_text(entry, "policy");
            const char *table = json_member_text(entry, "table");
            bool active, valid;
            is_object = rule && table && json_member_bool(entry, "active", &active) &&
                        json_member_bool(entry, "valid", &valid);
            if (!is_object)
                break;
            g_hash_table_insert(mapper->devices, g_strdup(name),
                                new_device(rule, table, active, valid));
        }
    }
    if (is_object)
        return g_steal_pointer(&mapper);
    g_set_error(error, DEVICE_MAPPER_ERROR, DEVICE_MAPPER_ERROR_STATE,
                "stored device-mapper state: not usable");
    return NULL;
}

/* --- one event ------------------------------------------------------------------------------- */

typedef struct {
    DeviceMapper *mapper;
    DeviceMapperPolicy *policy;
    bool as_upstream;
    const ImaEntry *entry;
    DeviceMapperEvent event;
    char *key;      /* name or uuid of the device */
    Device *device; /* NULL: not loaded */
    Json *rule;     /* of the device; NULL: none of the present policy */
    DeviceMapperFail fail;
    void *data;
} Judgement;

static void judgement_clear(Judgement *judgement)
{
    device_mapper_event_clear(&judgement->event);
    g_clear_pointer(&judgement->key, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Judgement, judgement_clear)

static void fail(const Judgement *judgement, const char *name, const char *message, const char *got,
                 Json *expected)
{
    g_autofree char *event = g_strdup_printf("%s.%s", event_names[judgement->event.kind], name);
    judgement->fail(judgement->data, event, message, got,
                    expected ? json_object_get_string(expected) : NULL);
}

static void fail_device(const Judgement *judgement, const char *name, const char *message)
{
    fail(judgement, name, message, judgement->key, NULL);
    if (judgement->device)
        judgement->device->valid = false;
}

static char *copy_text(Bytes bytes)
{
    return g_strndup(bytes.size > 0 ? (const char *)bytes.data : "", bytes.size);
}

static const DeviceMapperValue *device_value(const Judgement *judgement, const char *name)
{
    return device_mapper_value(&judgement->event.device, name);
}

/* Does a member of a member of a rule say true? Anything else forbids. */
static bool rule_says(Json *rule, const char *part, const char *name)
{
    bool says = false;
    return json_member_bool(part ? json_member(rule, part) : rule, name, &says) && says;
}

static void judge_target(const Judgement *judgement, const DeviceMapperValues *target,
                         Json *reference)
{
    bool valid = true;
    if (!json_object_is_type(reference, json_type_object))
        return;
    json_object_object_foreach (reference, name, expected) {
        const DeviceMapperValue *value = device_mapper_value(target, name);
        if (!value) {
            fail(judgement, "target_attribute_not_found",
                 "the policy names an attribute that this kind of target has not", name, NULL);
        } else if (!device_mapper_policy_allows(judgement->policy, expected, value)) {
            g_autofree char *text = copy_text(value->value);
            g_autofree char *got = g_strdup_printf("%s=%s", name, text);
            fail(judgement, "target_data_mismatch",
                 "a value of a target is not as the policy has it", got, expected);
            valid = false;
        }
    }
    if (!valid)
        fail(judgement, "target_data_invalid", "a target is not as the policy has it",
             judgement->key, NULL);
}

/* The first rule whose own name or uuid matches (ima §13). */
static Json *find_rule(const Judgement *judgement, const char **name)
{
    const char *member = device_mapper_policy_matches_names(judgement->policy) ? "name" : "uuid";
    json_object_object_foreach (device_mapper_policy_rules(judgement->policy), key, rule) {
        const char *pattern = json_member_text(json_member(rule, "table_load"), member);
        if (pattern && device_mapper_policy_matches(judgement->policy, pattern,
                                                    bytes_of_text(judgement->key))) {
            *name = key;
            return rule;
        }
    }
    return NULL;
}

static bool judge_device_values(const Judgement *judgement, Json *table)
{
    const DeviceMapperValues *device = &judgement->event.device;
    for (size_t i = 0; i < device->count; i++) {
        const DeviceMapperValue *value = &device->values[i];
        Json *expected = json_member(table, value->name);
        if (device_mapper_policy_allows(judgement->policy, expected, value))
            continue;
        g_autofree char *text = copy_text(value->value);
        g_autofree char *got = g_strdup_printf("%s=%s", value->name, text);
        fail(judgement, "invalid_entry", "a value of a device is not as the policy has it", got,
             expected);
        return false;
    }
    return true;
}

static bool has_number(const DeviceMapperValue *value, size_t number)
{
    g_autofree char *text = copy_text(value->value);
    guint64 got;
    return g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, &got, NULL) && got == number;
}

static char *table_of_entry(const ImaEntry *entry)
{
    g_autofree char *algorithm = copy_text(entry->algorithm);
    g_autofree char *hex = hex_encode(entry->digest);
    return g_strconcat(algorithm, ":", hex, NULL);
}

static void judge_load(Judgement *judgement)
{
    const DeviceMapperEvent *event = &judgement->event;
    if (judgement->device && !rule_says(judgement->rule, "table_load", "allow_multiple_loads")) {
        fail(judgement, "multiple_table_loads", "a table was loaded a second time", judgement->key,
             NULL);
        return;
    }
    const char *name = NULL;
    Json *rule = find_rule(judgement, &name);
    if (!rule) {
        fail(judgement, "no_matching_policy", "no rule is for this device", judgement->key, NULL);
        return;
    }
    Json *table = json_member(rule, "table_load");
    if (!judge_device_values(judgement, table))
        return;
    gint64 wanted;
    if (!has_number(device_value(judgement, "num_targets"), event->target_count) ||
        !json_member_int(table, "num_targets", false, &wanted) ||
        wanted != (gint64)event->target_count) {
        fail(judgement, "num_targets_mismatch", "the table has another number of targets",
             judgement->key, json_member(table, "num_targets"));
        return;
    }
    if (g_hash_table_size(judgement->mapper->devices) >= DEVICE_MAPPER_MAX_DEVICES &&
        !judgement->device) {
        fail(judgement, "too_many_devices", "more devices than are followed", judgement->key, NULL);
        return;
    }
    Json *targets = json_member_of_type(table, "targets", json_type_array);
    size_t references = targets ? json_object_array_length(targets) : 0;
    for (size_t i = 0; i < MIN(event->target_count, references); i++)
        judge_target(judgement, &event->targets[i], json_object_array_get_idx(targets, i));
    g_autofree char *digest = table_of_entry(judgement->entry);
    g_hash_table_replace(
        judgement->mapper->devices, g_strdup(judgement->key),
        new_device(name, digest, false, !rule_says(rule, NULL, "device_resume_required")));
}

/* The form of stored tables: an algorithm, and hexadecimal in lower case. */
static char *table_of_text(Bytes text)
{
    g_autofree char *copy = copy_text(text);
    const char *colon = strrchr(copy, ':');
    const char *digits = colon ? colon + 1 : copy;
    g_autofree char *hex = g_ascii_strdown(digits, -1);
    g_autofree char *algorithm = colon                      ? g_strndup(copy, (gsize)(colon - copy))
                                 : strlen(digits) == 2 * 20 ? g_strdup("sha1")
                                                            : g_strdup("md5");
    return g_strconcat(algorithm, ":", hex, NULL);
}

static void judge_resume(Judgement *judgement)
{
    g_autofree char *table = table_of_text(judgement->event.table);
    if (judgement->device->active) {
        fail_device(judgement, "already_active", "the device was resumed a second time");
    } else if (strcmp(judgement->device->table, table) != 0) {
        g_autoptr(Json) expected = json_new_text(judgement->device->table);
        fail(judgement, "active_table_mismatch", "another table was resumed than was loaded", table,
             expected);
        judgement->device->valid = false;
    } else {
        judgement->device->active = judgement->device->valid = true;
    }
}

static void judge_remove(Judgement *judgement)
{
    if (rule_says(judgement->rule, "device_remove", "allow_removal"))
        g_hash_table_remove(judgement->mapper->devices, judgement->key);
    else
        fail_device(judgement, "device_removed", "the device may not be removed");
}

static void judge_clear(Judgement *judgement)
{
    if (!rule_says(judgement->rule, NULL, "allow_clear"))
        fail_device(judgement, "table_cleared", "the table may not be cleared");
}

static void move_device(Judgement *judgement, Bytes key)
{
    gpointer old_key, device;
    if (!g_hash_table_steal_extended(judgement->mapper->devices, judgement->key, &old_key, &device))
        return;
    g_free(old_key);
    g_hash_table_replace(judgement->mapper->devices, copy_text(key), device);
}

/* One of the two names: unchanged, or changed to what the rule allows. */
static void judge_new_name(Judgement *judgement, const char *old, const char *member, Bytes changed,
                           const char *event, bool is_key)
{
    if (bytes_equal(device_value(judgement, old)->value, changed))
        return;
    Json *rename = json_member(judgement->rule, "device_rename");
    Json *expected = json_member(rename, member);
    DeviceMapperValue value = {.present = true, .value = changed};
    if (rename && device_mapper_policy_allows(judgement->policy, expected, &value)) {
        if (is_key)
            move_device(judgement, judgement->as_upstream ? judgement->event.new_name : changed);
        return;
    }
    g_autofree char *got = copy_text(changed);
    fail(judgement, event, "the device may not be renamed so", got, expected);
    judgement->device->valid = false;
}

static void judge_rename(Judgement *judgement)
{
    bool by_name = device_mapper_policy_matches_names(judgement->policy);
    judge_new_name(judgement, "name", "valid_name", judgement->event.new_name, "new_name_invalid",
                   by_name);
    judge_new_name(judgement, "uuid", "valid_uuid", judgement->event.new_uuid, "new_uuid_invalid",
                   !by_name);
}

static void judge_update(Judgement *judgement)
{
    const DeviceMapperValues *target = &judgement->event.targets[0];
    Json *targets =
        json_member_of_type(json_member(judgement->rule, "table_load"), "targets", json_type_array);
    g_autofree char *index = copy_text(device_mapper_value(target, "target_index")->value);
    guint64 number;
    if (targets && g_ascii_string_to_unsigned(index, 10, 0, G_MAXUINT64, &number, NULL) &&
        number < json_object_array_length(targets))
        judge_target(judgement, target, json_object_array_get_idx(targets, (size_t)number));
    else
        fail(judgement, "target_data_invalid", "the policy has no such target", index, NULL);
}

static bool find_device(Judgement *judgement)
{
    static const char *const missing[DEVICE_MAPPER_EVENTS] = {
        [DEVICE_MAPPER_RESUME] = "resume_before_table_load",
        [DEVICE_MAPPER_REMOVE] = "remove_before_table_load",
        [DEVICE_MAPPER_CLEAR] = "clear_before_table_load",
        [DEVICE_MAPPER_RENAME] = "rename_before_table_load",
        [DEVICE_MAPPER_UPDATE] = "update_before_table_load",
    };
    bool by_name = device_mapper_policy_matches_names(judgement->policy);
    judgement->key = copy_text(device_value(judgement, by_name ? "name" : "uuid")->value);
    judgement->device = g_hash_table_lookup(judgement->mapper->devices, judgement->key);
    if (judgement->device)
        judgement->rule =
            json_member(device_mapper_policy_rules(judgement->policy), judgement->device->rule);
    const char *event = missing[judgement->event.kind];
    if (judgement->device || !event)
        return true;
    fail(judgement, event, "no table was loaded for this device", judgement->key, NULL);
    return false;
}

/* The digest column is that of the buffer; a digest that cannot be computed ends the judgement. */
static bool judge_digest(const Judgement *judgement)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    size_t size;
    bool computed =
        ima_hash_data(judgement->entry->algorithm, judgement->entry->buffer, digest, &size);
    if (!computed || !bytes_equal(bytes_of(digest, size), judgement->entry->digest))
        judgement->fail(judgement->data, "invalid_data",
                        "the digest is not that of the measured event", NULL, NULL);
    return computed;
}

static bool kind_of_name(Bytes name, DeviceMapperEventKind *out)
{
    for (size_t i = 0; i < DEVICE_MAPPER_EVENTS; i++)
        if (bytes_equal(name, bytes_of_text(event_names[i]))) {
            *out = (DeviceMapperEventKind)i;
            return true;
        }
    return false;
}

bool device_mapper_is_event(Bytes name)
{
    DeviceMapperEventKind kind;
    return kind_of_name(name, &kind);
}

void device_mapper_judge(DeviceMapper *mapper, DeviceMapperPolicy *policy, bool as_upstream,
                         const ImaEntry *entry, DeviceMapperFail fail_function, void *data)
{
    static void (*const judges[DEVICE_MAPPER_EVENTS])(Judgement *) = {
        [DEVICE_MAPPER_LOAD] = judge_load,     [DEVICE_MAPPER_RESUME] = judge_resume,
        [DEVICE_MAPPER_REMOVE] = judge_remove, [DEVICE_MAPPER_CLEAR] = judge_clear,
        [DEVICE_MAPPER_RENAME] = judge_rename, [DEVICE_MAPPER_UPDATE] = judge_update,
    };
    g_auto(Judgement) judgement = {.mapper = mapper,
                                   .policy = policy,
                                   .as_upstream = as_upstream,
                                   .entry = entry,
                                   .fail = fail_function,
                                   .data = data};
    DeviceMapperEventKind kind;
    if (!kind_of_name(entry->name, &kind)) {
        fail_function(data, "invalid_event_type", "no event of the device mapper", NULL, NULL);
        return;
    }
    if (!device_mapper_event_parse(kind, entry->buffer, &judgement.event) ||
        (as_upstream && judgement.event.has_table)) {
        g_autofree char *got = ima_report_text(entry->buffer);
        fail_function(data, "parsing_failed", "the event does not parse", got, NULL);
        return;
    }
    if (judge_digest(&judgement) && find_device(&judgement))
        judges[kind](&judgement);
}

void device_mapper_check(const DeviceMapper *mapper, const DeviceMapperPolicy *policy,
                         DeviceMapperFail fail_function, void *data)
{
    g_autoptr(GHashTable) used = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GPtrArray) keys = sorted_keys(mapper);
    for (guint i = 0; i < keys->len; i++) {
        const Device *device = g_hash_table_lookup(mapper->devices, keys->pdata[i]);
        if (device->valid)
            g_hash_table_add(used, device->rule);
        else
            fail_function(data, "device_invalid_state", "a device is in no valid state",
                          keys->pdata[i], NULL);
    }
    json_object_object_foreach (device_mapper_policy_rules(policy), name, rule) {
        if (rule_says(rule, NULL, "required") && !g_hash_table_contains(used, name))
            fail_function(data, "required_policy_not_in_use",
                          "no device in a valid state is of a required rule", NULL, name);
    }
}
