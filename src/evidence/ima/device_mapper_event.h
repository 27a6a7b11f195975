/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of a device-mapper measurement (ima §13; Linux, admin-guide/device-mapper/dm-ima):
 * `key=value` pairs in a fixed order. NULs between two tokens count for nothing.
 */
#pragma once

#include "base/bytes.h"

typedef enum {
    DEVICE_MAPPER_LOAD,
    DEVICE_MAPPER_RESUME,
    DEVICE_MAPPER_REMOVE,
    DEVICE_MAPPER_CLEAR,
    DEVICE_MAPPER_RENAME,
    DEVICE_MAPPER_UPDATE,
    DEVICE_MAPPER_EVENTS,
} DeviceMapperEventKind;

typedef struct {
    const char *name; /* static */
    bool is_number;
    bool present; /* an optional one may be missing */
    Bytes value;
} DeviceMapperValue;

/* More than the longest list of the grammar: 5 of each target, and its own. */
#define DEVICE_MAPPER_MAX_VALUES 24

typedef struct {
    size_t count;
    DeviceMapperValue values[DEVICE_MAPPER_MAX_VALUES];
} DeviceMapperValues;

typedef struct {
    DeviceMapperEventKind kind;
    DeviceMapperValues device; /* name, uuid, major, minor, minor_count, num_targets */
    size_t target_count;
    DeviceMapperValues *targets; /* of load and update */
    Bytes table;                 /* active_table_hash of resume */
    Bytes new_name, new_uuid;    /* of rename */
    bool has_table;              /* clear: it names the table that was cleared */
} DeviceMapperEvent;

/* A table has at most so many targets. */
#define DEVICE_MAPPER_MAX_TARGETS 1024

/* False when it is no event of this kind. Views into `text`; to be cleared either way. */
bool device_mapper_event_parse(DeviceMapperEventKind kind, Bytes text, DeviceMapperEvent *event);
void device_mapper_event_clear(DeviceMapperEvent *event);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(DeviceMapperEvent, device_mapper_event_clear)

/* The value of this name; NULL when the list has no such name at all. */
const DeviceMapperValue *device_mapper_value(const DeviceMapperValues *values, const char *name);
