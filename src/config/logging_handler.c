/* SPDX-License-Identifier: Apache-2.0 */
#include "config/logging_handler.h"

#define LOG_NAME "keylime.config"
#include "base/log_line.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#define SYSLOG_SOCKET "/dev/log"
#define FILE_MODE 0640

typedef enum { HANDLER_STREAM, HANDLER_FILE, HANDLER_SYSLOG, HANDLER_OTHER } HandlerKind;

static const struct {
    const char *word;
    int facility;
} facilities[] = {
    {"KERN", LOG_KERN},     {"USER", LOG_USER},     {"MAIL", LOG_MAIL},
    {"DAEMON", LOG_DAEMON}, {"AUTH", LOG_AUTH},     {"SYSLOG", LOG_SYSLOG},
    {"LOCAL0", LOG_LOCAL0}, {"LOCAL1", LOG_LOCAL1}, {"LOCAL2", LOG_LOCAL2},
    {"LOCAL3", LOG_LOCAL3}, {"LOCAL4", LOG_LOCAL4}, {"LOCAL5", LOG_LOCAL5},
    {"LOCAL6", LOG_LOCAL6}, {"LOCAL7", LOG_LOCAL7}, {"AUTHPRIV", LOG_AUTHPRIV},
};

/* --- class and args --------------------------------------------------------------------------- */

static const char *last_part(const char *dotted)
{
    const char *dot = strrchr(dotted, '.');
    return dot ? dot + 1 : dotted;
}

static HandlerKind kind_of(const Config *config, const char *section)
{
    const char *name = last_part(config_text(config, section, "class"));
    if (strcmp(name, "StreamHandler") == 0)
        return HANDLER_STREAM;
    if (strcmp(name, "FileHandler") == 0 || strcmp(name, "WatchedFileHandler") == 0)
        return HANDLER_FILE;
    return strcmp(name, "SysLogHandler") == 0 ? HANDLER_SYSLOG : HANDLER_OTHER;
}

/* The elements of a Python tuple, texts without their quotes: `('/x', 'a')`, `(sys.stdout,)`. */
static char **args_of(const Config *config, const char *section)
{
    g_autofree char *text = g_strstrip(g_strdup(config_text(config, section, "args")));
    size_t length = strlen(text);
    bool tuple = length >= 2 && text[0] == '(' && text[length - 1] == ')';
    if (tuple)
        text[length - 1] = '\0';
    char **elements = g_strsplit(text + tuple, ",", -1);
    for (guint i = 0; elements[i]; i++) {
        char *element = g_strstrip(elements[i]);
        size_t size = strlen(element);
        if (size >= 2 && (*element == '\'' || *element == '"') && element[size - 1] == *element) {
            element[size - 1] = '\0';
            memmove(element, element + 1, size - 1);
        }
    }
    return elements;
}

/* Element `index`, "" where there is none. */
static const char *arg(char *const *elements, guint index)
{
    return g_strv_length((char **)elements) > index ? elements[index] : "";
}

/* -1: neither of both; what Python's own default is counts as `usual`. */
static int stream_of(const Config *config, const char *section, int usual)
{
    g_auto(GStrv) elements = args_of(config, section);
    if (*arg(elements, 0) == '\0')
        return usual;
    if (strcmp(elements[0], "sys.stdout") == 0)
        return STDOUT_FILENO;
    return strcmp(elements[0], "sys.stderr") == 0 ? STDERR_FILENO : -1;
}

/* Of `SysLogHandler.LOG_DAEMON`; -1: none. */
static int facility_of(const char *word)
{
    const char *name = last_part(word);
    if (*name == '\0')
        return LOG_USER;
    for (guint i = 0; i < G_N_ELEMENTS(facilities); i++) {
        if (g_str_has_prefix(name, "LOG_") && strcmp(name + 4, facilities[i].word) == 0)
            return facilities[i].facility;
    }
    return -1;
}

/* The section, newly allocated; NULL: the handler names none. */
static char *formatter_of(const Config *config, const char *section)
{
    const char *name = config_text(config, section, "formatter");
    return *name ? g_strdup_printf("formatter_%s", name) : NULL;
}

/* --- checks ----------------------------------------------------------------------------------- */

/* NULL: the file can be appended to, or made. */
static const char *file_problem(const char *path)
{
    if (*path == '\0')
        return "must be ('/path/of/the/file', 'a')";
    if (access(path, F_OK) == 0)
        return access(path, W_OK) == 0 ? NULL : "the file cannot be written by this user";
    g_autofree char *directory = g_path_get_dirname(path);
    return access(directory, W_OK | X_OK) == 0
               ? NULL
               : "the file is not there, and this user cannot make one in that directory";
}

static const char *args_problem(const Config *config, const char *section)
{
    g_auto(GStrv) elements = args_of(config, section);
    switch (kind_of(config, section)) {
    case HANDLER_FILE:
        return file_problem(arg(elements, 0));
    case HANDLER_SYSLOG:
        if (*arg(elements, 0) && strcmp(elements[0], SYSLOG_SOCKET) != 0)
            return "the address must be '" SYSLOG_SOCKET "'";
        return facility_of(arg(elements, 1)) >= 0 ? NULL
                                                  : "the facility must be one of syslog(3)'s, such "
                                                    "as SysLogHandler.LOG_DAEMON";
    case HANDLER_STREAM:
    case HANDLER_OTHER:
        break;
    }
    return NULL;
}

