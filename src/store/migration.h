/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schema's history: numbered steps, each applied once under a lock, remembered in the table
 * `schema_version`.
 */
#pragma once

typedef struct {
    int version;                   /* 1, 2, ... without gaps */
    const char *const *statements; /* NULL-terminated; one SQL statement each */
} Migration;                       /* a table ends with version 0 */
