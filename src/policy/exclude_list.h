/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exclude patterns of a runtime policy (ima §8, decision D45): Python's expressions, matched at the
 * beginning of a name, all joined and compiled once. Immutable and shared between threads.
 */
#pragma once

#include "policy/python_pattern.h"

#define EXCLUDE_ERROR (exclude_error_quark())
typedef enum {
    EXCLUDE_ERROR_PATTERN, /* of one pattern: invalid, empty, or not portable */
    EXCLUDE_ERROR_COSTLY,  /* of one pattern, or of all: too many, too long, too slow */
    EXCLUDE_ERROR_JOINED,  /* the joined text is no expression */
} ExcludeError;
GQuark exclude_error_quark(void);

/* All patterns of a list together. */
#define EXCLUDE_MAX_PATTERNS 10000
#define EXCLUDE_MAX_SIZE (1024 * 1024)

typedef struct ExcludeList ExcludeList;

/*
 * Each pattern must be complete in itself, not empty, and not too slow on texts made to slow it
 * down. `index`, which may be NULL, receives the position of the pattern in error, or the number of
 * patterns when it is none alone. The message is the reason only.
 */
ExcludeList *exclude_list_compile(const Bytes *patterns, size_t count, size_t *index,
                                  GError **error);
/* As upstream: only the joined text `(p1)|(p2)|...` must be an expression. */
ExcludeList *exclude_list_compile_joined(const Bytes *patterns, size_t count, GError **error);
ExcludeList *exclude_list_ref(const ExcludeList *list);
void exclude_list_unref(ExcludeList *list);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExcludeList, exclude_list_unref)

/* What matching needs besides the list: one a thread and appraisal. */
typedef struct ExcludeScratch ExcludeScratch;
ExcludeScratch *exclude_scratch_new(void);
void exclude_scratch_free(ExcludeScratch *scratch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ExcludeScratch, exclude_scratch_free)
/*
 * Names so far that reached the match limit. They count as not excluded, and after
 * EXCLUDE_MAX_LIMIT_HITS of them no further name is tried: a hostile list of them costs a bounded
 * time and fails.
 */
guint exclude_scratch_limit_hits(const ExcludeScratch *scratch);
#define EXCLUDE_MAX_LIMIT_HITS 1000

/* Longest name that is tried, that of Linux's longest path: an expression may take time with the
 * square of a name's length, long before it reaches the match limit. Longer ones are not excluded.
 */
#define EXCLUDE_MAX_NAME 4096

/* NULL and the empty list exclude nothing. A name that is no UTF-8 matches up to its first foreign
 * byte. */
bool exclude_list_matches(const ExcludeList *list, ExcludeScratch *scratch, Bytes name);
