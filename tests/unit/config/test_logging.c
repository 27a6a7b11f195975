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
    bool started = logging_start(STDERR_FILENO, false, &error);
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

/* One written line through a pipe, in this form; `text` may be NULL. */
static char *line_with(LogFormat format, const char *message, const char *text)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    log_open(ends[1], format, LOG_LEVEL_INFO);
    log_set_request_id("abc123");
    if (text)
        log_write_text("keylime.test", LOG_LEVEL_WARNING, message, text);
    else
        log_write("keylime.test", LOG_LEVEL_WARNING, "%s", message);
    log_set_request_id(NULL);
    log_open(STDERR_FILENO, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    close(ends[1]);
    char *line = g_malloc0(1024);
    assert_true(read(ends[0], line, 1023) > 0);
    close(ends[0]);
    return line;
}

static char *line_of(LogFormat format, const char *message)
{
    return line_with(format, message, NULL);
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
    g_autofree char *steering =
        line_of(LOG_FORMAT_JSON, "\x7f\xc2\x9b\xe2\x80\xae\xf3\xa0\x80\x81");
    assert_non_null(strstr(steering, "\"\\u007f\\u009b\\u202e\\udb40\\udc01\""));
    g_autoptr(Json) same = json_parse(bytes_of(steering, strlen(steering) - 1), NULL);
    assert_string_equal(json_member_text(same, "message"),
                        "\x7f\xc2\x9b\xe2\x80\xae\xf3\xa0\x80\x81");
    g_autofree char *with_text = line_with(LOG_FORMAT_JSON, "heading", "\xff");
    g_autoptr(Json) other = json_parse(bytes_of(with_text, strlen(with_text) - 1), NULL);
    assert_non_null(other);
    assert_string_equal(json_member_text(other, "text"), "\xef\xbf\xbd");
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

/* Lines for the journal have their priority, whatever their form: there it is taken off again. */
static void test_lines_of_any_form_have_a_priority_in_the_journal(void **state)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct stat status;
    assert_int_equal(fstat(ends[1], &status), 0);
    g_autofree char *stream =
        g_strdup_printf("%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    g_setenv("JOURNAL_STREAM", stream, TRUE);
    static const struct {
        LogFormat format;
        const char *form, *begin;
    } cases[] = {
        {LOG_FORMAT_TEXT, NULL, "<3>keylime.test: hello\n"},
        {LOG_FORMAT_TEXT, "%(levelname)s %(message)s", "<3>ERROR hello\n"},
        {LOG_FORMAT_JSON, NULL, "<3>{\"time\":"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *reason = NULL;
        LogSink sink = {.fd = ends[1], .format = cases[i].format, .level = LOG_LEVEL_INFO};
        if (cases[i].form)
            sink.line = log_line_parse(cases[i].form, "", NULL, &reason);
        log_open_sinks(&sink, 1);
        log_write("keylime.test", LOG_LEVEL_ERROR, "hello");
        char line[256] = "";
        assert_true(read(ends[0], line, sizeof line - 1) > 0);
        assert_ptr_equal(strstr(line, cases[i].begin), line);
    }
    g_unsetenv("JOURNAL_STREAM");
    log_open(STDERR_FILENO, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    close(ends[0]);
    close(ends[1]);
}

/* --- handlers ----------------------------------------------------------------------------------
 */

typedef struct {
    char *directory;
} Place;

static char *inside(const Place *place, const char *name)
{
    return g_build_filename(place->directory, name, NULL);
}

static char *content_of(const Place *place, const char *name)
{
    g_autofree char *path = inside(place, name);
    char *text = NULL;
    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    return text;
}

/* A logging.conf of this text, in which `DIR` is the place; NULL, or why it is refused. */
static char *start_with(const Place *place, const char *text)
{
    g_autofree char *path = inside(place, "logging.conf");
    g_auto(GStrv) parts = g_strsplit(text, "DIR", -1);
    g_autofree char *whole = g_strjoinv(place->directory, parts);
    assert_true(g_file_set_contents(path, whole, -1, NULL));
    g_setenv("KEYLIME_LOGGING_CONFIG", path, TRUE);
    g_autoptr(GError) error = NULL;
    return logging_start(STDERR_FILENO, false, &error) ? NULL : g_strdup(error->message);
}

static int make_place(void **state)
{
    Place *place = g_new0(Place, 1);
    place->directory = g_dir_make_tmp("keylime-logging-XXXXXX", NULL);
    *state = place;
    return place->directory ? 0 : -1;
}

static int drop_place(void **state)
{
    Place *place = *state;
    g_unsetenv("KEYLIME_LOGGING_CONFIG");
    log_open(STDERR_FILENO, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    GDir *directory = g_dir_open(place->directory, 0, NULL);
    for (const char *name = g_dir_read_name(directory); name; name = g_dir_read_name(directory)) {
        g_autofree char *path = inside(place, name);
        g_remove(path);
    }
    g_dir_close(directory);
    g_rmdir(place->directory);
    g_free(place->directory);
    g_free(place);
    return 0;
}

#define TWO_FILES                                                                                  \
    "[handlers]\nkeys = all,grave\n[formatters]\nkeys = brief\n[logger_root]\nlevel = DEBUG\n"     \
    "handlers = all, grave\n[handler_all]\nclass = FileHandler\nformatter = brief\n"               \
    "args = ('DIR/all.log',)\n[handler_grave]\nclass = logging.FileHandler\nlevel = ERROR\n"       \
    "formatter =\nargs = (\"DIR/grave.log\", 'a')\n[formatter_brief]\n"                            \
    "format = %(levelname)-5s|%(message)s\n"

static void test_each_handler_has_its_level_file_and_form(void **state)
{
    assert_null(start_with(*state, TWO_FILES));
    log_write("keylime.test", LOG_LEVEL_DEBUG, "small");
    log_write("keylime.test", LOG_LEVEL_ERROR, "large\n");
    g_autofree char *all = content_of(*state, "all.log");
    g_autofree char *grave = content_of(*state, "grave.log");
    assert_non_null(strstr(all, "DEBUG|small\nERROR|large\\n\n"));
    assert_true(g_str_has_suffix(grave, " - keylime.test - ERROR - large\\n\n"));
    assert_null(strstr(grave, "small"));
}

/* What logrotate needs: after SIGHUP the file of that name is the one that is written. */
static void test_files_are_opened_anew(void **state)
{
    assert_null(start_with(*state, TWO_FILES));
    g_autofree char *path = inside(*state, "all.log");
    g_autofree char *rotated = inside(*state, "all.log.1");
    log_write("keylime.test", LOG_LEVEL_ERROR, "before");
    assert_int_equal(g_rename(path, rotated), 0);
    log_write("keylime.test", LOG_LEVEL_ERROR, "still there");
    assert_true(logging_reload(NULL));
    log_write("keylime.test", LOG_LEVEL_ERROR, "after");
    g_autofree char *old = content_of(*state, "all.log.1");
    g_autofree char *new = content_of(*state, "all.log");
    assert_non_null(strstr(old, "still there"));
    assert_null(strstr(old, "after"));
    assert_string_equal(new, "ERROR|after\n");
}

static void test_mode_w_empties_the_file_at_the_start(void **state)
{
    static const char conf[] = "[handler_consoleHandler]\nclass = FileHandler\n"
                               "args = ('DIR/one(1).log', 'w')\n";
    assert_null(start_with(*state, conf));
    log_write("keylime.test", LOG_LEVEL_ERROR, "first");
    assert_true(logging_reload(NULL));
    g_autofree char *kept = content_of(*state, "one(1).log");
    assert_non_null(strstr(kept, "first"));
    assert_null(start_with(*state, conf));
    g_autofree char *emptied = content_of(*state, "one(1).log");
    assert_null(strstr(emptied, "first"));
}

static void test_a_logger_that_is_not_listed_does_not_count(void **state)
{
    assert_int_equal(level_of("[loggers]\nkeys = root\n[logger_keylime]\nlevel = DEBUG\n"),
                     LOG_LEVEL_INFO);
    assert_int_equal(level_of("[loggers]\nkeys = root,keylime\n[logger_keylime]\nlevel = DEBUG\n"),
                     LOG_LEVEL_DEBUG);
}

static void test_handlers_that_cannot_be_used_are_refused(void **state)
{
    static const struct {
        const char *text, *reason;
    } cases[] = {
        {"[logger_root]\nhandlers = other\n",
         "'other' must be in keys of [handlers], and have a section [handler_other]"},
        {"[handlers]\nkeys = other\n[logger_root]\nhandlers = other\n",
         "have a section [handler_other]"},
        {"[logger_root]\nhandlers = other\n[handler_other]\nlevel = INFO\n",
         "must be in keys of [handlers]"},
        {"[handler_consoleHandler]\nformatter = other\n",
         "must be in keys of [formatters], and have a section [formatter_other]"},
        {"[handler_consoleHandler]\nclass = FileHandler\n", "must be ('/path/of/the/file', 'a')"},
        {"[handler_consoleHandler]\nclass = FileHandler\nargs = ('/nowhere/at/all',)\n",
         "cannot make one in that directory"},
        {"[handler_consoleHandler]\nclass = FileHandler\nargs = ('DIR',)\n",
         "args = ('DIR',): Is a directory"},
        {"[handler_consoleHandler]\nclass = SysLogHandler\nargs = ('/dev/log', "
         "SysLogHandler.LOG_X)\n",
         "the facility must be one of syslog(3)'s"},
        {"[handler_consoleHandler]\nclass = SysLogHandler\nargs = (('host', 514),)\n",
         "the address must be '/dev/log'"},
        {"[formatter_formatter]\nformat = %(message\n", "'%(message' is no field"},
        {"[handlers]\nkeys = a,b,c,d,e\n[logger_root]\nhandlers = "
         "a,b,c,d,e\n[handler_a]\n[handler_b]\n"
         "[handler_c]\n[handler_d]\n[handler_e]\n",
         "more than 4 handlers are in use"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        const Place *place = *state;
        g_autofree char *refused = start_with(place, cases[i].text);
        g_auto(GStrv) parts = g_strsplit(cases[i].reason, "DIR", -1);
        g_autofree char *reason = g_strjoinv(place->directory, parts);
        if (!refused || !strstr(refused, reason))
            fail_msg("'%s' instead of '%s'", refused ? refused : "(taken)", reason);
    }
}

/* Said, and passed over: a file of upstream's loads. */
static void test_what_python_only_can_is_told(void **state)
{
    assert_null(start_with(
        *state, "[handlers]\nkeys = file,other\n[logger_root]\nhandlers = file,other\n"
                "[handler_file]\nclass = FileHandler\nargs = ('DIR/log',)\n"
                "[handler_other]\nclass = handlers.RotatingFileHandler\nlevel = CRITICAL\n"
                "[logger_keylime]\nqualname = keylime.web\n"
                "[formatter_formatter]\nformat = %(filename)s %(message)s\n"
                "[logger_web]\nlevel = DEBUG\n"));
    g_autofree char *log = content_of(*state, "log");
    for (const char *const *words =
             (const char *const[]){"%(filename) stands for nothing: there is no such field",
                                   "class = 'handlers.RotatingFileHandler' has no effect: only "
                                   "StreamHandler, FileHandler and "
                                   "SysLogHandler are supported",
                                   "qualname = 'keylime.web' has no effect",
                                   "unknown option 'level' in [logger_web]", NULL};
         *words; words++) {
        if (!strstr(log, *words))
            fail_msg("'%s' is missing in:\n%s", *words, log);
    }
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
        cmocka_unit_test(test_lines_of_any_form_have_a_priority_in_the_journal),
        cmocka_unit_test_setup_teardown(test_each_handler_has_its_level_file_and_form, make_place,
                                        drop_place),
        cmocka_unit_test_setup_teardown(test_files_are_opened_anew, make_place, drop_place),
        cmocka_unit_test_setup_teardown(test_mode_w_empties_the_file_at_the_start, make_place,
                                        drop_place),
        cmocka_unit_test(test_a_logger_that_is_not_listed_does_not_count),
        cmocka_unit_test_setup_teardown(test_handlers_that_cannot_be_used_are_refused, make_place,
                                        drop_place),
        cmocka_unit_test_setup_teardown(test_what_python_only_can_is_told, make_place, drop_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
