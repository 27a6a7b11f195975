/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules for the names that travel in URLs: agent ids and policy names.
 */
#pragma once

#include <stdbool.h>

#define AGENT_ID_MAX 80

/* `[A-Za-z0-9._-]{1,80}` and neither `.` nor `..` (decision D24). NULL is not valid. */
bool agent_id_is_valid(const char *id);
