/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The effective configuration of a program: loaded once, checked whole, immutable.
 */
#pragma once

#include "base/json.h"
#include "config/option.h"

#include <stdio.h>

#define CONFIG_ERROR (config_error_quark())
typedef enum {
    CONFIG_ERROR_USAGE, /* command line: exit status 2 */
    CONFIG_ERROR_VALUE, /* file or environment: exit status 1 */
} ConfigError;
GQuark config_error_quark(void);

/* A value from the command line: option `name` of the default section. */
typedef struct {
    const char *name;
    const char *value;
    const char *flag; /* as typed, for messages: "--verifier-url" */
} ConfigOverride;

/*
 * Read every source, check every value. All problems are collected: the error's message holds one
 * line each ("file:line: [section] option = 'value': what is allowed"). Unknown options are
 * reported once each at WARNING, dead ones at INFO, and variables that override at INFO.
 *
 * `overrides` may be NULL; ends with name == NULL. Environment is the process's.
 */
Config *config_load(const ConfigSchema *schema, const ConfigOverride *overrides, GError **error);
/* As config_load() for who wants to see it, problems or not: never NULL, and an error beside it
 * when there are problems. An option whose value was refused reads as its default. */
Config *config_examine(const ConfigSchema *schema, const ConfigOverride *overrides, GError **error);
void config_free(Config *config);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Config, config_free)

/*
 * Typed values. Section NULL = the component's own. Asking for an option that is not in the table,
 * or with another type, is a mistake of the program and aborts. Texts live as long as `config`.
 *
 * An option that no source set and that has no default reads as "", -1, -1.0, false, or the empty
 * list; config_is_set() tells. A WORD is read with config_text(), in the spelling of the table.
 */
/* Never NULL. */
const char *config_text(const Config *config, const char *section, const char *name);
gint64 config_int(const Config *config, const char *section, const char *name);
double config_real(const Config *config, const char *section, const char *name);
bool config_bool(const Config *config, const char *section, const char *name);
/* NULL-terminated; never NULL. */
const char *const *config_list(const Config *config, const char *section, const char *name);
/* True when any source set it (false = built-in default). */
bool config_is_set(const Config *config, const char *section, const char *name);
/* Whether the table has options of that section. */
bool config_has_section(const Config *config, const char *section);
/* For ConfigSchema.check: the option's own value was not allowed, which is reported already. */
bool config_was_refused(const Config *config, const char *section, const char *name);
/* For ConfigSchema.check: "source: [section] option = 'value': allowed". */
void config_add_problem(const Config *config, GPtrArray *problems, const char *section,
                        const char *name, const char *allowed);
/* For ConfigSchema.check: each problem of another file that the program reads, too. */
void config_add_problems(GPtrArray *problems, const GError *error);
/* "built-in", "/etc/keylime/verifier.conf:12", "KEYLIME_VERIFIER_PORT", "--timeout". */
const char *config_source(const Config *config, const char *section, const char *name);

/* $KEYLIME_DIR, else /var/lib/keylime (servers and tenant; the agent has its own rule). Borrowed.
 */
const char *config_work_dir(void);

/* Every option with value and source, as it would stand in the file. Secrets are shown as "(set)".
 */
void config_print(const Config *config, FILE *out);
/*
 * The same for programs, and what the table says of each option:
 * {"component": ..., "options": [{"section", "name", "type": "text int real bool list word",
 * "value", "source": as config_source(), "set", "refused": where a refused value stands or null,
 * "default", "minimum", "maximum", "words", "flag", "variable", "effect": "yes none pull-model",
 * "secret"}]}
 */
Json *config_to_json(const Config *config);
/* The example file: all options, commented, with defaults and help. */
void config_print_example(const ConfigSchema *schema, FILE *out);
/* --help's part about options with flags. */
void config_print_flags(const ConfigSchema *schema, FILE *out);
