/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program's options as one table: the only place that knows an option's name, type, default,
 * bounds and meaning. Reading, checking, --help, --check-config, the example file and the man page
 * are all made from it.
 *
 * Sources and precedence: configuration-and-operations §1-2 (INI programs), push-agent §3 and
 * contract.md "precedence, agent" (TOML).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum {
    OPTION_TEXT,
    OPTION_INT,
    OPTION_REAL,
    OPTION_BOOL,
    OPTION_LIST, /* Python literal list, or bare words in brackets (decision D111) */
    OPTION_WORD, /* one of `words` (case-insensitive unless `exact_case`) */
} OptionType;

typedef struct {
    const char *section; /* "verifier", "revocations", ... */
    const char *name;
    OptionType type;
    const char *default_text; /* as it would stand in the file; NULL = absent by default */
    const char *help;         /* one sentence for people */
    double minimum, maximum;  /* INT and REAL, inclusive; both 0 = unbounded */
    const char *const *words; /* WORD: allowed ones, NULL-terminated */
    /* Extra check of a TEXT/LIST value; returns NULL, or what is allowed ("must be ..."). */
    const char *(*check)(const char *value);
    const char *flag;       /* long command-line flag without dashes, or NULL */
    const char *flag_value; /* its value's name in --help; NULL for a BOOL flag */
    char flag_short;        /* or 0 */
    bool secret;            /* value is never printed */
    bool dead;              /* accepted; one INFO line says that it has no effect */
    bool pull_only;         /* accepted silently: belongs to the pull agent sharing the file */
    bool exact_case;        /* WORD: the case counts */
    const char *shipped;    /* stands in the example file, not as a comment; NULL = none */
} Option;

typedef enum { CONFIG_INI, CONFIG_TOML } ConfigFormat;

typedef struct Config Config; /* config/config.h */

typedef struct {
    const char *component; /* "verifier": file names, KEYLIME_<COMPONENT>_..., default section */
    ConfigFormat format;
    const Option *options; /* ends with name == NULL */
    const char *program;   /* name in --help and --version */
    const char *summary;   /* first line of --help */
    bool partial; /* another program's file: options that are not in the table are its own */
    /* For a file whose sections have names of the operator's: the table, newly allocated, instead
     * of `options`. `sections` are those that the files have. */
    Option *(*make_options)(GHashTable *sections);
    /* What one option cannot say alone: config_add_problem() for each rule that is broken. Runs
     * whenever the configuration is loaded, also beside problems of single options; such an option
     * reads as its default, and config_was_refused() tells. NULL = no such rules. */
    void (*check)(const Config *config, GPtrArray *problems);
} ConfigSchema;
