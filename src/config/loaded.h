/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a Config, for the files of config/ that print it and for unit tests that load from
 * directories of their own. Inner header of config/.
 */
#pragma once

#include "config/config.h"
#include "config/sources.h"

typedef struct {
    const Option *option;
    Value value;
    char *source;
    bool set;
    char
        *refused; /* where a value stands that is not allowed, so that the default holds; or NULL */
} Setting;

struct Config {
    const ConfigSchema *schema;
    ConfigSchema *made; /* `schema` with the table of make_options(), or NULL */
    Setting *settings;  /* in the order of the table */
    size_t count;
};

/* config_examine() and config_load() with other directories than /etc and /usr/etc. */
Config *config_examine_from(const ConfigSchema *schema, const ConfigRoots *roots,
                            const ConfigOverride *overrides, GError **error);
Config *config_load_from(const ConfigSchema *schema, const ConfigRoots *roots,
                         const ConfigOverride *overrides, GError **error);
