/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/ima/device_mapper_event.h"

#include <string.h>

typedef enum { STRING, MAYBE_STRING, NUMBER, VERSION, YES_NO } ValueKind;

typedef struct {
    const char *name;
    ValueKind kind;
    bool optional;
} Form;

/* Each list ends with a NULL name. */
static const Form device_form[] = {{"name", STRING},
                                   {"uuid", MAYBE_STRING},
                                   {"major", NUMBER},
                                   {"minor", NUMBER},
                                   {"minor_count", NUMBER},
                                   {"num_targets", NUMBER},
                                   {NULL}};
static const Form short_device_form[] = {{"name", STRING}, {"uuid", MAYBE_STRING}, {NULL}};
static const Form target_form[] = {{"target_index", NUMBER},    {"target_begin", NUMBER},
                                   {"target_len", NUMBER},      {"target_name", STRING},
                                   {"target_version", VERSION}, {NULL}};

static const Form verity_form[] = {{"hash_failed", STRING},
                                   {"verity_version", NUMBER},
                                   {"data_device_name", STRING},
                                   {"hash_device_name", STRING},
                                   {"verity_algorithm", STRING},
                                   {"root_digest", STRING},
                                   {"salt", STRING},
                                   {"ignore_zero_blocks", YES_NO},
                                   {"check_at_most_once", YES_NO},
                                   {"root_hash_sig_key_desc", STRING, true},
                                   {"verity_mode", STRING, true},
                                   {NULL}};
static const Form cache_form[] = {
    {"metadata_mode", STRING},       {"cache_metadata_device", STRING},
    {"cache_device", STRING},        {"cache_origin_device", STRING},
    {"writethrough", YES_NO},        {"writeback", YES_NO},
    {"passthrough", YES_NO},         {"metadata2", YES_NO},
    {"no_discard_passdown", YES_NO}, {NULL}};
static const Form crypt_form[] = {{"allow_discards", YES_NO},
                                  {"same_cpu_crypt", YES_NO},
                                  {"submit_from_crypt_cpus", YES_NO},
                                  {"no_read_workqueue", YES_NO},
                                  {"no_write_workqueue", YES_NO},
                                  {"iv_large_sectors", YES_NO},
                                  {"integrity_tag_size", NUMBER, true},
                                  {"cipher_auth", STRING, true},
                                  {"sector_size", NUMBER, true},
                                  {"cipher_string", STRING, true},
                                  {"key_size", NUMBER},
                                  {"key_parts", NUMBER},
                                  {"key_extra_size", NUMBER},
                                  {"key_mac_size", NUMBER},
                                  {NULL}};
static const Form integrity_form[] = {{"dev_name", STRING},
                                      {"start", NUMBER},
                                      {"tag_size", NUMBER},
                                      {"mode", STRING},
                                      {"meta_device", STRING, true},
                                      {"block_size", STRING, true},
                                      {"recalculate", YES_NO},
                                      {"allow_discards", YES_NO},
                                      {"fix_padding", YES_NO},
                                      {"fix_hmac", YES_NO},
                                      {"legacy_recalculate", YES_NO},
                                      {"journal_sectors", NUMBER},
                                      {"interleave_sectors", NUMBER},
                                      {"buffer_sectors", NUMBER},
                                      {NULL}};
static const Form linear_form[] = {{"device_name", STRING}, {"start", STRING}, {NULL}};
static const Form snapshot_form[] = {{"snap_origin_name", STRING},    {"snap_cow_name", STRING},
                                     {"snap_valid", YES_NO},          {"snap_merge_failed", YES_NO},
                                     {"snapshot_overflowed", YES_NO}, {NULL}};
/* Between the two: rows of mirror devices. */
static const Form mirror_form[] = {{"nr_mirrors", NUMBER}, {NULL}};
static const Form mirror_end_form[] = {
    {"handle_errors", YES_NO}, {"keep_log", YES_NO}, {"log_type_status", MAYBE_STRING}, {NULL}};

/* The first name tells which it is. */
static const Form *const target_forms[] = {verity_form, cache_form,    crypt_form, integrity_form,
                                           linear_form, snapshot_form, mirror_form};

/* --- tokens ---------------------------------------------------------------------------------- */

static void skip_padding(Reader *reader)
{
    while (reader->rest.size > 0 && reader->rest.data[0] == '\0')
        reader->rest = bytes_of(reader->rest.data + 1, reader->rest.size - 1);
}

static bool take(Reader *reader, const char *literal)
{
    skip_padding(reader);
    Bytes expected = bytes_of_text(literal);
    Bytes got;
    Reader attempt = *reader;
    if (!reader_take(&attempt, expected.size, &got) || !bytes_equal(expected, got))
        return false;
    *reader = attempt;
    return true;
}

