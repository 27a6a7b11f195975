/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/ima/device_mapper.h"

#include "ima_readers.h"

#include <string.h>

#define PREFIX "ima.validation.dm."

/* Collects event ids, separated by blanks. */
static void collect(void *data, const char *event, const char *message, const char *got,
                    const char *expected)
{
    g_string_append_printf(data, "%s" PREFIX "%s", ((GString *)data)->len > 0 ? " " : "", event);
}

static char *joined_events(Json *events)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (size_t i = 0; i < json_object_array_length(events); i++)
        g_string_append_printf(text, "%s%s", i > 0 ? " " : "",
                               json_text(json_object_array_get_idx(events, i)));
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* An exception of upstream's has to be some failure here. */
static void check_events(Json *expected, const GString *got, Tally *tally)
{
    if (json_object_is_type(expected, json_type_string)) {
        expect_text(tally, "fails", "yes", got->len > 0 ? "yes" : "no");
        return;
    }
    g_autofree char *wanted = joined_events(expected);
    expect_text(tally, "events", wanted, got->str);
}

static void judge_line(DeviceMapper *devices, DeviceMapperPolicy *policy, const char *line,
                       GString *events)
{
    g_autofree uint8_t *memory = g_malloc(ima_entry_memory(strlen(line)));
    ImaEntry entry;
    g_assert(ima_entry_parse(bytes_of_text(line), false, memory, &entry) == NULL);
    device_mapper_judge(devices, policy, true, &entry, collect, events);
}

static void check_devices(const DeviceMapper *devices, Json *expected, Tally *tally)
{
    g_autoptr(Json) got = device_mapper_to_json(devices);
    g_autoptr(GError) error = NULL;
    g_autoptr(DeviceMapper) again = device_mapper_from_json(got, &error);
    g_autoptr(Json) twice = again ? device_mapper_to_json(again) : NULL;
    g_autofree char *text = json_to_text(got);
    g_autofree char *second = twice ? json_to_text(twice) : g_strdup(error->message);
    expect_text(tally, "stored and read again", text, second);
    expect_number(tally, "devices", (guint64)json_object_object_length(expected),
                  (guint64)json_object_object_length(got));
    json_object_object_foreach (expected, name, device) {
        Json *mine = json_member(got, name);
        bool wanted = false, have = true;
        expect_text(tally, name, json_member_text(device, "policy"),
                    json_member_text(mine, "policy"));
        json_member_bool(device, "active", &wanted);
        json_member_bool(mine, "active", &have);
        expect_number(tally, "active", wanted, have);
        json_member_bool(device, "valid", &wanted);
        json_member_bool(mine, "valid", &have);
        expect_number(tally, "valid", wanted, have);
    }
}

static void check_case(Json *entry, Tally *tally)
{
    Json *expect = json_member(entry, "expect");
    g_autofree char *text = json_to_text(json_member(entry, "policy"));
    g_autoptr(GError) error = NULL;
    g_autoptr(DeviceMapperPolicy) policy = device_mapper_policy_parse(bytes_of_text(text), &error);
    expect_text(tally, "policy", NULL, error ? error->message : NULL);
    if (!policy)
        return;
    g_autoptr(DeviceMapper) devices = device_mapper_new();
    for (size_t i = 0; i < array_length(entry, "entries"); i++) {
        g_autoptr(GString) events = g_string_new(NULL);
        judge_line(devices, policy, json_text(array_entry(entry, "entries", i)), events);
        check_events(array_entry(expect, "events", i), events, tally);
    }
    g_autoptr(GString) final = g_string_new(NULL);
    device_mapper_check(devices, policy, collect, final);
    check_events(json_member(expect, "final_check"), final, tally);
    check_devices(devices, json_member(expect, "devices"), tally);
}

void read_device_mapper(Json *document, Tally *tally)
{
    FOR_EACH_CASE(document, "cases", entry, position)
    {
        case_begin(tally, entry, position);
        check_case(entry, tally);
        case_end(tally);
    }
}
