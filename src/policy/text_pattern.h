/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A regular expression of a policy that a whole text must match, as Python's fullmatch() does, with
 * limits (measured-boot §12.5). Immutable, shared between threads.
 */
#pragma once

#include "policy/python_regex.h"

typedef enum {
    TEXT_PATTERN_DIFFERS = 0,
    TEXT_PATTERN_MATCHES,
    TEXT_PATTERN_GAVE_UP, /* a limit was reached: no match, for a reason to tell */
} TextPatternResult;

typedef struct TextPattern TextPattern;

/* An expression in UTF-8, which may hold NULs. Error: the reason alone. */
TextPattern *text_pattern_new(Bytes pattern, GError **error);
void text_pattern_free(TextPattern *pattern);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TextPattern, text_pattern_free)

/* The expression as it was given, a NUL as \x00. */
const char *text_pattern_text(const TextPattern *pattern);
/* A text that is no UTF-8 differs. */
TextPatternResult text_pattern_match(const TextPattern *pattern, Bytes text);
