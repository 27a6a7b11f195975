/* SPDX-License-Identifier: Apache-2.0 */
/* Levels and forms of the log (contract U10). */
#include "base/json.h"
#include "base/log.h"
#include "config/logging.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include <cmocka.h>

/* The level that a logging.conf with this text leads to; -1 when it is refused. */
static int level_of(const char *text)
{
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("keylime-logging-XXXXXX", &path, NULL);
    assert_true(fd >= 0);
    close(fd);
    assert_true(g_file_set_contents(path, text, -1, NULL));
    g_setenv("KEYLIME_LOGGING_CONFIG", path, TRUE);
    g_autoptr(GError) error = NULL;
    bool started = logging_start("verifier", &error);
    g_unsetenv("KEYLIME_LOGGING_CONFIG");
    g_remove(path);
    if (!started)
        return -1;
    int level = (int)LOG_LEVEL_CRITICAL;
    while (level < (int)LOG_LEVEL_TRACE && log_enabled((LogLevel)(level + 1)))
        level++;
    return level;
}

static void test_levels_of_servers(void **state)
{
    assert_int_equal(level_of(""), LOG_LEVEL_INFO);
    assert_int_equal(level_of("[logger_root]\nlevel = ERROR\n"), LOG_LEVEL_ERROR);
    assert_int_equal(level_of("[logger_root]\nlevel=ERROR\n[logger_keylime]\nlevel=DEBUG\n"),
                     LOG_LEVEL_DEBUG);
    assert_int_equal(level_of("[logger_keylime]\nlevel = WARN\n"), LOG_LEVEL_WARNING);
    assert_int_equal(level_of("[logger_keylime]\nlevel = FATAL\n"), LOG_LEVEL_CRITICAL);
    assert_int_equal(level_of("[logger_root]\nlevel = NOTSET\n"), LOG_LEVEL_DEBUG);
    assert_int_equal(
        level_of("[logger_keylime]\nlevel = DEBUG\n[handler_consoleHandler]\nlevel = INFO\n"),
        LOG_LEVEL_INFO);
    assert_int_equal(level_of("[logger_keylime]\nlevel = LOUD\n"), -1);
    assert_int_equal(level_of("level = INFO\n"), -1);
}

/* What upstream's tool generates loads without a complaint about a value. */
static void test_shipped_file(void **state)
{
    assert_int_equal(
        level_of("[logging]\nversion = 2.6\n[loggers]\nkeys = root,keylime\n[handlers]\n"
                 "keys = consoleHandler\n[formatters]\nkeys = formatter\n[formatter_formatter]\n"
                 "format = %(asctime)s.%(msecs)03d - %(name)s - %(levelname)s - %(message)s\n"
                 "datefmt = %Y-%m-%d %H:%M:%S\n[logger_root]\nlevel = INFO\n"
                 "handlers = consoleHandler\n[handler_consoleHandler]\nclass = StreamHandler\n"
                 "level = INFO\nformatter = formatter\nargs = (sys.stderr,)\n[logger_keylime]\n"
                 "level = INFO\nqualname = keylime\nhandlers =\n"),
        LOG_LEVEL_INFO);
}

static int agent_level(const char *filter)
{
    if (filter)
        g_setenv("RUST_LOG", filter, TRUE);
    else
        g_unsetenv("RUST_LOG");
    assert_true(logging_start_agent(NULL));
    int level = (int)LOG_LEVEL_CRITICAL;
    while (level < (int)LOG_LEVEL_TRACE && log_enabled((LogLevel)(level + 1)))
        level++;
    g_unsetenv("RUST_LOG");
    return level;
}

