/* SPDX-License-Identifier: Apache-2.0 */
#include "config/logging.h"

#include "config/logging_handler.h"

#define LOG_NAME "keylime.config"
#include "base/log.h"

#include <string.h>
#include <unistd.h>

static const char *const level_words[] = {"CRITICAL", "FATAL", "ERROR",  "WARNING", "WARN",
                                          "INFO",     "DEBUG", "NOTSET", NULL};
static const char *const format_words[] = {"text", "json", NULL};

/* --- the table -------------------------------------------------------------------------------- */

#define ROW(section_, name_, type_, default_, ...)                                                 \
    {                                                                                              \
        .section = section_, .name = name_, .type = type_, .default_text = default_,               \
        .help = __VA_ARGS__                                                                        \
    }

static const Option usual_rows[] = {
    ROW("logging", "format", OPTION_WORD, "text",
        "Form of the lines: text, as the formatters say, or json for one JSON object a line.",
        .words = format_words),
    ROW("loggers", "keys", OPTION_LIST, "root,keylime",
        "Which of [logger_root] and [logger_keylime] count."),
    ROW("handlers", "keys", OPTION_LIST, "consoleHandler",
        "Names of handlers: places where lines go. Each has a section [handler_NAME]."),
    ROW("formatters", "keys", OPTION_LIST, "formatter",
        "Names of formatters: forms of lines. Each has a section [formatter_NAME]."),
    ROW("logger_root", "level", OPTION_WORD, "INFO", "Level where logger_keylime has none.",
        .words = level_words),
    ROW("logger_root", "handlers", OPTION_LIST, "consoleHandler", "Handlers of all lines."),
    ROW("logger_keylime", "level", OPTION_WORD, "NOTSET",
        "Level of all that the programs write; NOTSET leaves it to logger_root.",
        .words = level_words),
    ROW("logger_keylime", "qualname", OPTION_TEXT, "keylime",
        "keylime; lines of single parts cannot be told apart here."),
    ROW("logger_keylime", "handlers", OPTION_LIST, "", "Further handlers."),
};

static const Option handler_rows[] = {
    ROW(NULL, "class", OPTION_TEXT, "StreamHandler",
        "StreamHandler, FileHandler (opened anew at SIGHUP), or handlers.SysLogHandler."),
    ROW(NULL, "level", OPTION_WORD, "NOTSET", "Nothing below this level is written.",
        .words = level_words),
    ROW(NULL, "formatter", OPTION_TEXT, "formatter", "Name of a formatter."),
    ROW(NULL, "args", OPTION_TEXT, "",
        "StreamHandler: (sys.stdout,) or (sys.stderr,). FileHandler: ('/path/of/the/file', 'a'); "
        "'w' empties it at each start. SysLogHandler: ('/dev/log', SysLogHandler.LOG_DAEMON)."),
};

static const Option formatter_rows[] = {
    ROW(NULL, "format", OPTION_TEXT, LOG_LINE_FORMAT,
        "Fields: asctime, msecs, name, levelname, levelno, message, process, thread, reqid, "
        "reqidf."),
    ROW(NULL, "datefmt", OPTION_TEXT, LOG_LINE_DATES,
        "Form of asctime, as of strftime(3); empty adds milliseconds behind a comma."),
};

static void add_rows(GArray *rows, const char *section, const Option *more, guint count)
{
    for (guint i = 0; i < count; i++) {
        Option row = more[i];
        if (section)
            row.section = g_intern_string(section);
        g_array_append_val(rows, row);
    }
}

static int compare_texts(gconstpointer a, gconstpointer b)
{
    return strcmp(a, b);
}

/* The usual sections, and what the operator named otherwise. */
static Option *make_options(GHashTable *sections)
{
    GArray *rows = g_array_new(TRUE, TRUE, sizeof(Option));
    add_rows(rows, NULL, usual_rows, G_N_ELEMENTS(usual_rows));
    add_rows(rows, "handler_consoleHandler", handler_rows, G_N_ELEMENTS(handler_rows));
    add_rows(rows, "formatter_formatter", formatter_rows, G_N_ELEMENTS(formatter_rows));
    GList *names = sections ? g_list_sort(g_hash_table_get_keys(sections), compare_texts) : NULL;
    for (GList *item = names; item; item = item->next) {
        const char *name = item->data;
        if (g_str_has_prefix(name, "handler_") && strcmp(name, "handler_consoleHandler") != 0)
            add_rows(rows, name, handler_rows, G_N_ELEMENTS(handler_rows));
        if (g_str_has_prefix(name, "formatter_") && strcmp(name, "formatter_formatter") != 0)
            add_rows(rows, name, formatter_rows, G_N_ELEMENTS(formatter_rows));
    }
    g_list_free(names);
    return (Option *)(void *)g_array_free(rows, FALSE);
}

/* --- what it says ----------------------------------------------------------------------------- */

/* Python's words; NOTSET leaves the decision to `otherwise`. */
static LogLevel level_of(const Config *config, const char *section, LogLevel otherwise)
{
    const char *word = config_text(config, section, "level");
    LogLevel level = otherwise;
    if (strcmp(word, "FATAL") == 0)
        return LOG_LEVEL_CRITICAL;
    return strcmp(word, "NOTSET") != 0 && log_level_from_text(word, &level) ? level : otherwise;
}

static bool names(const Config *config, const char *section, const char *option, const char *name)
{
    return g_strv_contains(config_list(config, section, option), name);
}

