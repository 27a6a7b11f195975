/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tests of a device-mapper policy on values of events (ima §13): null takes anything, a boolean
 * or an integer wants to be equal, a text is an expression (Python's) over the whole value.
 */
#pragma once

#include "evidence/ima/device_mapper.h"
#include "evidence/ima/device_mapper_event.h"

/* Is the device's name what tells devices apart? Else its uuid. */
bool device_mapper_policy_matches_names(const DeviceMapperPolicy *policy);
/* {rule name: rule}; borrowed. */
Json *device_mapper_policy_rules(const DeviceMapperPolicy *policy);

/* `value` NULL or not present: only null takes it. `reference` NULL is null. */
bool device_mapper_policy_allows(DeviceMapperPolicy *policy, Json *reference,
                                 const DeviceMapperValue *value);
/* The expression matches the whole text; false when it is no expression. */
bool device_mapper_policy_matches(DeviceMapperPolicy *policy, const char *pattern, Bytes text);
