/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules for the names that travel in URLs: agent ids and policy names.
 */
#pragma once

#include <stdbool.h>

#define AGENT_ID_MAX 80
#define POLICY_NAME_MAX 255

/* `[A-Za-z0-9._-]{1,80}` and neither `.` nor `..` (decision D24). NULL is not valid. */
bool agent_id_is_valid(const char *id);
/* 1 to 255 visible ASCII characters without a slash, and neither `.` nor `..`: a name is what
 * stands in the path, percent signs included (tenant-and-management-api §3.1). NULL is not valid.
 */
bool policy_name_is_valid(const char *name);
