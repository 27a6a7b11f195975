/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the text a source gave to an option's typed and checked value (configuration-and-operations
 * §2.1; push-agent §3.2; contract C31, C33). Inner header of config/.
 */
#pragma once

#include "config/option.h"

typedef enum {
    RAW_DEFAULT, /* the table's default_text, written as in an INI file */
    RAW_INI,
    RAW_ENVIRONMENT,
    RAW_FLAG,
    RAW_TOML_TEXT,
    RAW_TOML_INT,
    RAW_TOML_REAL,
    RAW_TOML_BOOL,
    RAW_TOML_LIST, /* `list` holds the elements */
    RAW_TOML_OTHER,
} RawKind;

/* What one source says about one option. */
typedef struct {
    RawKind kind;
    char *text;
    char **list;  /* RAW_TOML_LIST, else NULL */
    char *source; /* "file:12", "KEYLIME_VERIFIER_PORT", "--timeout", "built-in" */
} RawValue;

typedef struct {
    char *text; /* always set: the value as people read it */
    gint64 integer;
    double real;
    bool boolean;
    char **list; /* LIST only */
} Value;

/* Fill `out`, or return what is allowed ("must be ..."), newly allocated. */
char *value_convert(const Option *option, const RawValue *raw, Value *out);
void value_clear(Value *value);
void raw_value_clear(RawValue *raw);
