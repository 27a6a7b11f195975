/* SPDX-License-Identifier: Apache-2.0 */
/* Device-mapper events: what is taken in, what the rules forbid. Known answers prove the rest. */
#include "evidence/ima/device_mapper.h"

#include "evidence/ima/algorithm.h"
#include "evidence/ima/device_mapper_event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define DEVICE(name, uuid)                                                                         \
    "dm_version=4.45.0;name=" name ",uuid=" uuid ",major=253,minor=0,minor_count=1,num_targets=1;"
#define TARGET                                                                                     \
    "target_index=0,target_begin=0,target_len=8,target_name=linear,target_version=1.4.0,"          \
    "device_name=254:2,start=0;"
#define END ";current_device_capacity=8;"

static const char policy_text[] =
    "{\"version\":1,\"match_on\":\"%s\",\"rules\":{\"r\":{\"required\":true,"
    "\"device_resume_required\":false,\"device_rename\":{\"valid_name\":\"root|data\","
    "\"valid_uuid\":null},\"device_remove\":{\"allow_removal\":true},\"allow_clear\":false,"
    "\"table_load\":{\"allow_multiple_loads\":false,\"name\":\"root|data\",\"uuid\":\".*\","
    "\"num_targets\":1,\"targets\":[{\"start\":0}]}}}}";

static DeviceMapperPolicy *new_policy(const char *match_on)
{
    g_auto(GStrv) parts = g_strsplit(policy_text, "%s", 2);
    g_autofree char *text = g_strjoinv(match_on, parts);
    DeviceMapperPolicy *policy = device_mapper_policy_parse(bytes_of_text(text), NULL);
    assert_non_null(policy);
    return policy;
}

static void collect(void *data, const char *event, const char *message, const char *got,
                    const char *expected)
{
    g_string_append_printf(data, "%s ", event);
}

static void judge(DeviceMapper *devices, DeviceMapperPolicy *policy, bool as_upstream,
                  const char *name, const char *text, const char *events)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    size_t size;
    ImaEntry entry = {.name = bytes_of_text(name),
                      .algorithm = bytes_of_text("sha256"),
                      .buffer = bytes_of_text(text)};
    assert_true(ima_hash_data(entry.algorithm, entry.buffer, digest, &size));
    entry.digest = bytes_of(digest, size);
    g_autoptr(GString) got = g_string_new(NULL);
    device_mapper_judge(devices, policy, as_upstream, &entry, collect, got);
    assert_string_equal(got->str, events);
}

static bool has_device(const DeviceMapper *devices, const char *name)
{
    g_autoptr(Json) stored = device_mapper_to_json(devices);
    return json_member(stored, name) != NULL;
}

static void test_life_of_a_device(void **state)
{
    g_autoptr(DeviceMapperPolicy) policy = new_policy("name");
    g_autoptr(DeviceMapper) devices = device_mapper_new();
    judge(devices, policy, false, "dm_table_load", DEVICE("root", "u") TARGET, "");
    judge(devices, policy, false, "dm_device_rename",
          DEVICE("root", "u") "new_name=data,new_uuid=v" END, "");
    assert_false(has_device(devices, "root"));
    assert_true(has_device(devices, "data"));
    g_autoptr(DeviceMapper) copy = device_mapper_copy(devices);
    judge(devices, policy, false, "dm_device_remove",
          "dm_version=4.45.0;device_active_metadata=name=data,uuid=v,major=253,minor=0,"
          "minor_count=1,num_targets=1;active_table_hash=sha256:00,remove_all=n" END,
          "");
    assert_false(has_device(devices, "data"));
    assert_true(has_device(copy, "data"));
}

/* Upstream reads no event that tells which table was cleared; the rule forbids it here. */
static void test_clearing_a_table(void **state)
{
    static const char cleared[] = DEVICE("root", "u") "inactive_table_hash=sha256:00" END;
    g_autoptr(DeviceMapperPolicy) policy = new_policy("name");
    g_autoptr(DeviceMapper) devices = device_mapper_new();
    judge(devices, policy, false, "dm_table_load", DEVICE("root", "u") TARGET, "");
    judge(devices, policy, true, "dm_table_clear", cleared, "parsing_failed ");
    judge(devices, policy, false, "dm_table_clear", cleared, "dm_table_clear.table_cleared ");
    g_autoptr(GString) final = g_string_new(NULL);
    device_mapper_check(devices, policy, collect, final);
    assert_string_equal(final->str, "device_invalid_state required_policy_not_in_use ");
}

