/* SPDX-License-Identifier: Apache-2.0 */
/* Exclude patterns: what is refused at upload and why, limits, and what is matched. The language
 * itself is the known answers' matter (excludes.json). */
#include "policy/exclude_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static ExcludeList *compile(const char *const *texts, size_t *index, GError **error)
{
    Bytes patterns[16] = {{0}};
    size_t count = 0;
    for (; texts[count]; count++)
        patterns[count] = bytes_of_text(texts[count]);
    return exclude_list_compile(patterns, count, index, error);
}

static bool matches(const ExcludeList *list, const char *name)
{
    g_autoptr(ExcludeScratch) scratch = exclude_scratch_new();
    return exclude_list_matches(list, scratch, bytes_of_text(name));
}

static void test_refused(void **state)
{
    static const struct {
        const char *patterns[4];
        size_t index;
        ExcludeError code;
        const char *reason;
    } cases[] = {
        {{"/a", ""}, 1, EXCLUDE_ERROR_PATTERN, "empty"},
        {{"/a", "/b("}, 1, EXCLUDE_ERROR_PATTERN, "missing ), unterminated subpattern"},
        {{"/a(", "b)"}, 0, EXCLUDE_ERROR_PATTERN, "missing ), unterminated subpattern"},
        {{")("}, 0, EXCLUDE_ERROR_PATTERN, "unbalanced parenthesis"},
        {{"?"}, 0, EXCLUDE_ERROR_PATTERN, "nothing to repeat"},
        {{"(?i)/a"}, 0, EXCLUDE_ERROR_PATTERN, "global flags not at the start"},
        {{"/a", "(?P<n>a)", "(?P<n>b)"}, 2, EXCLUDE_ERROR_PATTERN, "redefinition of group name"},
        {{"/(a)\\1"}, 0, EXCLUDE_ERROR_PATTERN, "cannot refer to an open group"},
        {{"/\\N{DIGIT ONE}"}, 0, EXCLUDE_ERROR_PATTERN, "cannot be named"},
        {{"/\\ud800"}, 0, EXCLUDE_ERROR_PATTERN, "surrogate"},
        {{"/a\\"}, 0, EXCLUDE_ERROR_PATTERN, "bad escape (end of pattern)"},
        {{"/(?ai:k)"}, 0, EXCLUDE_ERROR_PATTERN, "no equal"},
        {{"/x{70000}"}, 0, EXCLUDE_ERROR_COSTLY, "repeats more than"},
        {{"/a", "/(a+)+$"}, 1, EXCLUDE_ERROR_COSTLY, "too costly"},
        {{"/(a|aa)*$"}, 0, EXCLUDE_ERROR_COSTLY, "too costly"},
        {{"/(.*)*b"}, 0, EXCLUDE_ERROR_COSTLY, "too costly"},
        {{"/.*.*.*.*b"}, 0, EXCLUDE_ERROR_COSTLY, "too costly"},
        {{"/(?:(?:x+)+)+y"}, 0, EXCLUDE_ERROR_COSTLY, "too costly"},
        {{"/(?(4)a|b)"}, 1, EXCLUDE_ERROR_JOINED, "invalid group reference 4"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        size_t index = 99;
        g_autoptr(ExcludeList) list = compile(cases[i].patterns, &index, &error);
        if (list)
            fail_msg("case %zu is accepted", i);
        if (!strstr(error->message, cases[i].reason) || index != cases[i].index ||
            error->code != (int)cases[i].code)
            fail_msg("case %zu: %zu: %d: %s", i, index, error->code, error->message);
    }
}

/* What operators write; none of it is slow, and all of it means what it says. */
static void test_usual_patterns(void **state)
{
    static const char *const patterns[] = {"/var/lib/docker/.*/(merged|diff)/",
                                           "/lib/modules/.*/kernel/.*\\.ko(\\.xz|\\.zst)?$",
                                           "^(?!/usr/bin/).*\\.pyc$",
                                           "/(var|run)/(?:[^/]+/)*cache/",
                                           "boot_aggregate",
                                           "/memfd:.*",
                                           "[^/]+$",
                                           NULL};
    g_autoptr(GError) error = NULL;
    g_autoptr(ExcludeList) list = compile(patterns, NULL, &error);
    assert_null(error);
    static const char *const excluded[] = {"/var/lib/docker/overlay2/ab/merged/bin/sh",
                                           "/lib/modules/6.1/kernel/a.ko.zst",
                                           "/opt/a.pyc",
                                           "/var/a/b/cache/x",
                                           "boot_aggregate2",
                                           "/memfd:x (deleted)",
                                           "relative"};
    static const char *const judged[] = {"/usr/bin/a.pyc", "/bin/sh",
                                         "/lib/modules/6.1/kernel/a.kox", "/srv/memfd:x"};
    for (size_t i = 0; i < G_N_ELEMENTS(excluded); i++)
        assert_true(matches(list, excluded[i]));
    for (size_t i = 0; i < G_N_ELEMENTS(judged); i++)
        assert_false(matches(list, judged[i]));
}

static void test_nothing_is_excluded_without_patterns(void **state)
{
    static const char *const none[] = {NULL};
    g_autoptr(ExcludeList) list = compile(none, NULL, NULL);
    assert_non_null(list);
    assert_false(matches(list, "/a"));
    assert_false(matches(list, ""));
    assert_false(matches(NULL, "/a"));
}

static void test_names_that_are_no_utf8(void **state)
{
    static const char *const patterns[] = {"/tmp/", "/a.b", NULL};
    g_autoptr(ExcludeList) list = compile(patterns, NULL, NULL);
    assert_true(matches(list, "/tmp/\xff\xfe"));
    assert_false(matches(list, "/a\xff"
                               "b"));
    assert_false(matches(list, "\xff/tmp/"));
}

/* PCRE2 has a limit to the size of one expression; a list of many patterns has none below ours. */
static void test_many_patterns(void **state)
{
    enum { COUNT = 8000 };
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    g_autofree Bytes *patterns = g_new(Bytes, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        g_ptr_array_add(texts, g_strdup_printf("/srv/data-%05u/[a-z]+/", i));
        patterns[i] = bytes_of_text(texts->pdata[i]);
    }
    g_autoptr(GError) error = NULL;
    g_autoptr(ExcludeList) list = exclude_list_compile(patterns, COUNT, NULL, &error);
    assert_null(error);
    assert_true(matches(list, "/srv/data-00000/x/"));
    assert_true(matches(list, "/srv/data-07999/x/"));
    assert_false(matches(list, "/srv/data-08000/x/"));
}

static void test_more_than_any_policy_needs(void **state)
{
    g_autofree Bytes *patterns = g_new(Bytes, EXCLUDE_MAX_PATTERNS + 1);
    for (size_t i = 0; i <= EXCLUDE_MAX_PATTERNS; i++)
        patterns[i] = bytes_of_text("/a");
    g_autoptr(GError) error = NULL;
    assert_null(exclude_list_compile(patterns, EXCLUDE_MAX_PATTERNS + 1, NULL, &error));
    assert_true(g_error_matches(error, EXCLUDE_ERROR, EXCLUDE_ERROR_COSTLY));
    g_clear_error(&error);
    g_autofree char *long_one = g_strnfill(70000, 'a');
    const Bytes three[] = {bytes_of_text("/a"), bytes_of_text(long_one), bytes_of_text("/b")};
    size_t index = 99;
    assert_null(exclude_list_compile(three, 3, &index, &error));
    assert_true(g_error_matches(error, EXCLUDE_ERROR, EXCLUDE_ERROR_COSTLY));
    assert_int_equal(index, 1);
    g_autofree char *nested = g_strnfill(10000, '(');
    Bytes deep = bytes_of_text(nested);
    assert_null(exclude_list_compile(&deep, 1, NULL, NULL));
}

/* A name that the matcher gives up on is judged like any other, and a list of such names ends. */
static void test_match_limit(void **state)
{
    Bytes pattern = bytes_of_text("/(a+)+$");
    g_autoptr(ExcludeList) list = exclude_list_compile_joined(&pattern, 1, NULL);
    g_autoptr(ExcludeScratch) scratch = exclude_scratch_new();
    Bytes name =
        bytes_of_text("/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!");
    assert_true(exclude_list_matches(list, scratch, bytes_of_text("/aaa")));
    for (unsigned i = 0; i < EXCLUDE_MAX_LIMIT_HITS + 10; i++)
        assert_false(exclude_list_matches(list, scratch, name));
    assert_int_equal(exclude_scratch_limit_hits(scratch), EXCLUDE_MAX_LIMIT_HITS);
    assert_false(exclude_list_matches(list, scratch, bytes_of_text("/aaa")));
}

/* No machine has such a path: it only takes time. */
static void test_long_names(void **state)
{
    static const char *const patterns[] = {"/tmp/", NULL};
    g_autoptr(ExcludeList) list = compile(patterns, NULL, NULL);
    char name[EXCLUDE_MAX_NAME + 2] = "/tmp/";
    memset(name + 5, 'a', sizeof name - 6);
    assert_false(matches(list, name));
    name[EXCLUDE_MAX_NAME] = '\0';
    assert_true(matches(list, name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_usual_patterns),
        cmocka_unit_test(test_nothing_is_excluded_without_patterns),
        cmocka_unit_test(test_names_that_are_no_utf8),
        cmocka_unit_test(test_many_patterns),
        cmocka_unit_test(test_more_than_any_policy_needs),
        cmocka_unit_test(test_match_limit),
        cmocka_unit_test(test_long_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
