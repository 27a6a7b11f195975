/* SPDX-License-Identifier: Apache-2.0 */
#include "config/logging.h"

#define LOG_NAME "keylime.config"
#include "base/log.h"

#include <string.h>
#include <unistd.h>

#define SHIPPED_FORMAT "%(asctime)s.%(msecs)03d - %(name)s - %(levelname)s - %(message)s"
#define SHIPPED_DATES "%Y-%m-%d %H:%M:%S"

static const char *const level_words[] = {"CRITICAL", "FATAL", "ERROR",  "WARNING", "WARN",
                                          "INFO",     "DEBUG", "NOTSET", NULL};
static const char *const format_words[] = {"text", "json", NULL};

static const Option options[] = {
    {.section = "logging",
     .name = "format",
     .type = OPTION_WORD,
     .default_text = "text",
     .words = format_words,
     .help = "Form of the lines: text, or json for one JSON object a line."},
    {.section = "loggers", .name = "keys", .pull_only = true},
    {.section = "handlers",
     .name = "keys",
     .type = OPTION_TEXT,
     .default_text = "consoleHandler",
     .help = "Only consoleHandler has an effect."},
    {.section = "formatters", .name = "keys", .pull_only = true},
    {.section = "formatter_formatter",
     .name = "format",
     .type = OPTION_TEXT,
     .default_text = SHIPPED_FORMAT,
     .help = "Only the shipped form has an effect."},
    {.section = "formatter_formatter",
     .name = "datefmt",
     .type = OPTION_TEXT,
     .default_text = SHIPPED_DATES,
     .help = "Only the shipped form has an effect."},
    {.section = "logger_root",
     .name = "level",
     .type = OPTION_WORD,
     .default_text = "INFO",
     .words = level_words,
     .help = "Level where logger_keylime has none."},
    {.section = "logger_root", .name = "handlers", .pull_only = true},
    {.section = "handler_consoleHandler",
     .name = "class",
     .type = OPTION_TEXT,
     .default_text = "StreamHandler",
     .help = "Only StreamHandler has an effect."},
    {.section = "handler_consoleHandler",
     .name = "level",
     .type = OPTION_WORD,
     .default_text = "NOTSET",
     .words = level_words,
     .help = "Nothing below this level is written."},
    {.section = "handler_consoleHandler", .name = "formatter", .pull_only = true},
    {.section = "handler_consoleHandler",
     .name = "args",
     .type = OPTION_TEXT,
     .default_text = "",
     .help = "(sys.stdout,) or (sys.stderr,)."},
    {.section = "logger_keylime",
     .name = "level",
     .type = OPTION_WORD,
     .default_text = "NOTSET",
     .words = level_words,
     .help = "Level of all that the programs write."},
    {.section = "logger_keylime", .name = "qualname", .pull_only = true},
    {.section = "logger_keylime", .name = "handlers", .pull_only = true},
    {0},
};

static const ConfigSchema schema = {
    .component = "logging",
    .format = CONFIG_INI,
    .options = options,
    .program = "keylime",
    .summary = "Logging.",
};

/* Python's words; NOTSET leaves the decision to `otherwise`. */
static LogLevel level_of(const Config *config, const char *section, LogLevel otherwise)
{
    const char *word = config_text(config, section, "level");
    LogLevel level = otherwise;
    if (strcmp(word, "FATAL") == 0)
        return LOG_LEVEL_CRITICAL;
    return strcmp(word, "NOTSET") != 0 && log_level_from_text(word, &level) ? level : otherwise;
}

static LogLevel effective_level(const Config *config)
{
    LogLevel root = level_of(config, "logger_root", LOG_LEVEL_DEBUG);
    LogLevel keylime = level_of(config, "logger_keylime", root);
    LogLevel handler = level_of(config, "handler_consoleHandler", LOG_LEVEL_TRACE);
    return MIN(keylime, handler);
}

static void warn_unless(const Config *config, const char *section, const char *name,
                        const char *supported)
{
    const char *value = config_text(config, section, name);
    if (config_is_set(config, section, name) && strcmp(value, supported) != 0)
        log_warning("%s: [%s] %s = '%s' has no effect: only '%s' is supported",
                    config_source(config, section, name), section, name, value, supported);
}

/* Upstream evaluates `args` as a program; here it is one of two known texts, or nothing: -1. */
static int stream_of(const Config *config)
{
    g_auto(GStrv) words =
        g_strsplit_set(config_text(config, "handler_consoleHandler", "args"), "(), ", -1);
    g_autofree char *stream = g_strjoinv("", words);
    if (strcmp(stream, "sys.stdout") == 0)
        return STDOUT_FILENO;
    return strcmp(stream, "sys.stderr") == 0 ? STDERR_FILENO : -1;
}

