/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiled regular expressions of Python's language (policy/python_regex.h) and their matching by
 * PCRE2, always with limits. A pattern is immutable and shared between threads.
 */
#pragma once

#include "policy/python_regex.h"

typedef enum {
    PYTHON_MATCH_BEGINNING, /* as re.match(): the text begins with a match */
    PYTHON_MATCH_WHOLE,     /* as re.fullmatch() */
} PythonMatchMode;

typedef enum { PYTHON_NO_MATCH, PYTHON_MATCHES, PYTHON_LIMIT_REACHED } PythonMatchResult;

/* Steps of the matcher for one text (decision D45). */
#define PYTHON_MATCH_LIMIT 100000

typedef struct PythonPattern PythonPattern;

/* Translates and compiles; errors are those of python_regex.h, the message is the reason only. */
PythonPattern *python_pattern_compile(Bytes pattern, PythonMatchMode mode, GError **error);
/* Compiles a finished translation. */
PythonPattern *python_pattern_of(const PythonRegex *regex, PythonMatchMode mode, GError **error);
void python_pattern_free(PythonPattern *pattern);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PythonPattern, python_pattern_free)

/* What matching needs besides the pattern, for any pattern: one a thread. */
typedef struct PythonMatcher PythonMatcher;
PythonMatcher *python_matcher_new(void);
void python_matcher_free(PythonMatcher *matcher);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PythonMatcher, python_matcher_free)

/* A text that is no UTF-8 is matched up to its first foreign byte. */
PythonMatchResult python_pattern_match(const PythonPattern *pattern, PythonMatcher *matcher,
                                       Bytes text);
/* Does the matcher reach its limit on one of the texts that are made to slow a finished expression
 * down? Counted the same on every machine. */
bool python_regex_is_slow(const PythonRegex *regex);