static bool is_string_character(uint8_t c)
{
    return g_ascii_isalnum(c) || (c != '\0' && strchr("-:_.+@#", c));
}

static bool is_digit(uint8_t c)
{
    return g_ascii_isdigit(c);
}

static bool is_letter(uint8_t c)
{
    return g_ascii_isalpha(c);
}

static Bytes take_while(Reader *reader, bool (*belongs)(uint8_t))
{
    skip_padding(reader);
    size_t size = 0;
    while (size < reader->rest.size && belongs(reader->rest.data[size]))
        size++;
    Bytes out = BYTES_EMPTY;
    reader_take(reader, size, &out);
    return out;
}

static bool take_version(Reader *reader, Bytes *out)
{
    const uint8_t *start = reader->rest.data;
    bool is_version = take_while(reader, is_digit).size > 0 && take(reader, ".") &&
                      take_while(reader, is_digit).size > 0 && take(reader, ".") &&
                      take_while(reader, is_digit).size > 0;
    if (is_version)
        *out = bytes_of(start, (size_t)(reader->rest.data - start));
    return is_version;
}

static bool take_value(Reader *reader, ValueKind kind, Bytes *out)
{
    switch (kind) {
    case STRING:
    case MAYBE_STRING:
        *out = take_while(reader, is_string_character);
        return kind == MAYBE_STRING || out->size > 0;
    case NUMBER:
        *out = take_while(reader, is_digit);
        return out->size > 0;
    case VERSION:
        return take_version(reader, out);
    case YES_NO:
        *out = take_while(reader, is_letter);
        return out->size == 1 && (out->data[0] == 'y' || out->data[0] == 'n');
    }
    return false;
}

/* --- lists ----------------------------------------------------------------------------------- */

static bool take_pair(Reader *reader, const Form *form, Bytes *out)
{
    return take(reader, form->name) && take(reader, "=") && take_value(reader, form->kind, out);
}

static void add_value(DeviceMapperValues *values, const Form *form, bool present, Bytes value)
{
    g_assert(values->count < DEVICE_MAPPER_MAX_VALUES);
    values->values[values->count++] = (DeviceMapperValue){
        .name = form->name,
        .is_number = form->kind == NUMBER,
        .present = present,
        .value = value,
    };
}

/* "a=1,b=2": the pairs of a form, each after the first with a comma before it. */
static bool take_pairs(Reader *reader, const Form *form, DeviceMapperValues *values)
{
    bool first = true;
    for (; form->name; form++) {
        Reader attempt = *reader;
        Bytes value;
        bool there = (first || take(&attempt, ",")) && take_pair(&attempt, form, &value);
        if (!there && !form->optional)
            return false;
        add_value(values, form, there, there ? value : BYTES_EMPTY);
        if (there)
            *reader = attempt;
        first = false;
    }
    return true;
}

static bool take_mirror_name(Reader *reader, const char *after)
{
    return take(reader, ",") && take(reader, "mirror_device_") &&
           take_while(reader, is_digit).size > 0 && take(reader, after) &&
           take_while(reader, is_string_character).size > 0;
}

static bool take_mirrors(Reader *reader, DeviceMapperValues *values)
{
    static const Form devices = {"mirror_device_data", STRING};
    const uint8_t *start = reader->rest.data;
    for (size_t rows = 0;; rows++) {
        Reader attempt = *reader;
        if (!take_mirror_name(&attempt, "=") || !take_mirror_name(&attempt, "_status=")) {
            add_value(values, &devices, true, bytes_of(start, (size_t)(reader->rest.data - start)));
            return rows > 0;
        }
        *reader = attempt;
    }
}

static bool take_target_attributes(Reader *reader, DeviceMapperValues *values)
{
    for (size_t i = 0; i < G_N_ELEMENTS(target_forms); i++) {
        Reader attempt = *reader;
        if (!take(&attempt, target_forms[i][0].name) || !take(&attempt, "="))
            continue;
        if (!take_pairs(reader, target_forms[i], values))
            return false;
        return target_forms[i] != mirror_form ||
               (take_mirrors(reader, values) && take(reader, ",") &&
                take_pairs(reader, mirror_end_form, values));
    }
    return false;
}

static bool take_target(Reader *reader, DeviceMapperValues *values)
{
    return take_pairs(reader, target_form, values) && take(reader, ",") &&
           take_target_attributes(reader, values) && take(reader, ";");
}

/* --- events ---------------------------------------------------------------------------------- */

