/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/exclude_list.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

G_DEFINE_QUARK(exclude - error - quark, exclude_error)

/* Memory for backtracking of one match. */
#define HEAP_LIMIT_KIB 4096
#define JIT_STACK_START (32 * 1024)
#define JIT_STACK_MOST (512 * 1024)

struct ExcludeList {
    gatomicrefcount references;
    GPtrArray *codes; /* of pcre2_code; a name is excluded if one of them matches */
};

struct ExcludeScratch {
    pcre2_match_data *match;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    guint limit_hits;
};

ExcludeScratch *exclude_scratch_new(void)
{
    ExcludeScratch *scratch = g_new0(ExcludeScratch, 1);
    scratch->match = pcre2_match_data_create(1, NULL);
    scratch->context = pcre2_match_context_create(NULL);
    scratch->stack = pcre2_jit_stack_create(JIT_STACK_START, JIT_STACK_MOST, NULL);
    if (!scratch->match || !scratch->context)
        g_error("out of memory");
    pcre2_set_match_limit(scratch->context, EXCLUDE_MATCH_LIMIT);
    pcre2_set_heap_limit(scratch->context, HEAP_LIMIT_KIB);
    /* Without a stack of its own the matcher takes 32 KiB of the thread's. */
    pcre2_jit_stack_assign(scratch->context, NULL, scratch->stack);
    return scratch;
}

void exclude_scratch_free(ExcludeScratch *scratch)
{
    if (!scratch)
        return;
    pcre2_jit_stack_free(scratch->stack);
    pcre2_match_context_free(scratch->context);
    pcre2_match_data_free(scratch->match);
    g_free(scratch);
}

guint exclude_scratch_limit_hits(const ExcludeScratch *scratch)
{
    return scratch->limit_hits;
}

/* --- compiling ----------------------------------------------------------------------------------
 */

static pcre2_code *compile_text(const char *text, GError **error)
{
    int code;
    PCRE2_SIZE offset;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
                                         PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED |
                                             PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C,
                                         &code, &offset, context);
    pcre2_compile_context_free(context);
    if (!compiled) {
        PCRE2_UCHAR reason[256];
        pcre2_get_error_message(code, reason, sizeof reason);
        bool large = code == PCRE2_ERROR_PATTERN_TOO_LARGE;
        g_set_error(error, EXCLUDE_ERROR, large ? EXCLUDE_ERROR_COSTLY : EXCLUDE_ERROR_PATTERN,
                    "%s", (const char *)reason);
    }
    return compiled;
}

static void free_code(gpointer code)
{
    pcre2_code_free(code);
}

static ExcludeList *list_new(void)
{
    ExcludeList *list = g_new0(ExcludeList, 1);
    g_atomic_ref_count_init(&list->references);
    list->codes = g_ptr_array_new_with_free_func(free_code);
    return list;
}

static bool list_add(ExcludeList *list, const char *text, GError **error)
{
    pcre2_code *code = compile_text(text, error);
    if (!code)
        return false;
    /* Where memory must not be both written and executed there is no such code: the interpreter
     * gives the same answers. */
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    g_ptr_array_add(list->codes, code);
    return true;
}

/* A reason of the translation becomes one of ours. */
static void propagate(GError **error, GError *reason)
{
    bool costly = g_error_matches(reason, PYTHON_REGEX_ERROR, PYTHON_REGEX_ERROR_COSTLY);
    g_set_error_literal(error, EXCLUDE_ERROR, costly ? EXCLUDE_ERROR_COSTLY : EXCLUDE_ERROR_PATTERN,
                        reason->message);
}

/* Does the matcher reach its limit on one of the texts that are made to slow the pattern down? */
static bool is_slow(const pcre2_code *code, const GPtrArray *probes)
{
    g_autoptr(ExcludeScratch) scratch = exclude_scratch_new();
    for (guint i = 0; i < probes->len; i++) {
        Bytes probe = bytes_of_gbytes(g_ptr_array_index(probes, i));
        int result = pcre2_match(code, probe.data, probe.size, 0, PCRE2_NO_JIT, scratch->match,
                                 scratch->context);
        if (result < 0 && result != PCRE2_ERROR_NOMATCH)
            return true;
    }
    return false;
}

/* One pattern alone: its form, and its cost as the only member of a list. */
static bool check_cost(Bytes pattern, GError **error)
{
    g_autoptr(PythonRegex) alone = python_regex_new();
    g_autoptr(GError) reason = NULL;
    /* A reference to another pattern's group keeps it from being tried alone. */
    if (!python_regex_add_alternative(alone, pattern, &reason) ||
        !python_regex_finish(alone, &reason))
        return true;
    pcre2_code *code = compile_text(python_regex_text(alone), error);
    if (!code)
        return false;
    bool slow = is_slow(code, python_regex_probes(alone));
    pcre2_code_free(code);
    if (slow)
        g_set_error_literal(error, EXCLUDE_ERROR, EXCLUDE_ERROR_COSTLY,
                            "too costly: a name can be made on which it backtracks for long; "
                            "repeat no group that itself repeats");
    return !slow;
}

static bool add_pattern(PythonRegex *joined, Bytes pattern, GError **error)
{
    if (pattern.size == 0) {
        g_set_error_literal(error, EXCLUDE_ERROR, EXCLUDE_ERROR_PATTERN,
                            "empty: it would exclude every name");
        return false;
    }
    g_autoptr(GError) reason = NULL;
    if (!python_regex_add_alternative(joined, pattern, &reason)) {
        propagate(error, reason);
        return false;
    }
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
 * size of one. */
static bool add_range(ExcludeList *list, const Bytes *patterns, size_t count, GError **error)
{
    g_autoptr(PythonRegex) joined = python_regex_new();
    g_autoptr(GError) reason = NULL;
    for (size_t i = 0; i < count; i++)
        if (!python_regex_add_alternative(joined, patterns[i], &reason))
            return joined_error(error, reason);
    if (!python_regex_finish(joined, &reason))
        return joined_error(error, reason);
    if (list_add(list, python_regex_text(joined), &reason))
        return true;
    if (count == 1 || python_regex_has_references(joined) ||
        !g_error_matches(reason, EXCLUDE_ERROR, EXCLUDE_ERROR_COSTLY))
        return joined_error(error, reason);
    return add_range(list, patterns, count / 2, error) &&
           add_range(list, patterns + count / 2, count - count / 2, error);
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
    return count == 0 || add_range(list, patterns, count, error) ? g_steal_pointer(&list) : NULL;
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
    g_autoptr(PythonRegex) regex = python_regex_new();
    if (!python_regex_set(regex, bytes_of_array(text), &reason)) {
        propagate(error, reason);
        return NULL;
    }
    return list_add(list, python_regex_text(regex), error) ? g_steal_pointer(&list) : NULL;
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
    g_ptr_array_unref(list->codes);
    g_free(list);
}

/* --- matching -----------------------------------------------------------------------------------
 */

bool exclude_list_matches(const ExcludeList *list, ExcludeScratch *scratch, Bytes name)
{
    static const uint8_t nothing[1] = {0};
    for (guint i = 0; list && i < list->codes->len; i++) {
        if (scratch->limit_hits >= EXCLUDE_MAX_LIMIT_HITS)
            return false;
        int result =
            pcre2_match(g_ptr_array_index(list->codes, i), name.size > 0 ? name.data : nothing,
                        name.size, 0, 0, scratch->match, scratch->context);
        /* 0: it matched, and has more groups than there is room for. */
        if (result >= 0)
            return true;
        if (result != PCRE2_ERROR_NOMATCH)
            scratch->limit_hits++;
    }
    return false;
}
