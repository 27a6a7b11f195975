/* SPDX-License-Identifier: Apache-2.0 */
/* Matching without compiled code, which is what remains where memory must not become executable:
 * the answers are the same. */
#include "policy/python_pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/prctl.h>

#include <cmocka.h>

/* Of Linux 6.3. */
#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

static bool matches_as(PythonMatchMode mode, const char *pattern, const char *text)
{
    g_autoptr(PythonPattern) compiled = python_pattern_compile(bytes_of_text(pattern), mode, NULL);
    assert_non_null(compiled);
    g_autoptr(PythonMatcher) matcher = python_matcher_new();
    return python_pattern_match(compiled, matcher, bytes_of_text(text)) == PYTHON_MATCHES;
}

static bool matches(const char *pattern, const char *text)
{
    return matches_as(PYTHON_MATCH_BEGINNING, pattern, text);
}

/* What follows a byte that is no UTF-8 is not the beginning. */
static void test_texts_that_are_no_utf8(void **state)
{
    assert_true(matches("/tmp/", "/tmp/\xff\xfe"));
    assert_false(matches("/tmp/", "\xff/tmp/"));
    assert_false(matches("/tmp/", "/bin/\xff/tmp/"));
    assert_false(matches("/tmp/a$", "/tmp/a\xff"));
    assert_true(matches_as(PYTHON_MATCH_WHOLE, "a|ab", "ab"));
    assert_false(matches_as(PYTHON_MATCH_WHOLE, "a", "a\xff"));
    assert_false(matches_as(PYTHON_MATCH_WHOLE, "a", "\xff\x61"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_that_are_no_utf8),
    };
    /* An older kernel has no such rule: then compiled code answers. */
    prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0L, 0L, 0L);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
