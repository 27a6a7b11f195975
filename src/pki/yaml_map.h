/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The YAML of upstream's key store, and no more of YAML than that: one block mapping of texts,
 * integers,
 * `!!binary` values and lists of texts (tenant-and-management-api §10.2).
 */
#pragma once

#include "base/bytes.h"

typedef enum { YAML_TEXT, YAML_BINARY, YAML_LIST } YamlKind;

typedef struct {
    YamlKind kind;
    char *text;      /* TEXT: without quotes */
    GBytes *bytes;   /* BINARY: decoded */
    GPtrArray *list; /* LIST: of char* */
} YamlValue;

/* Name -> YamlValue. NULL for anything that is not such a mapping; *reason (static) says why. */
GHashTable *yaml_map_parse(const char *text, const char **reason);

/* Append one member in the form that upstream's library writes. Names must be plain words. */
void yaml_map_append_text(GString *out, const char *name, const char *plain);
void yaml_map_append_binary(GString *out, const char *name, Bytes bytes);
void yaml_map_append_list(GString *out, const char *name, const GPtrArray *texts);
