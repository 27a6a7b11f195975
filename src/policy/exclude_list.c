/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/exclude_list.h"

G_DEFINE_QUARK(exclude - error - quark, exclude_error)

struct ExcludeList {
    gatomicrefcount references;
    GPtrArray *parts; /* of PythonPattern; a name is excluded if one of them matches */
};

struct ExcludeScratch {
    PythonMatcher *matcher;
    guint limit_hits;
};

ExcludeScratch *exclude_scratch_new(void)
{
    ExcludeScratch *scratch = g_new0(ExcludeScratch, 1);
    scratch->matcher = python_matcher_new();
    return scratch;
}

void exclude_scratch_free(ExcludeScratch *scratch)
{
    if (!scratch)
        return;
    python_matcher_free(scratch->matcher);
    g_free(scratch);
}

guint exclude_scratch_limit_hits(const ExcludeScratch *scratch)
{
    return scratch->limit_hits;
}

/* --- compiling ----------------------------------------------------------------------------------
 */

static void free_part(gpointer part)
{
    python_pattern_free(part);
}

static ExcludeList *list_new(void)
{
    ExcludeList *list = g_new0(ExcludeList, 1);
    g_atomic_ref_count_init(&list->references);
    list->parts = g_ptr_array_new_with_free_func(free_part);
    return list;
}

/* A reason of the expression becomes one of ours. */
static bool propagate(GError **error, const GError *reason)
{
    bool costly = g_error_matches(reason, PYTHON_REGEX_ERROR, PYTHON_REGEX_ERROR_COSTLY);
    g_set_error_literal(error, EXCLUDE_ERROR, costly ? EXCLUDE_ERROR_COSTLY : EXCLUDE_ERROR_PATTERN,
                        reason->message);
    return false;
}

/* The cost of one pattern as the only member of a list. */
static bool check_cost(Bytes pattern, GError **error)
{
    g_autoptr(PythonRegex) alone = python_regex_new();
    /* A reference to another pattern's group keeps it from being tried alone. */
    if (!python_regex_add_alternative(alone, pattern, NULL) || !python_regex_finish(alone, NULL))
        return true;
    if (!python_regex_is_slow(alone))
        return true;
    g_set_error_literal(error, EXCLUDE_ERROR, EXCLUDE_ERROR_COSTLY,
                        "too costly: a name can be made on which it backtracks for long; repeat no "
                        "group that itself repeats");
    return false;
}

static bool add_pattern(PythonRegex *joined, Bytes pattern, GError **error)
{
    if (pattern.size == 0) {
        g_set_error_literal(error, EXCLUDE_ERROR, EXCLUDE_ERROR_PATTERN,
                            "empty: it would exclude every name");
        return false;
    }
    g_autoptr(GError) reason = NULL;
    if (!python_regex_add_alternative(joined, pattern, &reason))
        return propagate(error, reason);
    return check_cost(pattern, error);
}

static bool check_size(const Bytes *patterns, size_t count, GError **error)
{
    size_t size = 0;
    for (size_t i = 0; i < count && size <= EXCLUDE_MAX_SIZE; i++)
        size += MIN(patterns[i].size, EXCLUDE_MAX_SIZE) + 1;
    if (count <= EXCLUDE_MAX_PATTERNS && size <= EXCLUDE_MAX_SIZE)
        return true;
    g_set_error(error, EXCLUDE_ERROR, EXCLUDE_ERROR_COSTLY,
                "more than %d patterns, or more than %d bytes of them", EXCLUDE_MAX_PATTERNS,
                EXCLUDE_MAX_SIZE);
    return false;
}

static bool joined_error(GError **error, const GError *reason)
{
    g_set_error_literal(error, EXCLUDE_ERROR, EXCLUDE_ERROR_JOINED, reason->message);
    return false;
}

/* Patterns that do not refer to groups mean the same in several parts: PCRE2 has a limit to the
 * size of one. `at` as exclude_list_compile()'s. */