static bool take_targets(Reader *reader, size_t most, DeviceMapperEvent *event)
{
    g_autoptr(GArray) targets = g_array_new(FALSE, TRUE, sizeof(DeviceMapperValues));
    do {
        DeviceMapperValues target = {0};
        if (targets->len == most || !take_target(reader, &target))
            return false;
        g_array_append_val(targets, target);
        skip_padding(reader);
    } while (!reader_at_end(reader));
    event->target_count = targets->len;
    event->targets = (DeviceMapperValues *)(void *)g_array_free(g_steal_pointer(&targets), FALSE);
    return true;
}

static bool take_named(Reader *reader, const char *name, ValueKind kind, Bytes *out)
{
    Form form = {name, kind, false};
    return take_pair(reader, &form, out);
}

static bool take_capacity(Reader *reader)
{
    Bytes capacity;
    return take(reader, ";") && take_named(reader, "current_device_capacity", NUMBER, &capacity) &&
           take(reader, ";");
}

static bool take_device(Reader *reader, DeviceMapperEvent *event)
{
    return take_pairs(reader, device_form, &event->device);
}

static bool take_resume(Reader *reader, DeviceMapperEvent *event)
{
    return take_device(reader, event) && take(reader, ";") &&
           take_named(reader, "active_table_hash", STRING, &event->table) && take_capacity(reader);
}

/* The active device, the inactive one, or both, of which the active one counts. */
static bool take_remove(Reader *reader, DeviceMapperEvent *event)
{
    DeviceMapperValues other = {0};
    Bytes ignored;
    bool active = take(reader, "device_active_metadata=");
    if (active && !(take_device(reader, event) && take(reader, ";")))
        return false;
    bool inactive = take(reader, "device_inactive_metadata=");
    if (inactive &&
        !(take_pairs(reader, device_form, active ? &other : &event->device) && take(reader, ";")))
        return false;
    return (active || inactive) &&
           (!active || take_named(reader, "active_table_hash", STRING, &ignored)) &&
           (!active || !inactive || take(reader, ";")) &&
           (!inactive || take_named(reader, "inactive_table_hash", STRING, &ignored)) &&
           take(reader, ",") && take_named(reader, "remove_all", STRING, &ignored) &&
           take_capacity(reader);
}

static bool take_clear(Reader *reader, DeviceMapperEvent *event)
{
    Reader attempt = *reader;
    Bytes table;
    if (take_pairs(&attempt, short_device_form, &event->device) && take(&attempt, ";") &&
        take(&attempt, "table_clear=no_data")) {
        *reader = attempt;
        return take_capacity(reader);
    }
    event->device.count = 0;
    event->has_table = true;
    return take_device(reader, event) && take(reader, ";") &&
           take_named(reader, "inactive_table_hash", STRING, &table) && take_capacity(reader);
}

static bool take_rename(Reader *reader, DeviceMapperEvent *event)
{
    return take_device(reader, event) && take(reader, ";") &&
           take_named(reader, "new_name", STRING, &event->new_name) && take(reader, ",") &&
           take_named(reader, "new_uuid", MAYBE_STRING, &event->new_uuid) && take_capacity(reader);
}

static bool take_event(Reader *reader, DeviceMapperEvent *event)
{
    switch (event->kind) {
    case DEVICE_MAPPER_LOAD:
        return take_device(reader, event) && take(reader, ";") &&
               take_targets(reader, DEVICE_MAPPER_MAX_TARGETS, event);
    case DEVICE_MAPPER_UPDATE:
        return take_device(reader, event) && take(reader, ";") && take_targets(reader, 1, event);
    case DEVICE_MAPPER_RESUME:
        return take_resume(reader, event);
    case DEVICE_MAPPER_REMOVE:
        return take_remove(reader, event);
    case DEVICE_MAPPER_CLEAR:
        return take_clear(reader, event);
    case DEVICE_MAPPER_RENAME:
        return take_rename(reader, event);
    case DEVICE_MAPPER_EVENTS:
        break;
    }
    return false;
}

bool device_mapper_event_parse(DeviceMapperEventKind kind, Bytes text, DeviceMapperEvent *event)
{
    *event = (DeviceMapperEvent){.kind = kind};
    Reader reader = reader_of(text);
    Bytes version;
    bool whole = take_named(&reader, "dm_version", VERSION, &version) && take(&reader, ";") &&
                 take_event(&reader, event);
    skip_padding(&reader);
    return whole && reader_at_end(&reader);
}

void device_mapper_event_clear(DeviceMapperEvent *event)
{
    g_clear_pointer(&event->targets, g_free);
    event->target_count = 0;
}

const DeviceMapperValue *device_mapper_value(const DeviceMapperValues *values, const char *name)
{
    for (size_t i = 0; i < values->count; i++)
        if (strcmp(values->values[i].name, name) == 0)
            return &values->values[i];
    return NULL;
}
