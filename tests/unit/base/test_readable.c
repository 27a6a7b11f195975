/* SPDX-License-Identifier: Apache-2.0 */
/* Files that cannot be read, and why (contract C120). */
#include "base/readable.h"

#include <glib.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define NOBODY 65534

static char *directory, *inner, *file;

static int make_files(void **state)
{
    (void)state;
    directory = g_dir_make_tmp("keylime-readable-XXXXXX", NULL);
    inner = g_build_filename(directory, "inner", NULL);
    file = g_build_filename(inner, "file", NULL);
    return g_chmod(directory, 0755) || g_mkdir(inner, 0755) ||
           !g_file_set_contents(file, "text", -1, NULL);
}

static int remove_files(void **state)
{
    (void)state;
    g_chmod(inner, 0700);
    g_unlink(file);
    g_rmdir(inner);
    g_rmdir(directory);
    g_free(file);
    g_free(inner);
    g_free(directory);
    return 0;
}

static void what_can_be_read_has_no_problem(void **state)
{
    (void)state;
    assert_null(readable_problem(file));
}

static void absent_files_and_directories_are_told_apart(void **state)
{
    (void)state;
    g_autofree char *absent = readable_problem("/no/such/file");
    assert_string_equal(absent, "No such file or directory");
    g_autofree char *folder = readable_problem(inner);
    assert_string_equal(folder, "it is no regular file");
}

/* As another user: root may read everything. */
static char *problem_of_nobody(void)
{
    if (geteuid() != 0 || seteuid(NOBODY) != 0)
        skip();
    char *problem = readable_problem(file);
    assert_int_equal(seteuid(0), 0);
    assert_non_null(problem);
    return problem;
}

static void owner_mode_and_reader_are_named(void **state)
{
    (void)state;
    assert_int_equal(g_chmod(file, 0600), 0);
    g_autofree char *problem = problem_of_nobody();
    assert_non_null(strstr(problem, "Permission denied (owner root, mode 0600); it must be "
                                    "readable by user nobody"));
}

static void the_directory_that_is_closed_is_named(void **state)
{
    (void)state;
    assert_int_equal(g_chmod(file, 0644), 0);
    assert_int_equal(g_chmod(inner, 0700), 0);
    g_autofree char *problem = problem_of_nobody();
    g_autofree char *expected =
        g_strdup_printf("Permission denied: directory %s (owner root, mode 0700) cannot be "
                        "entered by user nobody",
                        inner);
    assert_string_equal(problem, expected);
}

static void a_directory_that_cannot_be_written_is_told(void **state)
{
    (void)state;
    assert_int_equal(g_chmod(inner, 0755), 0);
    assert_null(writable_problem(inner));
    g_autofree char *absent = writable_problem("/no/such/directory");
    assert_string_equal(absent, "No such file or directory");
    if (geteuid() != 0 || seteuid(NOBODY) != 0)
        skip();
    g_autofree char *problem = writable_problem(inner);
    assert_int_equal(seteuid(0), 0);
    assert_string_equal(problem, "Permission denied (owner root, mode 0755); it must be writable "
                                 "by user nobody");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_can_be_read_has_no_problem),
        cmocka_unit_test(absent_files_and_directories_are_told_apart),
        cmocka_unit_test(owner_mode_and_reader_are_named),
        cmocka_unit_test(the_directory_that_is_closed_is_named),
        cmocka_unit_test(a_directory_that_cannot_be_written_is_told),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
