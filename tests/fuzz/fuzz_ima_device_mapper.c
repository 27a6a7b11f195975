/* SPDX-License-Identifier: Apache-2.0 */
/* Device-mapper events: judged without harm whatever they say, and the state that they leave is
 * stored and read again as it was. The first byte picks the event; a line of '\n' begins the next.
 */
#include "evidence/ima/device_mapper.h"
#include "evidence/ima/device_mapper_event.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char policy_text[] =
    "{\"version\":1,\"match_on\":\"name\",\"rules\":{\"r\":{\"required\":true,"
    "\"device_resume_required\":true,\"device_rename\":{\"valid_name\":\"[a-z]+\",\"valid_uuid\":"
    "null},\"device_remove\":{\"allow_removal\":true},\"allow_clear\":true,\"table_load\":{"
    "\"allow_multiple_loads\":true,\"name\":\".*\",\"num_targets\":1,\"targets\":[{\"target_"
    "index\":"
    "0,\"start\":0,\"root_digest\":\"a+\",\"ignore_zero_blocks\":false}]}}}}";

static void count(void *data, const char *event, const char *message, const char *got,
                  const char *expected)
{
    g_assert(event && *event && message && *message);
    ++*(guint *)data;
}

static void judge(DeviceMapper *devices, DeviceMapperPolicy *policy, Bytes line)
{
    static const char *const names[] = {"dm_table_load",    "dm_device_resume", "dm_device_remove",
                                        "dm_table_clear",   "dm_device_rename", "dm_target_update",
                                        "dm_something_else"};
    static const uint8_t digest[32];
    if (line.size == 0)
        return;
    guint failures = 0;
    ImaEntry entry = {.name = bytes_of_text(names[line.data[0] % G_N_ELEMENTS(names)]),
                      .algorithm = bytes_of_text("sha256"),
                      .digest = BYTES_OF_ARRAY(digest),
                      .buffer = bytes_of(line.data + 1, line.size - 1)};
    device_mapper_judge(devices, policy, line.data[0] >= 128, &entry, count, &failures);
    g_assert(failures > 0); /* at least the digest is wrong */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static DeviceMapperPolicy *policy;
    if (!policy)
        policy = device_mapper_policy_parse(bytes_of_text(policy_text), NULL);
    g_autoptr(DeviceMapper) devices = device_mapper_new();
    for (Bytes rest = bytes_of(data, size); rest.size > 0;) {
        const uint8_t *end = memchr(rest.data, '\n', rest.size);
        size_t taken = end ? (size_t)(end - rest.data) : rest.size;
        judge(devices, policy, bytes_of(rest.data, taken));
        taken += end ? 1 : 0;
        rest = bytes_of(rest.data + taken, rest.size - taken);
    }
    guint failures = 0;
    device_mapper_check(devices, policy, count, &failures);
    g_autoptr(Json) stored = device_mapper_to_json(devices);
    g_autoptr(DeviceMapper) again = device_mapper_from_json(stored, NULL);
    g_autoptr(Json) twice = device_mapper_to_json(again);
    g_assert(json_object_equal(stored, twice));
    return 0;
}
