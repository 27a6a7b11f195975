/* SPDX-License-Identifier: Apache-2.0 */
/* The firmware's log: whole, once, and never larger than a verifier takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/firmware_log.h"
#include "base/encoding.h"
#include "evidence/uefi/event_log.h"

#include <glib/gstdio.h>

static void write_and_read(const void *content, gssize size, FirmwareLog *out)
{
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("firmware-log-XXXXXX", &path, NULL);
    assert_true(fd >= 0);
    assert_true(g_close(fd, NULL));
    assert_true(g_file_set_contents(path, content, size, NULL));
    firmware_log_read(path, out);
    g_remove(path);
}

static void test_whole(void **state)
{
    (void)state;
    g_autofree char *content = g_strnfill(150000, 'x');
    g_auto(FirmwareLog) log = {0};
    write_and_read(content, 150000, &log);
    assert_true(bytes_equal(bytes_of_gbytes(log.bytes), bytes_of(content, 150000)));
    /* It cannot be parsed: sent all the same, with the count that says so (decision D63). */
    assert_int_equal(log.events, 0);
}

/* Header for SHA-256, and two separators. */
#define SMALL_LOG                                                                                  \
    "AAAAAAMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACEAAABTcGVjIElEIEV2ZW50MDMAAAAAAAACAAIBAAAACwAgAAAAAAAA" \
    "BAAAAAEAAAALAN8/YZgEqS/bQFcZLcQ910jqd4rcUrxJjOgFJMAUuBEZBAAAAAAAAAAHAAAABAAAAAEAAAALAN8/YZgE" \
    "qS/bQFcZLcQ910jqd4rcUrxJjOgFJMAUuBEZBAAAAAAAAAA="

static void test_events_are_counted(void **state)
{
    (void)state;
    g_autoptr(GBytes) content = base64_decode(SMALL_LOG);
    g_auto(FirmwareLog) log = {0};
    write_and_read(g_bytes_get_data(content, NULL), (gssize)g_bytes_get_size(content), &log);
    assert_int_equal(log.events, 2);
}

static void test_none(void **state)
{
    (void)state;
    g_auto(FirmwareLog) absent = {0};
    firmware_log_read("/nonexistent/binary_bios_measurements", &absent);
    assert_null(absent.bytes);
    g_auto(FirmwareLog) empty = {0};
    write_and_read("", 0, &empty);
    assert_null(empty.bytes);
}

static void test_too_large(void **state)
{
    (void)state;
    g_autofree char *content = g_malloc0(UEFI_LOG_MAX_SIZE + 1);
    g_auto(FirmwareLog) log = {0};
    write_and_read(content, (gssize)UEFI_LOG_MAX_SIZE + 1, &log);
    assert_null(log.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_events_are_counted),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
