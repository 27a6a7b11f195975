/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device-mapper measurements: six `ima-buf` events that tell of tables loaded, resumed, removed,
 * cleared, renamed and updated, judged against `ima.dm_policy` (ima §13, decision D49).
 */
#pragma once

#include "base/json.h"
#include "evidence/ima/entry.h"

/* --- the reference: the policy's member ---------------------------------------------------- */

/* Compiled expressions gather in it: for one thread. */
typedef struct DeviceMapperPolicy DeviceMapperPolicy;

#define DEVICE_MAPPER_ERROR (device_mapper_error_quark())
typedef enum {
    DEVICE_MAPPER_ERROR_POLICY,
    DEVICE_MAPPER_ERROR_STATE,
} DeviceMapperError;
GQuark device_mapper_error_quark(void);

/* JSON text of ima.dm_policy, version 1. */
DeviceMapperPolicy *device_mapper_policy_parse(Bytes text, GError **error);
void device_mapper_policy_free(DeviceMapperPolicy *policy);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DeviceMapperPolicy, device_mapper_policy_free)

/* --- the state: devices that were seen ------------------------------------------------------ */

typedef struct DeviceMapper DeviceMapper;

/* More devices than any machine has; a load beyond is refused. */
#define DEVICE_MAPPER_MAX_DEVICES 4096

DeviceMapper *device_mapper_new(void);
DeviceMapper *device_mapper_copy(const DeviceMapper *devices);
void device_mapper_free(DeviceMapper *devices);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DeviceMapper, device_mapper_free)
/* Stored form: name or uuid -> {"policy", "active", "valid", "table"}; new references. */
Json *device_mapper_to_json(const DeviceMapper *devices);
DeviceMapper *device_mapper_from_json(Json *object, GError **error);

/* --- the judgement --------------------------------------------------------------------------- */

/* Receives failures: `event` is what follows "ima.validation.dm.", `got` and `expected` may be
 * NULL. */
typedef void (*DeviceMapperFail)(void *data, const char *event, const char *message,
                                 const char *got, const char *expected);

/* Is it the name of one of the six events? */
bool device_mapper_is_event(Bytes name);
/*
 * Judges an entry whose name is one, and takes over what it tells. `as_upstream`: a table that is
 * cleared does not parse, and a device that changes its uuid is found under its new name.
 */
void device_mapper_judge(DeviceMapper *devices, DeviceMapperPolicy *policy, bool as_upstream,
                         const ImaEntry *entry, DeviceMapperFail fail, void *data);
/* After a list: is each device in a valid state, and each required rule in use? */
void device_mapper_check(const DeviceMapper *devices, const DeviceMapperPolicy *policy,
                         DeviceMapperFail fail, void *data);