static LogLevel logger_level(const Config *config)
{
    LogLevel root = level_of(config, "logger_root", LOG_LEVEL_DEBUG);
    return names(config, "loggers", "keys", "keylime") ? level_of(config, "logger_keylime", root)
                                                       : root;
}

/* Sections of the handlers that get lines, each once. */
static GPtrArray *handlers_of(const Config *config)
{
    static const char *const loggers[] = {"logger_root", "logger_keylime"};
    GPtrArray *found = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < G_N_ELEMENTS(loggers); i++) {
        const char *const *handlers = config_list(config, loggers[i], "handlers");
        for (; *handlers; handlers++) {
            char *section = g_strdup_printf("handler_%s", *handlers);
            if (g_ptr_array_find_with_equal_func(found, section, g_str_equal, NULL))
                g_free(section);
            else
                g_ptr_array_add(found, section);
        }
    }
    if (found->len == 0)
        g_ptr_array_add(found, g_strdup("handler_consoleHandler"));
    return found;
}

/* Each named handler is listed, and has a section. */
static void check_handlers(const Config *config, const char *logger, GPtrArray *problems)
{
    const char *const *handlers = config_list(config, logger, "handlers");
    for (; *handlers; handlers++) {
        g_autofree char *section = g_strdup_printf("handler_%s", *handlers);
        if (config_has_section(config, section) && names(config, "handlers", "keys", *handlers))
            continue;
        g_autofree char *allowed = g_strdup_printf(
            "'%s' must be in keys of [handlers], and have a section [%s]", *handlers, section);
        config_add_problem(config, problems, logger, "handlers", allowed);
    }
}

static void check(const Config *config, GPtrArray *problems)
{
    check_handlers(config, "logger_root", problems);
    check_handlers(config, "logger_keylime", problems);
    g_autoptr(GPtrArray) handlers = handlers_of(config);
    if (handlers->len > LOG_SINKS_MAX)
        config_add_problem(config, problems, "handlers", "keys", "more than 4 handlers are in use");
    for (guint i = 0; i < handlers->len; i++) {
        if (config_has_section(config, handlers->pdata[i]))
            logging_handler_check(config, handlers->pdata[i], problems);
    }
}

static const ConfigSchema schema = {
    .component = "logging",
    .format = CONFIG_INI,
    .program = "the log of every program",
    .summary = "Logging.",
    .make_options = make_options,
    .check = check,
};

const ConfigSchema *logging_schema(void)
{
    return &schema;
}

static void warn_unless_keylime(const Config *config)
{
    const char *name = config_text(config, "logger_keylime", "qualname");
    if (strcmp(name, "keylime") != 0)
        log_warning("%s: [logger_keylime] qualname = '%s' has no effect: must be keylime",
                    config_source(config, "logger_keylime", "qualname"), name);
}

/* --- start and reload ------------------------------------------------------------------------- */

static LogLevel handler_level(const Config *config, const char *section)
{
    return MIN(logger_level(config), level_of(config, section, LOG_LEVEL_TRACE));
}

/* Sections of the log's sinks, in their order: a reload may find the handlers in another one. */
static GPtrArray *opened;

/* Into `sinks`; how many there are, 0 and an error when one cannot be opened. */
static size_t open_handlers(const Config *config, const LoggingStreams *streams, LogSink *sinks,
                            GError **error)
{
    g_autoptr(GPtrArray) handlers = handlers_of(config);
    bool json = strcmp(config_text(config, NULL, "format"), "json") == 0;
    for (guint i = 0; i < handlers->len; i++) {
        const char *section = handlers->pdata[i];
        if (!logging_handler_open(config, section, streams, json, &sinks[i], error))
            return 0;
        sinks[i].level = handler_level(config, section);
    }
    return handlers->len;
}

bool logging_start(int usual, bool results, GError **error)
{
    LoggingStreams streams = {.usual = usual, .results = results};
    /* What there is to say about the file is said in the form that it asks for: it is read in
     * silence first. */
    log_set_level(LOG_LEVEL_CRITICAL);
    g_autoptr(Config) first = config_load(&schema, NULL, error);
    LogSink sinks[LOG_SINKS_MAX] = {0};
    size_t count = first ? open_handlers(first, &streams, sinks, error) : 0;
    log_set_level(LOG_LEVEL_INFO);
    if (count == 0)
        return false;
    log_open_sinks(sinks, count);
    g_clear_pointer(&opened, g_ptr_array_unref);
    opened = handlers_of(first);
    g_autoptr(Config) config = config_load(&schema, NULL, error);
    if (!config)
        return false;
    warn_unless_keylime(config);
    g_autoptr(GPtrArray) handlers = handlers_of(config);
    for (guint i = 0; i < handlers->len; i++)
        logging_handler_warn(config, handlers->pdata[i]);
    return true;
}

Config *logging_examine(GError **error)
{
    return config_examine(&schema, NULL, error);
}

bool logging_reload(GError **error)
{
    g_autoptr(Config) config = config_load(&schema, NULL, error);
    if (!config)
        return false;
    g_autoptr(GPtrArray) handlers = handlers_of(config);
    for (guint i = 0; i < handlers->len; i++) {
        const char *section = handlers->pdata[i];
        guint sink;
        if (!g_ptr_array_find_with_equal_func(opened, section, g_str_equal, &sink)) {
            log_warning("[%s] is new: it gets lines from the next start on", section);
            continue;
        }
        int file = logging_handler_open_file(config, section, error);
        if (file == LOGGING_FILE_FAILED)
            return false;
        if (file >= 0)
            log_replace_file(sink, file);
        log_set_sink_level(sink, handler_level(config, section));
    }
    return true;
}