static bool add_range(ExcludeList *list, const Bytes *patterns, size_t first, size_t count,
                      size_t *at, GError **error)
{
    g_autoptr(PythonRegex) joined = python_regex_new();
    g_autoptr(GError) reason = NULL;
    for (size_t i = first; i < first + count; i++)
        if (!python_regex_add_alternative(joined, patterns[i], &reason))
            return joined_error(error, reason);
    if (!python_regex_finish(joined, &reason))
        return joined_error(error, reason);
    PythonPattern *part = python_pattern_of(joined, PYTHON_MATCH_BEGINNING, &reason);
    if (part) {
        g_ptr_array_add(list->parts, part);
        return true;
    }
    bool large = g_error_matches(reason, PYTHON_REGEX_ERROR, PYTHON_REGEX_ERROR_COSTLY);
    if (large && count == 1) {
        *at = first;
        return propagate(error, reason);
    }
    if (!large || python_regex_has_references(joined))
        return joined_error(error, reason);
    size_t half = count / 2;
    return add_range(list, patterns, first, half, at, error) &&
           add_range(list, patterns, first + half, count - half, at, error);
}

ExcludeList *exclude_list_compile(const Bytes *patterns, size_t count, size_t *index,
                                  GError **error)
{
    size_t unused;
    size_t *at = index ? index : &unused;
    *at = count;
    if (!check_size(patterns, count, error))
        return NULL;
    g_autoptr(PythonRegex) joined = python_regex_new();
    for (*at = 0; *at < count; ++*at)
        if (!add_pattern(joined, patterns[*at], error))
            return NULL;
    g_autoptr(ExcludeList) list = list_new();
    return count == 0 || add_range(list, patterns, 0, count, at, error) ? g_steal_pointer(&list)
                                                                        : NULL;
}

ExcludeList *exclude_list_compile_joined(const Bytes *patterns, size_t count, GError **error)
{
    g_autoptr(ExcludeList) list = list_new();
    if (count == 0)
        return g_steal_pointer(&list);
    if (!check_size(patterns, count, error))
        return NULL;
    g_autoptr(GByteArray) text = g_byte_array_new();
    for (size_t i = 0; i < count; i++) {
        bytes_append(text, bytes_of_text(i > 0 ? "|(" : "("));
        bytes_append(text, patterns[i]);
        append_u8(text, ')');
    }
    g_autoptr(GError) reason = NULL;
    PythonPattern *part =
        python_pattern_compile(bytes_of_array(text), PYTHON_MATCH_BEGINNING, &reason);
    if (!part) {
        propagate(error, reason);
        return NULL;
    }
    g_ptr_array_add(list->parts, part);
    return g_steal_pointer(&list);
}

ExcludeList *exclude_list_ref(const ExcludeList *list)
{
    ExcludeList *shared = (ExcludeList *)list;
    g_atomic_ref_count_inc(&shared->references);
    return shared;
}

void exclude_list_unref(ExcludeList *list)
{
    if (!list || !g_atomic_ref_count_dec(&list->references))
        return;
    g_ptr_array_unref(list->parts);
    g_free(list);
}

/* --- matching -----------------------------------------------------------------------------------
 */

bool exclude_list_matches(const ExcludeList *list, ExcludeScratch *scratch, Bytes name)
{
    for (guint i = 0; list && i < list->parts->len; i++) {
        if (name.size > EXCLUDE_MAX_NAME || scratch->limit_hits >= EXCLUDE_MAX_LIMIT_HITS)
            return false;
        switch (python_pattern_match(g_ptr_array_index(list->parts, i), scratch->matcher, name)) {
        case PYTHON_MATCHES:
            return true;
        case PYTHON_LIMIT_REACHED:
            scratch->limit_hits++;
            break;
        default:
            break;
        }
    }
    return false;
}
