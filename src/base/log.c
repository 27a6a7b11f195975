/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static struct {
    LogSink sinks[LOG_SINKS_MAX];
    bool to_journal[LOG_SINKS_MAX];
    size_t count;
    gint level; /* of the most talkative one */
} output = {
    .sinks = {{.fd = STDERR_FILENO, .format = LOG_FORMAT_TEXT, .level = LOG_LEVEL_INFO}},
    .count = 1,
    .level = LOG_LEVEL_INFO,
};

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
    int number;   /* Python's */
} levels[] = {
    [LOG_LEVEL_CRITICAL] = {"CRITICAL", 2, 50}, [LOG_LEVEL_ERROR] = {"ERROR", 3, 40},
    [LOG_LEVEL_WARNING] = {"WARNING", 4, 30},   [LOG_LEVEL_INFO] = {"INFO", 6, 20},
    [LOG_LEVEL_DEBUG] = {"DEBUG", 7, 10},       [LOG_LEVEL_TRACE] = {"TRACE", 7, 5},
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
    LogSink sink = {.fd = fd, .format = format, .level = level};
    log_open_sinks(&sink, 1);
}

static void note_levels(void)
{
    LogLevel level = LOG_LEVEL_CRITICAL;
    for (size_t i = 0; i < output.count; i++)
        level = MAX(level, output.sinks[i].level);
    g_atomic_int_set(&output.level, (gint)level);
}

void log_open_sinks(const LogSink *sinks, size_t count)
{
    g_assert(count >= 1 && count <= LOG_SINKS_MAX);
    for (size_t i = 0; i < output.count; i++)
        log_line_free(output.sinks[i].line);
    output.count = count;
    for (size_t i = 0; i < count; i++) {
        LogSink *sink = &output.sinks[i];
        *sink = sinks[i];
        output.to_journal[i] = sink->format != LOG_FORMAT_SYSLOG && log_is_journal(sink->fd);
        if (sink->format == LOG_FORMAT_TEXT && !sink->line && output.to_journal[i])
            sink->format = LOG_FORMAT_JOURNAL;
    }
    note_levels();
}

void log_replace_file(size_t index, int fd)
{
    if (index < output.count && output.sinks[index].is_file)
        dup3(fd, output.sinks[index].fd, O_CLOEXEC);
    close(fd);
}

void log_set_sink_level(size_t index, LogLevel level)
{
    if (index >= output.count)
        return;
    g_atomic_int_set((gint *)&output.sinks[index].level, (gint)level);
    note_levels();
}

void log_set_level(LogLevel level)
{
    for (size_t i = 0; i < output.count; i++)
        log_set_sink_level(i, level);
}

bool log_enabled(LogLevel level)
{
    return (gint)level <= g_atomic_int_get(&output.level);
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

static void append_json(GString *out, const LogRecord *record, const char *text)
{
    g_autoptr(Json) object = json_object_new_object();
    g_autoptr(GString) time = g_string_new(NULL);
    g_autofree char *valid = g_utf8_make_valid(record->message, -1);
    g_autofree char *valid_text = text ? g_utf8_make_valid(text, -1) : NULL;
    log_line_append_time(record, "%Y-%m-%dT%H:%M:%S", time);
    g_string_append_c(time, '.');
    log_line_append_milliseconds(record, time);
    json_add_text(object, "time", time->str);
    json_add_text(object, "level", record->level);
    json_add_text(object, "logger", record->name);
    if (*record->request_id)
        json_add_text(object, "request_id", record->request_id);
    json_add_text(object, "message", valid);
    if (valid_text)
        json_add_text(object, "text", valid_text);
    g_autofree char *serialised = json_to_text(object);
    log_line_append_json(out, serialised);
}

static gpointer make_line(gpointer format)
{
    char *reason = NULL;
    return log_line_parse(format, LOG_LINE_DATES, NULL, &reason);
}

/* The form of upstream's shipped file, and what the journal needs of it. */
static const LogLine *usual_line(LogFormat format)
{
    static GOnce once[2] = {G_ONCE_INIT, G_ONCE_INIT};
    bool journal = format == LOG_FORMAT_JOURNAL || format == LOG_FORMAT_SYSLOG;
    static char *const forms[] = {(char *)LOG_LINE_FORMAT, (char *)"%(name)s: %(message)s"};
    return g_once(&once[journal], make_line, forms[journal]);
}

static void append_record(GString *out, const LogSink *sink, bool to_journal,
                          const LogRecord *record, LogLevel level, const char *text)
{
    g_autofree char *priority =
        sink->format == LOG_FORMAT_SYSLOG
            ? g_strdup_printf("<%d>", sink->facility | levels[level].priority)
        : to_journal || sink->format == LOG_FORMAT_JOURNAL
            ? g_strdup_printf("<%d>", levels[level].priority)
            : g_strdup("");
    g_string_append(out, priority);
    if (sink->format == LOG_FORMAT_JSON) {
        append_json(out, record, text);
    } else {
        log_line_append(sink->line ? sink->line : usual_line(sink->format), record, out);
        if (text) {
            g_string_append_printf(out, "\n%s", priority);
            log_line_append_text(out, text);
        }
    }
    if (sink->format != LOG_FORMAT_SYSLOG)
        g_string_append_c(out, '\n');
}

static int output_error; /* errno, see log_output_error() */

/* A log that cannot be written is no reason to stop. Whoever writes results into it asks
 * log_output_error() at the end. */
static void write_out(int fd, const char *lines, size_t size)
{
    ssize_t written = size > 0 ? write(fd, lines, size) : 0;
    if (fd == STDOUT_FILENO && (written < 0 || (size_t)written < size))
        g_atomic_int_compare_and_exchange(&output_error, 0, written < 0 ? errno : ENOSPC);
}

/* Not connected: a daemon that was started anew gets the next line. */
static void send_out(const LogSink *sink, const GString *line)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    g_strlcpy(address.sun_path, sink->address, sizeof address.sun_path);
    sendto(sink->fd, line->str, line->len, MSG_NOSIGNAL, (struct sockaddr *)&address,
           sizeof address);
}

int log_output_error(void)
{
    return g_atomic_int_get(&output_error);
}

static void write_gathered(void)
{
    write_out(output.sinks[0].fd, gathered.lines, gathered.size);
    gathered.size = 0;
}

/* Of the first sink: lines of a request are written together. */
static void write_lines(LogLevel level, const GString *lines)
{
    if (lines->len > GATHERED_MAX - gathered.size)
        write_gathered();
    if (!gathered.on || lines->len > GATHERED_MAX) {
        write_out(output.sinks[0].fd, lines->str, lines->len);
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

static void write_to(size_t index, LogLevel level, const LogRecord *record, const char *text)
{
    const LogSink *sink = &output.sinks[index];
    g_autoptr(GString) line = g_string_sized_new(256);
    append_record(line, sink, output.to_journal[index], record, level, text);
    if (sink->format == LOG_FORMAT_SYSLOG)
        send_out(sink, line);
    else if (index == 0)
        write_lines(level, line);
    else
        write_out(sink->fd, line->str, line->len);
}

static void write_record(const char *name, LogLevel level, const char *message, const char *text)
{
    LogRecord record = {.name = name,
                        .level = levels[level].name,
                        .level_number = levels[level].number,
                        .message = message,
                        .request_id = current_request_id ? current_request_id : ""};
    clock_gettime(CLOCK_REALTIME, &record.time);
    for (size_t i = 0; i < output.count; i++) {
        if ((gint)level <= g_atomic_int_get((gint *)&output.sinks[i].level))
            write_to(i, level, &record, text);
    }
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
