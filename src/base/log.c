/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/json.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct {
    int fd;
    LogFormat format;
    gint level;
} sink = {STDERR_FILENO, LOG_FORMAT_TEXT, LOG_LEVEL_INFO};

static _Thread_local const char *current_request_id;

/* Some requests' lines; what fits a pipe's atomic write. */
#define GATHERED_MAX 4096
static _Thread_local struct {
    bool on;
    size_t size;
    char lines[GATHERED_MAX];
} gathered;

static const struct {
    const char *name;
    int priority; /* syslog's */
} levels[] = {
    [LOG_LEVEL_CRITICAL] = {"CRITICAL", 2}, [LOG_LEVEL_ERROR] = {"ERROR", 3},
    [LOG_LEVEL_WARNING] = {"WARNING", 4},   [LOG_LEVEL_INFO] = {"INFO", 6},
    [LOG_LEVEL_DEBUG] = {"DEBUG", 7},       [LOG_LEVEL_TRACE] = {"TRACE", 7},
};

bool log_is_journal(int fd)
{
    const char *stream = g_getenv("JOURNAL_STREAM");
    struct stat status;
    if (!stream || fstat(fd, &status) != 0)
        return false;
    g_autofree char *ours =
        g_strdup_printf("%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    return strcmp(stream, ours) == 0;
}

void log_open(int fd, LogFormat format, LogLevel level)
{
    sink.fd = fd;
    sink.format = format == LOG_FORMAT_TEXT && log_is_journal(fd) ? LOG_FORMAT_JOURNAL : format;
    log_set_level(level);
}

void log_set_level(LogLevel level)
{
    g_atomic_int_set(&sink.level, (gint)level);
}

bool log_enabled(LogLevel level)
{
    return (gint)level <= g_atomic_int_get(&sink.level);
}

bool log_level_from_text(const char *text, LogLevel *out)
{
    if (g_ascii_strcasecmp(text, "warn") == 0) {
        *out = LOG_LEVEL_WARNING;
        return true;
    }
    for (guint i = 0; i < G_N_ELEMENTS(levels); i++) {
        if (g_ascii_strcasecmp(text, levels[i].name) == 0) {
            *out = (LogLevel)i;
            return true;
        }
    }
    return false;
}

void log_set_request_id(const char *request_id)
{
    current_request_id = request_id;
}

/* Local time with milliseconds. The text of a second is worked out once a thread: a busy server
 * writes thousands of lines in it. */
static void append_time(GString *line, char separator)
{
    static _Thread_local struct {
        time_t second;
        char separator, text[32];
    } last;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != last.second || separator != last.separator) {
        struct tm parts;
        localtime_r(&now.tv_sec, &parts);
        strftime(last.text, sizeof last.text, "%Y-%m-%d %H:%M:%S", &parts);
        last.text[strlen("2026-11-24")] = separator;
        last.second = now.tv_sec;
        last.separator = separator;
    }
    g_string_append(line, last.text);
    char fraction[8];
    g_snprintf(fraction, sizeof fraction, ".%03d", (int)(now.tv_nsec / 1000000));
    g_string_append(line, fraction);
}

static void append_json_line(GString *line, const char *name, LogLevel level, const char *message,
                             const char *text)
{
    g_autoptr(Json) record = json_object_new_object();
    g_autoptr(GString) time = g_string_new(NULL);
    g_autofree char *valid = g_utf8_make_valid(message, -1);
    append_time(time, 'T');
    json_add_text(record, "time", time->str);
    json_add_text(record, "level", levels[level].name);
    json_add_text(record, "logger", name);
    if (current_request_id && *current_request_id)
        json_add_text(record, "request_id", current_request_id);
    json_add_text(record, "message", valid);
    if (text)
        json_add_text(record, "text", text);
    g_autofree char *serialised = json_to_text(record);
    g_string_append(line, serialised);
}

/* A peer's text inside a message must not be able to forge a line of the log. */
static void append_on_one_line(GString *line, const char *message)
{
    const char *plain = message;
    for (const char *c = message;; c++) {
        bool control = ((guchar)*c < 0x20 && *c != '\t') || *c == 0x7f;
        if (!control)
            continue;
        g_string_append_len(line, plain, c - plain);
        if (*c == '\0')
            return;
        if (*c == '\n')
            g_string_append(line, "\\n");
        else
            g_string_append_printf(line, "\\x%02x", (guchar)*c);
        plain = c + 1;
    }
}

static void append_text_line(GString *line, const char *name, LogLevel level, const char *message)
{
    if (sink.format == LOG_FORMAT_JOURNAL) {
        g_string_append_printf(line, "<%d>%s: ", levels[level].priority, name);
    } else {
        append_time(line, ' ');
        const char *parts[] = {" - ", name, " - ", levels[level].name, " - "};
        for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
            g_string_append(line, parts[i]);
    }
    if (current_request_id && *current_request_id)
        g_string_append_printf(line, "(reqid=%s) ", current_request_id);
    append_on_one_line(line, message);
}

static int write_error; /* errno, see log_write_error() */

/* A log that cannot be written is no reason to stop. Whoever writes results into it asks
 * log_write_error() at the end. */
static void write_out(const char *lines, size_t size)
{
    ssize_t written = size > 0 ? write(sink.fd, lines, size) : 0;
    if (written < 0 || (size_t)written < size)
        g_atomic_int_compare_and_exchange(&write_error, 0, written < 0 ? errno : ENOSPC);
}

int log_write_error(void)
{
    return g_atomic_int_get(&write_error);
}

static void write_gathered(void)
{
    write_out(gathered.lines, gathered.size);
    gathered.size = 0;
}

static void write_lines(LogLevel level, const GString *lines)
{
    if (lines->len > GATHERED_MAX - gathered.size)
        write_gathered();
    if (!gathered.on || lines->len > GATHERED_MAX) {
        write_out(lines->str, lines->len);
        return;
    }
    memcpy(gathered.lines + gathered.size, lines->str, lines->len);
    gathered.size += lines->len;
    if (level <= LOG_LEVEL_WARNING)
        write_gathered();
}

void log_gather(void)
{
    gathered.on = true;
}

void log_gather_end(void)
{
    write_gathered();
    gathered.on = false;
}

static void write_record(const char *name, LogLevel level, const char *message, const char *text)
{
    g_autoptr(GString) line = g_string_sized_new(256);
    if (sink.format == LOG_FORMAT_JSON) {
        append_json_line(line, name, level, message, text);
    } else {
        append_text_line(line, name, level, message);
        if (text) {
            g_string_append_c(line, '\n');
            append_on_one_line(line, text);
        }
    }
    g_string_append_c(line, '\n');
    write_lines(level, line);
}

void log_write(const char *name, LogLevel level, const char *format, ...)
{
    if (!log_enabled(level))
        return;
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    write_record(name, level, message, NULL);
}

void log_write_text(const char *name, LogLevel level, const char *heading, const char *text)
{
    if (log_enabled(level))
        write_record(name, level, heading, text);
}