static void warn_unsupported(const Config *config)
{
    const char *format = config_text(config, "formatter_formatter", "format");
    /* The request id, which upstream's release 2.4 meant to append, is always part of a line. */
    if (strcmp(format, SHIPPED_FORMAT " %(reqidf)s") != 0)
        warn_unless(config, "formatter_formatter", "format", SHIPPED_FORMAT);
    warn_unless(config, "formatter_formatter", "datefmt", SHIPPED_DATES);
    warn_unless(config, "handlers", "keys", "consoleHandler");
    warn_unless(config, "handler_consoleHandler", "class", "StreamHandler");
    if (stream_of(config) < 0)
        warn_unless(config, "handler_consoleHandler", "args", "(sys.stdout,) or (sys.stderr,)");
}

static LogFormat format_of(const char *word)
{
    return g_ascii_strcasecmp(word, "json") == 0 ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT;
}

bool logging_start(const char *component, GError **error)
{
    /* What there is to say about the file is said in the form that it asks for: it is read in
     * silence first. */
    log_set_level(LOG_LEVEL_CRITICAL);
    g_autoptr(Config) first = config_load(&schema, NULL, error);
    if (!first)
        return false;
    int stream = stream_of(first);
    int otherwise = strcmp(component, "tenant") == 0 ? STDOUT_FILENO : STDERR_FILENO;
    log_open(stream < 0 ? otherwise : stream, format_of(config_text(first, NULL, "format")),
             effective_level(first));
    g_autoptr(Config) config = config_load(&schema, NULL, error);
    if (!config)
        return false;
    warn_unsupported(config);
    return true;
}

Config *logging_examine(GError **error)
{
    return config_examine(&schema, NULL, error);
}

bool logging_reload(const char *component, GError **error)
{
    g_autoptr(Config) config = config_load(&schema, NULL, error);
    if (!config)
        return false;
    log_set_level(effective_level(config));
    return true;
}

/* --- the agent -----------------------------------------------------------------------------------
 */

/* Targets are module paths and match by their beginning: `keylime` covers both programs. */
static bool is_agent_target(const char *target)
{
    static const char *const names[] = {"keylime", "keylime_push_model_agent", "keylime_agent"};
    const char *end = strstr(target, "::");
    size_t size = end ? (size_t)(end - target) : strlen(target);
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strlen(names[i]) == size && strncmp(target, names[i], size) == 0)
            return true;
    }
    return false;
}

/* `off` is the least there is: what ends the program is still said. */
static bool rust_level(const char *word, LogLevel *out)
{
    if (g_ascii_strcasecmp(word, "off") == 0) {
        *out = LOG_LEVEL_CRITICAL;
        return true;
    }
    return log_level_from_text(word, out);
}

/* One of `level`, `target`, `target=level`. The most talkative one for a target of ours counts. */
static void take_directive(const char *directive, int *general, int *own, GPtrArray *unknown)
{
    g_auto(GStrv) parts = g_strsplit(directive, "=", 2);
    LogLevel level = LOG_LEVEL_TRACE;
    bool has_level = parts[0] && parts[1];
    if (has_level && !rust_level(parts[1], &level))
        g_ptr_array_add(unknown, g_strdup(directive));
    else if (has_level && is_agent_target(parts[0]))
        *own = MAX(*own, (int)level);
    else if (!has_level && rust_level(directive, &level))
        *general = (int)level;
    else if (!has_level && is_agent_target(directive))
        *own = (int)LOG_LEVEL_TRACE;
    /* Any other target belongs to a library that the agent upstream is built from. */
}

bool logging_start_agent(GError **error)
{
    const char *format = g_getenv("KEYLIME_LOGGING_FORMAT");
    if (format && *format && !g_strv_contains(format_words, format)) {
        g_set_error(error, CONFIG_ERROR, CONFIG_ERROR_VALUE,
                    "KEYLIME_LOGGING_FORMAT: '%s': must be text or json", format);
        return false;
    }
    g_autoptr(GPtrArray) unknown = g_ptr_array_new_with_free_func(g_free);
    int general = -1, own = -1;
    const char *filter = g_getenv("RUST_LOG");
    /* What follows a `/` filters messages by a regular expression; levels are all that counts here.
     */
    g_auto(GStrv) halves = g_strsplit(filter ? filter : "", "/", 2);
    g_auto(GStrv) directives = g_strsplit(halves[0] ? halves[0] : "", ",", -1);
    for (guint i = 0; directives[i]; i++) {
        if (*g_strstrip(directives[i]))
            take_directive(directives[i], &general, &own, unknown);
    }
    int level = own >= 0 ? own : general >= 0 ? general : (int)LOG_LEVEL_INFO;
    log_open(STDERR_FILENO, format_of(format ? format : "text"), (LogLevel)level);
    for (guint i = 0; i < unknown->len; i++)
        log_warning(
            "RUST_LOG: '%s' has no effect: a level is one of off, error, warn, info, debug, "
            "trace",
            (const char *)unknown->pdata[i]);
    return true;
}