static void test_levels_of_the_agent(void **state)
{
    assert_int_equal(agent_level(NULL), LOG_LEVEL_INFO);
    assert_int_equal(agent_level(""), LOG_LEVEL_INFO);
    assert_int_equal(agent_level("warn"), LOG_LEVEL_WARNING);
    assert_int_equal(agent_level("off"), LOG_LEVEL_CRITICAL);
    assert_int_equal(agent_level("keylime_push_model_agent=info,keylime=info"), LOG_LEVEL_INFO);
    assert_int_equal(agent_level("keylime_push_model_agent=trace,keylime=trace"), LOG_LEVEL_TRACE);
    assert_int_equal(agent_level("keylime_agent=trace,keylime=error"), LOG_LEVEL_TRACE);
    assert_int_equal(agent_level("error, keylime_push_model_agent::state_machine=debug"),
                     LOG_LEVEL_DEBUG);
    assert_int_equal(agent_level("error,hyper=trace"), LOG_LEVEL_ERROR);
    assert_int_equal(agent_level("keylime"), LOG_LEVEL_TRACE);
    assert_int_equal(agent_level("keylime=debug/some.*text"), LOG_LEVEL_DEBUG);
    assert_int_equal(agent_level("keylime=loud"), LOG_LEVEL_INFO);
}

static void test_format_word_of_the_agent(void **state)
{
    g_autoptr(GError) error = NULL;
    g_setenv("KEYLIME_LOGGING_FORMAT", "xml", TRUE);
    assert_false(logging_start_agent(&error));
    assert_string_equal(error->message, "KEYLIME_LOGGING_FORMAT: 'xml': must be text or json");
    g_unsetenv("KEYLIME_LOGGING_FORMAT");
}

/* One written line through a pipe, in this form. */
static char *line_of(LogFormat format, const char *message)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    log_open(ends[1], format, LOG_LEVEL_INFO);
    log_set_request_id("abc123");
    log_write("keylime.test", LOG_LEVEL_WARNING, "%s", message);
    log_set_request_id(NULL);
    log_open(STDERR_FILENO, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    close(ends[1]);
    char *line = g_malloc0(1024);
    assert_true(read(ends[0], line, 1023) > 0);
    close(ends[0]);
    return line;
}

static void test_text_lines(void **state)
{
    g_autofree char *line = line_of(LOG_FORMAT_TEXT, "hello");
    assert_true(g_regex_match_simple("^\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d\\.\\d{3} - "
                                     "keylime\\.test - WARNING - \\(reqid=abc123\\) hello\\n$",
                                     line, 0, 0));
    g_autofree char *journal = line_of(LOG_FORMAT_JOURNAL, "hello");
    assert_string_equal(journal, "<4>keylime.test: (reqid=abc123) hello\n");
}

/* A peer's text cannot begin a line of its own. */
static void test_messages_stay_on_one_line(void **state)
{
    g_autofree char *line = line_of(LOG_FORMAT_JOURNAL, "a\n<0>b\r\x1b[31mc\td");
    assert_string_equal(line, "<4>keylime.test: (reqid=abc123) a\\n<0>b\\x0d\\x1b[31mc\td\n");
}

static void test_json_lines(void **state)
{
    g_autofree char *line = line_of(LOG_FORMAT_JSON, "say \"x\"\n\xff");
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    g_autoptr(Json) record = json_parse(bytes_of(line, strlen(line) - 1), NULL);
    assert_non_null(record);
    assert_string_equal(json_member_text(record, "level"), "WARNING");
    assert_string_equal(json_member_text(record, "logger"), "keylime.test");
    assert_string_equal(json_member_text(record, "request_id"), "abc123");
    assert_string_equal(json_member_text(record, "message"), "say \"x\"\n\xef\xbf\xbd");
}

static void test_journal_is_recognised(void **state)
{
    struct stat status;
    assert_int_equal(fstat(STDERR_FILENO, &status), 0);
    g_autofree char *stream =
        g_strdup_printf("%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    g_setenv("JOURNAL_STREAM", stream, TRUE);
    assert_true(log_is_journal(STDERR_FILENO));
    g_setenv("JOURNAL_STREAM", "1:1", TRUE);
    assert_false(log_is_journal(STDERR_FILENO));
    g_unsetenv("JOURNAL_STREAM");
    assert_false(log_is_journal(STDERR_FILENO));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels_of_servers),
        cmocka_unit_test(test_shipped_file),
        cmocka_unit_test(test_levels_of_the_agent),
        cmocka_unit_test(test_format_word_of_the_agent),
        cmocka_unit_test(test_text_lines),
        cmocka_unit_test(test_messages_stay_on_one_line),
        cmocka_unit_test(test_json_lines),
        cmocka_unit_test(test_journal_is_recognised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