static LogLine *line_of(const Config *config, const char *formatter, GPtrArray *unknown,
                        char **reason)
{
    return log_line_parse(config_text(config, formatter, "format"),
                          config_text(config, formatter, "datefmt"), unknown, reason);
}

static void check_formatter(const Config *config, const char *section, GPtrArray *problems)
{
    g_autofree char *formatter = formatter_of(config, section);
    if (!formatter)
        return;
    const char *name = formatter + strlen("formatter_");
    if (!config_has_section(config, formatter) ||
        !g_strv_contains(config_list(config, "formatters", "keys"), name)) {
        g_autofree char *allowed =
            g_strdup_printf("must be in keys of [formatters], and have a section [%s]", formatter);
        config_add_problem(config, problems, section, "formatter", allowed);
        return;
    }
    g_autoptr(GPtrArray) unknown = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *reason = NULL;
    g_autoptr(LogLine) line = line_of(config, formatter, unknown, &reason);
    if (!line)
        config_add_problem(config, problems, formatter, "format", reason);
}

void logging_handler_check(const Config *config, const char *section, GPtrArray *problems)
{
    const char *wrong = args_problem(config, section);
    if (wrong)
        config_add_problem(config, problems, section, "args", wrong);
    check_formatter(config, section, problems);
}

static void warn_no_effect(const Config *config, const char *section, const char *option,
                           const char *why)
{
    log_warning("%s: [%s] %s = '%s' has no effect: %s", config_source(config, section, option),
                section, option, config_text(config, section, option), why);
}

void logging_handler_warn(const Config *config, const char *section)
{
    if (kind_of(config, section) == HANDLER_OTHER)
        warn_no_effect(config, section, "class",
                       "only StreamHandler, FileHandler and SysLogHandler are supported");
    if (kind_of(config, section) == HANDLER_STREAM && stream_of(config, section, STDERR_FILENO) < 0)
        warn_no_effect(config, section, "args",
                       "only (sys.stdout,) and (sys.stderr,) are supported");
    g_autofree char *formatter = formatter_of(config, section);
    g_autoptr(GPtrArray) unknown = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *reason = NULL;
    g_autoptr(LogLine) line = formatter ? line_of(config, formatter, unknown, &reason) : NULL;
    for (guint i = 0; i < unknown->len; i++)
        log_warning("%s: %%(%s) stands for nothing: there is no such field",
                    config_source(config, formatter, "format"), (const char *)unknown->pdata[i]);
}

/* --- opening ---------------------------------------------------------------------------------- */

static int open_file(const Config *config, const char *section, bool may_empty, GError **error)
{
    g_auto(GStrv) elements = args_of(config, section);
    bool empty = may_empty && strcmp(arg(elements, 1), "w") == 0;
    int fd = open(elements[0], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | (empty ? O_TRUNC : 0),
                  FILE_MODE);
    if (fd >= 0)
        return fd;
    g_set_error(error, CONFIG_ERROR, CONFIG_ERROR_VALUE, "%s: [%s] args = %s: %s",
                config_source(config, section, "args"), section,
                config_text(config, section, "args"), g_strerror(errno));
    return LOGGING_FILE_FAILED;
}

int logging_handler_open_file(const Config *config, const char *section, GError **error)
{
    return kind_of(config, section) == HANDLER_FILE ? open_file(config, section, false, error)
                                                    : LOGGING_FILE_NONE;
}

static bool open_syslog(const Config *config, const char *section, LogSink *out, GError **error)
{
    g_auto(GStrv) elements = args_of(config, section);
    out->format = LOG_FORMAT_SYSLOG;
    out->facility = facility_of(arg(elements, 1));
    out->address = SYSLOG_SOCKET;
    out->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (out->fd >= 0)
        return true;
    g_set_error(error, CONFIG_ERROR, CONFIG_ERROR_VALUE, "[%s]: no socket for syslog: %s", section,
                g_strerror(errno));
    return false;
}

static void open_stream(const Config *config, const char *section, const LoggingStreams *streams,
                        LogSink *out)
{
    int stream = kind_of(config, section) == HANDLER_STREAM
                     ? stream_of(config, section, streams->usual)
                     : streams->usual;
    out->fd = stream < 0 ? streams->usual : stream;
    if (out->fd == STDOUT_FILENO && streams->results)
        out->fd = STDERR_FILENO;
}

/* NULL for the shipped form, which the journal replaces by its own. */
static LogLine *own_line(const Config *config, const char *section)
{
    g_autofree char *formatter = formatter_of(config, section);
    g_autoptr(GPtrArray) unknown = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *reason = NULL;
    if (!formatter || (strcmp(config_text(config, formatter, "format"), LOG_LINE_FORMAT) == 0 &&
                       strcmp(config_text(config, formatter, "datefmt"), LOG_LINE_DATES) == 0))
        return NULL;
    return line_of(config, formatter, unknown, &reason);
}

bool logging_handler_open(const Config *config, const char *section, const LoggingStreams *streams,
                          bool json, LogSink *out, GError **error)
{
    *out = (LogSink){.format = json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT};
    HandlerKind kind = kind_of(config, section);
    if (kind == HANDLER_FILE)
        out->fd = open_file(config, section, true, error);
    else if (kind == HANDLER_SYSLOG && !open_syslog(config, section, out, error))
        return false;
    else if (kind != HANDLER_SYSLOG)
        open_stream(config, section, streams, out);
    out->is_file = kind == HANDLER_FILE;
    out->line = own_line(config, section);
    return out->fd >= 0;
}
