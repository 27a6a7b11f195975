/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions in the language of Python's `re` (3.11, on text), rewritten for PCRE2.
 * Policies and severity rules are written for that language, and where PCRE2 reads a construct
 * otherwise, or takes what Python refuses, the verdict would differ (ima §8.2).
 *
 * The whole expression is parsed and written anew in constructs that mean the same in both; what
 * cannot be said in PCRE2 is refused.
 */
#pragma once

#include "base/bytes.h"

#define PYTHON_REGEX_ERROR (python_regex_error_quark())
typedef enum {
    PYTHON_REGEX_ERROR_INVALID,      /* Python refuses it; the message is Python's reason */
    PYTHON_REGEX_ERROR_NOT_PORTABLE, /* Python takes it, PCRE2 has no equal */
    PYTHON_REGEX_ERROR_COSTLY,       /* too long, too deep, or too slow on a text made for it */
} PythonRegexError;
GQuark python_regex_error_quark(void);

/* Nested groups; PCRE2 takes 250. */
#define PYTHON_REGEX_MAX_DEPTH 100
/* Bytes of one expression. */
#define PYTHON_REGEX_MAX_SIZE (2 * 1024 * 1024)

/* Translation of one expression, or of several that are joined as alternatives. */
typedef struct PythonRegex PythonRegex;

PythonRegex *python_regex_new(void);
void python_regex_free(PythonRegex *regex);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PythonRegex, python_regex_free)

/* One expression that stands for itself. UTF-8 is needed: JSON texts are. */
bool python_regex_set(PythonRegex *regex, Bytes pattern, GError **error);
/*
 * One more alternative `|(pattern)`: complete in itself, while groups are numbered, and named ones
 * known, across all alternatives, as in the joined text that upstream compiles (ima §8.1).
 */
bool python_regex_add_alternative(PythonRegex *regex, Bytes pattern, GError **error);
/* After the last alternative: are all groups there that were referred to? Completes the text. */
bool python_regex_finish(PythonRegex *regex, GError **error);

/* Does anything refer to a group? Then alternatives must not be parted. */
bool python_regex_has_references(const PythonRegex *regex);
/* The PCRE2 expression, for PCRE2_UTF and PCRE2_UCP with LF as the only newline. NULL until it is
 * finished. Borrowed. */
const char *python_regex_text(const PythonRegex *regex);
/* Texts (GBytes) on which the expression is likely to be at its slowest: each unbounded repetition
 * is fed with what it repeats, and then with something that ends the match. Borrowed. */
const GPtrArray *python_regex_probes(const PythonRegex *regex);