static void test_new_uuid_is_the_key(void **state)
{
    static const char renamed[] = DEVICE("root", "u") "new_name=root,new_uuid=v" END;
    g_autoptr(DeviceMapperPolicy) policy = new_policy("uuid");
    for (int as_upstream = 0; as_upstream < 2; as_upstream++) {
        g_autoptr(DeviceMapper) devices = device_mapper_new();
        judge(devices, policy, as_upstream, "dm_table_load", DEVICE("root", "u") TARGET, "");
        judge(devices, policy, as_upstream, "dm_device_rename", renamed, "");
        assert_true(has_device(devices, as_upstream ? "root" : "v"));
    }
}

static void test_events_out_of_place(void **state)
{
    g_autoptr(DeviceMapperPolicy) policy = new_policy("name");
    g_autoptr(DeviceMapper) devices = device_mapper_new();
    judge(devices, policy, false, "dm_target_update", DEVICE("root", "u") TARGET,
          "dm_target_update.update_before_table_load ");
    judge(devices, policy, false, "dm_table_load", DEVICE("other", "u") TARGET,
          "dm_table_load.no_matching_policy ");
    judge(devices, policy, false, "dm_table_load", DEVICE("root", "u") TARGET, "");
    judge(devices, policy, false, "dm_table_load", DEVICE("root", "u") TARGET,
          "dm_table_load.multiple_table_loads ");
    judge(devices, policy, false, "dm_target_update",
          DEVICE("root", "u") "target_index=7,target_begin=0,target_len=8,target_name=linear,"
                              "target_version=1.4.0,device_name=254:2,start=0;",
          "dm_target_update.target_data_invalid ");
    judge(devices, policy, false, "dm_something", "", "invalid_event_type ");
}

static void test_texts_that_are_no_events(void **state)
{
    static const char *const texts[] = {
        "",
        "dm_version=4.45;",
        DEVICE("root", "u"),
        DEVICE("", "u") TARGET,
        DEVICE("root", "u") TARGET "x",
        DEVICE("root", "u") "target_index=0,target_begin=0,target_len=8,target_name=raid,"
                            "target_version=1.4.0,level=1;",
        DEVICE("root", "u") "target_index=-1,target_begin=0,target_len=8,target_name=linear,"
                            "target_version=1.4.0,device_name=254:2,start=0;",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_auto(DeviceMapperEvent) event;
        assert_false(
            device_mapper_event_parse(DEVICE_MAPPER_LOAD, bytes_of_text(texts[i]), &event));
    }
}

static void test_many_targets_are_bounded(void **state)
{
    for (size_t targets = DEVICE_MAPPER_MAX_TARGETS; targets < DEVICE_MAPPER_MAX_TARGETS + 2;
         targets++) {
        g_autoptr(GString) text = g_string_new(DEVICE("root", "u"));
        for (size_t i = 0; i < targets; i++)
            g_string_append(text, TARGET);
        g_auto(DeviceMapperEvent) event;
        assert_int_equal(
            device_mapper_event_parse(DEVICE_MAPPER_LOAD, bytes_of(text->str, text->len), &event),
            targets == DEVICE_MAPPER_MAX_TARGETS);
    }
}

static void test_policies_that_are_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "[]",
                                        "{}",
                                        "{\"version\":2,\"match_on\":\"name\",\"rules\":{}}",
                                        "{\"version\":1,\"match_on\":\"major\",\"rules\":{}}",
                                        "{\"version\":1,\"match_on\":\"name\",\"rules\":[]}"};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        assert_null(device_mapper_policy_parse(bytes_of_text(texts[i]), &error));
        assert_non_null(error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life_of_a_device),
        cmocka_unit_test(test_clearing_a_table),
        cmocka_unit_test(test_new_uuid_is_the_key),
        cmocka_unit_test(test_events_out_of_place),
        cmocka_unit_test(test_texts_that_are_no_events),
        cmocka_unit_test(test_many_targets_are_bounded),
        cmocka_unit_test(test_policies_that_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
