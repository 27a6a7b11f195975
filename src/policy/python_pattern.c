/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/python_pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* Memory for backtracking of one match. */
#define HEAP_LIMIT_KIB 4096
#define JIT_STACK_START (32 * 1024)
#define JIT_STACK_MOST (512 * 1024)

struct PythonPattern {
    pcre2_code *code;
    bool whole;
};

struct PythonMatcher {
    pcre2_match_data *match;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};

/* `more` are further options of PCRE2. */
static pcre2_code *compile(const PythonRegex *regex, uint32_t more, GError **error)
{
    int problem;
    PCRE2_SIZE offset;
    uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED | PCRE2_MATCH_INVALID_UTF |
                       PCRE2_NEVER_BACKSLASH_C | more;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)python_regex_text(regex), PCRE2_ZERO_TERMINATED,
                                     options, &problem, &offset, context);
    pcre2_compile_context_free(context);
    if (!code) {
        PCRE2_UCHAR reason[256];
        bool large = problem == PCRE2_ERROR_PATTERN_TOO_LARGE;
        pcre2_get_error_message(problem, reason, sizeof reason);
        g_set_error_literal(error, PYTHON_REGEX_ERROR,
                            large ? PYTHON_REGEX_ERROR_COSTLY : PYTHON_REGEX_ERROR_NOT_PORTABLE,
                            (const char *)reason);
    }
    return code;
}

PythonPattern *python_pattern_of(const PythonRegex *regex, PythonMatchMode mode, GError **error)
{
    pcre2_code *code =
        compile(regex, mode == PYTHON_MATCH_WHOLE ? (uint32_t)PCRE2_ENDANCHORED : 0, error);
    if (!code)
        return NULL;
    /* Where memory must not be both written and executed there is no such code: the interpreter
     * gives the same answers. */
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    PythonPattern *pattern = g_new(PythonPattern, 1);
    pattern->code = code;
    pattern->whole = mode == PYTHON_MATCH_WHOLE;
    return pattern;
}

PythonPattern *python_pattern_compile(Bytes pattern, PythonMatchMode mode, GError **error)
{
    g_autoptr(PythonRegex) regex = python_regex_new();
    return python_regex_set(regex, pattern, error) ? python_pattern_of(regex, mode, error) : NULL;
}

void python_pattern_free(PythonPattern *pattern)
{
    if (!pattern)
        return;
    pcre2_code_free(pattern->code);
    g_free(pattern);
}

PythonMatcher *python_matcher_new(void)
{
    PythonMatcher *matcher = g_new0(PythonMatcher, 1);
    matcher->match = pcre2_match_data_create(1, NULL);
    matcher->context = pcre2_match_context_create(NULL);
    matcher->stack = pcre2_jit_stack_create(JIT_STACK_START, JIT_STACK_MOST, NULL);
    if (!matcher->match || !matcher->context)
        g_error("out of memory");
    pcre2_set_match_limit(matcher->context, PYTHON_MATCH_LIMIT);
    pcre2_set_heap_limit(matcher->context, HEAP_LIMIT_KIB);
    /* Without a stack of its own the matcher takes 32 KiB of the thread's. */
    pcre2_jit_stack_assign(matcher->context, NULL, matcher->stack);
    return matcher;
}

void python_matcher_free(PythonMatcher *matcher)
{
    if (!matcher)
        return;
    pcre2_jit_stack_free(matcher->stack);
    pcre2_match_context_free(matcher->context);
    pcre2_match_data_free(matcher->match);
    g_free(matcher);
}

static PythonMatchResult match(const PythonPattern *pattern, PythonMatcher *matcher, Bytes text,
                               uint32_t options)
{
    static const uint8_t nothing[1] = {0};
    int result = pcre2_match(pattern->code, text.size > 0 ? text.data : nothing, text.size, 0,
                             options, matcher->match, matcher->context);
    if (result < 0)
        return result == PCRE2_ERROR_NOMATCH ? PYTHON_NO_MATCH : PYTHON_LIMIT_REACHED;
    /* The interpreter takes bytes that are no UTF-8 for an end of the text, behind which it begins
     * anew, anchored or not. */
    const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(matcher->match);
    bool anchored = ends[0] == 0 && (!pattern->whole || ends[1] == text.size);
    return anchored ? PYTHON_MATCHES : PYTHON_NO_MATCH;
}

PythonMatchResult python_pattern_match(const PythonPattern *pattern, PythonMatcher *matcher,
                                       Bytes text)
{
    return match(pattern, matcher, text, 0);
}

bool python_regex_is_slow(const PythonRegex *regex)
{
    /* Without a look at which characters the text must have: a name can have them all. */
    PythonPattern plain = {.code = compile(regex, PCRE2_NO_START_OPTIMIZE, NULL)};
    g_autoptr(PythonMatcher) matcher = python_matcher_new();
    const GPtrArray *probes = python_regex_probes(regex);
    bool slow = false;
    /* Compiled code counts its steps in another way, the interpreter always in the same. */
    for (guint i = 0; plain.code && !slow && i < probes->len; i++)
        slow = match(&plain, matcher, bytes_of_gbytes(probes->pdata[i]), PCRE2_NO_JIT) ==
               PYTHON_LIMIT_REACHED;
    pcre2_code_free(plain.code);
    return slow;
}
