/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of the log, one by one and gathered. */
#define LOG_NAME "test"
#include "base/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int log_end; /* reads what was written, does not wait */

static int set_up(void **state)
{
    int ends[2];
    if (pipe2(ends, O_NONBLOCK) != 0)
        return -1;
    log_end = ends[0];
    log_open(ends[1], LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    return 0;
}

/* How many lines one write brought, and how many of them have `text`. */
static unsigned read_lines(const char *text, unsigned *with)
{
    char buffer[8192];
    ssize_t got = read(log_end, buffer, sizeof buffer);
    unsigned lines = 0;
    *with = 0;
    if (got <= 0)
        return 0;
    assert_int_equal(buffer[got - 1], '\n');
    g_autofree char *copy = g_strndup(buffer, (gsize)got - 1);
    g_auto(GStrv) parts = g_strsplit(copy, "\n", -1);
    for (; parts[lines]; lines++)
        *with += strstr(parts[lines], text) != NULL;
    return lines;
}

static void line_is_written_at_once(void **state)
{
    unsigned with;
    log_info("one");
    assert_int_equal(read_lines("test - INFO - one", &with), 1);
    assert_int_equal(with, 1);
}

static void lines_are_gathered(void **state)
{
    unsigned with;
    log_gather();
    log_info("one");
    log_info("two\nthree");
    assert_int_equal(read_lines("", &with), 0);
    log_gather_end();
    assert_int_equal(read_lines("two\\nthree", &with), 2);
    assert_int_equal(with, 1);
    line_is_written_at_once(state);
}

static void grave_line_takes_the_others_along(void **state)
{
    unsigned with;
    log_gather();
    log_info("one");
    log_warning("two");
    assert_int_equal(read_lines("WARNING - two", &with), 2);
    assert_int_equal(with, 1);
    log_gather_end();
    assert_int_equal(read_lines("", &with), 0);
}

static void nothing_is_lost_when_there_is_much(void **state)
{
    g_autofree char *half = g_strnfill(2500, 'x');
    g_autofree char *large = g_strnfill(5000, 'y');
    unsigned with;
    log_gather();
    log_info("%s", half);
    log_info("%s", half);
    assert_int_equal(read_lines("xxx", &with), 1);
    log_info("%s", large);
    assert_int_equal(read_lines("yyy", &with), 2);
    assert_int_equal(with, 1);
    log_info("end");
    log_gather_end();
    assert_int_equal(read_lines("end", &with), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_is_written_at_once),
        cmocka_unit_test(lines_are_gathered),
        cmocka_unit_test(grave_line_takes_the_others_along),
        cmocka_unit_test(nothing_is_lost_when_there_is_much),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
