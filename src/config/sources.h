/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where values come from: the files of a component in their order (configuration-and-operations
 * §1.1-1.2, push-agent §3.1, decisions D109, D110) and the environment (§2.2). Inner header of
 * config/.
 */
#pragma once

#include "config/value.h"

/* The directories that hold `keylime/`. Tests give their own. */
typedef struct {
    const char *etc;
    const char *usr_etc;
} ConfigRoots;

extern const ConfigRoots config_system_roots; /* /etc, /usr/etc */

/* One option found in a file. */
typedef struct {
    char *section;
    char *name;
    RawValue value;
} FoundOption;

typedef struct {
    GPtrArray *options;   /* of FoundOption, in rising precedence */
    GHashTable *sections; /* names of all INI sections that exist */
    GPtrArray *problems;  /* of char *, one line each */
} FoundOptions;

/* Read every file of the component. Always fills `out`. */
void sources_read_files(const ConfigSchema *schema, const ConfigRoots *roots, FoundOptions *out);
void found_options_clear(FoundOptions *found);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(FoundOptions, found_options_clear)

/* KEYLIME_VERIFIER_MODE, KEYLIME_VERIFIER_REVOCATIONS_WEBHOOK_URL. Newly allocated. */
char *sources_variable_name(const ConfigSchema *schema, const Option *option);
/* One WARNING for each variable with the component's prefix that names no option. */
void sources_warn_unknown_variables(const ConfigSchema *schema);
