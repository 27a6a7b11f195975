/* SPDX-License-Identifier: Apache-2.0 */
/* The measurement list as the agent counts and reads it, while it grows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/measurement_list.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    char *folder, *path;
} World;

static int set_up(void **state)
{
    World *world = g_new0(World, 1);
    world->folder = g_dir_make_tmp("measurement-list-XXXXXX", NULL);
    world->path = g_build_filename(world->folder, "list", NULL);
    *state = world;
    return world->folder ? 0 : -1;
}

static int tear_down(void **state)
{
    World *world = *state;
    g_remove(world->path);
    g_rmdir(world->folder);
    g_free(world->folder);
    g_free(world->path);
    g_free(world);
    return 0;
}

static void append(const World *world, const char *text)
{
    FILE *file = g_fopen(world->path, "ae");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void assert_count(MeasurementList *list, guint64 expected)
{
    guint64 entries;
    assert_true(measurement_list_count(list, &entries, NULL));
    assert_int_equal(entries, expected);
}

static void assert_text(MeasurementList *list, guint64 first, guint64 limit, const char *expected,
                        guint64 expected_entries)
{
    guint64 entries;
    g_autoptr(GBytes) text = measurement_list_read(list, first, limit, &entries, NULL);
    assert_non_null(text);
    assert_true(bytes_equal(bytes_of_gbytes(text), bytes_of_text(expected)));
    assert_int_equal(entries, expected_entries);
}

static void test_growing(void **state)
{
    const World *world = *state;
    append(world, "a\nb\n");
    g_autoptr(MeasurementList) list = measurement_list_open(world->path);
    assert_count(list, 2);
    assert_text(list, 0, 0, "a\nb\n", 2);
    assert_text(list, 2, 0, "", 0);
    append(world, "c\nunfinished");
    assert_count(list, 3);
    assert_text(list, 2, 0, "c\n", 1);
    assert_text(list, 1, 1, "b\n", 1);
    append(world, "\n\n");
    assert_count(list, 5); /* a blank line is an entry to the one who counts newlines */
    assert_text(list, 3, 0, "unfinished\n\n", 2);
    /* What came after the count is sent, too. */
    append(world, "e\n");
    assert_text(list, 5, 0, "e\n", 1);
}

static void test_beyond_the_end(void **state)
{
    const World *world = *state;
    append(world, "a\n");
    g_autoptr(MeasurementList) list = measurement_list_open(world->path);
    g_autoptr(GError) error = NULL;
    guint64 entries;
    assert_null(measurement_list_read(list, 2, 0, &entries, &error));
    assert_true(g_error_matches(error, MEASUREMENT_LIST_ERROR, MEASUREMENT_LIST_ERROR_OFFSET));
}

static void test_file_that_comes_later(void **state)
{
    const World *world = *state;
    g_autoptr(MeasurementList) list = measurement_list_open(world->path);
    assert_count(list, 0);
    append(world, "a\n");
    assert_count(list, 1);
}

static void test_file_that_begins_anew(void **state)
{
    const World *world = *state;
    append(world, "a\nb\nc\n");
    g_autoptr(MeasurementList) list = measurement_list_open(world->path);
    assert_count(list, 3);
    assert_int_equal(truncate(world->path, 0), 0);
    append(world, "z\n");
    assert_count(list, 1);
    assert_text(list, 0, 0, "z\n", 1);
}

static void test_unreadable(void **state)
{
    const World *world = *state;
    g_autoptr(MeasurementList) list =
        measurement_list_open(world->folder); /* opens, but is no file to read */
    g_autoptr(GError) error = NULL;
    guint64 entries = 7;
    assert_false(measurement_list_count(list, &entries, &error));
    assert_true(g_error_matches(error, MEASUREMENT_LIST_ERROR, MEASUREMENT_LIST_ERROR_READ));
    assert_int_equal(entries, 0);
}

/* More than one chunk, more than one kept place, and an entry longer than a chunk. */
static void test_long_list(void **state)
{
    const World *world = *state;
    g_autoptr(GString) text = g_string_new(NULL);
    for (unsigned i = 0; i < 10000; i++)
        g_string_append_printf(text, "10 %040u ima-ng sha256:%064u /usr/bin/tool-%u\n", i, i, i);
    append(world, text->str);
    g_autofree char *blob = g_strnfill((gsize)200 * 1024, 'f');
    g_autofree char *long_entry = g_strconcat(blob, "\n", NULL);
    append(world, long_entry);
    append(world, "last\n");
    g_autoptr(MeasurementList) list = measurement_list_open(world->path);
    assert_count(list, 10002);
    g_autofree char *both = g_strconcat(long_entry, "last\n", NULL);
    assert_text(list, 10000, 0, both, 2);
    static const unsigned starts[] = {0, 1, 4095, 4096, 4097, 8191, 8192, 9999};
    for (guint i = 0; i < G_N_ELEMENTS(starts); i++) {
        g_autofree char *expected = g_strdup_printf(
            "10 %040u ima-ng sha256:%064u /usr/bin/tool-%u\n", starts[i], starts[i], starts[i]);
        assert_text(list, starts[i], 1, expected, 1);
    }
    assert_text(list, 10001, 0, "last\n", 1);
}

int main(void)
{
#define LOG_TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        LOG_TEST(test_growing),
        LOG_TEST(test_beyond_the_end),
        LOG_TEST(test_file_that_comes_later),
        LOG_TEST(test_file_that_begins_anew),
        LOG_TEST(test_unreadable),
        LOG_TEST(test_long_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
