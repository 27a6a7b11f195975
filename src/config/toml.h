/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's TOML, read with toml++ behind a C interface: values flattened, each with its place.
 */
#pragma once

#include <glib.h>
#include <stddef.h>

typedef enum {
    TOML_TEXT,
    TOML_INT,
    TOML_REAL,
    TOML_BOOL,
    TOML_LIST,  /* of texts, numbers or booleans */
    TOML_OTHER, /* date, time, a table in a table, or a list with lists or tables in it */
} TomlType;

typedef struct {
    char *table; /* "agent", "a.b"; "" for the top of the file */
    char *name;
    TomlType type;
    char *text;  /* as it would stand in an INI file; for TOML_LIST and TOML_OTHER the TOML source
                    form */
    char **list; /* elements of TOML_LIST, else NULL */
    unsigned line, column; /* of the value, from 1 */
} TomlEntry;

#ifdef __cplusplus
extern "C" {
#endif
/*
 * Entries (of TomlEntry, ordered by table and name), or NULL and "line:column: reason" (newly
 * allocated) for text that is not TOML.
 */
GPtrArray *toml_read(const void *text, size_t size, char **problem);
#ifdef __cplusplus
}
#endif
