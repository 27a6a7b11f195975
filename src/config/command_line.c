/* SPDX-License-Identifier: Apache-2.0 */
#include "config/command_line.h"

#include "config/check_config.h"
#include "config/logging.h"

#include <string.h>
#include <unistd.h>

#define API_VERSIONS "2.0-2.6, 3.0"

typedef struct {
    const ConfigSchema *schema;
    int argc;
    char **argv;
    int next; /* first word not looked at yet */
    CommandLine *out;
} Words;

static bool misuse(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
static bool misuse(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, CONFIG_ERROR, CONFIG_ERROR_USAGE, text);
    return false;
}

static const Option *find_flag(const ConfigSchema *schema, const char *flag, size_t size)
{
    for (const Option *option = schema->options; option->name; option++) {
        if (option->flag && strlen(option->flag) == size && strncmp(option->flag, flag, size) == 0)
            return option;
    }
    return NULL;
}

static const Option *find_short_flag(const ConfigSchema *schema, char flag)
{
    for (const Option *option = schema->options; option->name; option++) {
        if (option->flag && option->flag_short == flag)
            return option;
    }
    return NULL;
}

/* The flags that every program has; NULL when `word` is another one. */
static bool *standard_flag(CommandLine *line, const char *word)
{
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return &line->help;
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
        return &line->version;
    if (strcmp(word, "--check-config") == 0)
        return &line->check_config;
    if (strcmp(word, "--example-config") == 0)
        return &line->example_config;
    if (strcmp(word, "--json") == 0)
        return &line->json;
    return NULL;
}

/* A following word that looks like a flag is none's value; "-5" is a number for the check to judge.
 */
static bool is_value(const char *word)
{
    return word[0] != '-' || word[1] == '\0' || g_ascii_isdigit(word[1]);
}

static bool is_bool_word(const char *word)
{
    return strcmp(word, "true") == 0 || strcmp(word, "false") == 0;
}

/* The value of `option`: after `=`, or the next word. NULL when there is none. */
static const char *take_flag_value(Words *words, const Option *option, const char *after_equals)
{
    if (after_equals)
        return after_equals;
    const char *next = words->next < words->argc ? words->argv[words->next] : NULL;
    if (option->type == OPTION_BOOL) {
        if (!next || !is_bool_word(next))
            return "true";
    } else if (!next || !is_value(next)) {
        return NULL;
    }
    words->next++;
    return next;
}

static bool take_flag(Words *words, const Option *option, const char *after_equals, GError **error)
{
    g_autofree char *flag = g_strdup_printf("--%s", option->flag);
    const char *value = take_flag_value(words, option, after_equals);
    if (!value)
        return misuse(error, "%s needs a value: %s %s", flag, flag,
                      option->flag_value ? option->flag_value : "VALUE");
    if (option->type == OPTION_BOOL && !is_bool_word(value))
        return misuse(error, "%s '%s': must be true or false", flag, value);
    for (guint i = 0; i < words->out->overrides->len; i++) {
        if (strcmp(g_array_index(words->out->overrides, ConfigOverride, i).name, option->name) == 0)
            return misuse(error, "%s is given twice", flag);
    }
    ConfigOverride override = {option->name, value, g_intern_string(flag)};
    g_array_append_val(words->out->overrides, override);
    return true;
}

static bool take_word(Words *words, GError **error)
{
    const char *word = words->argv[words->next++];
    bool *standard = standard_flag(words->out, word);
    if (standard) {
        if (*standard)
            return misuse(error, "%s is given twice", word);
        *standard = true;
        return true;
    }
    const Option *option = NULL;
    const char *equals = strchr(word, '=');
    if (g_str_has_prefix(word, "--"))
        option = find_flag(words->schema, word + 2,
                           equals ? (size_t)(equals - word) - 2 : strlen(word + 2));
    else if (word[0] == '-' && word[1] != '\0' && (word[2] == '\0' || word[2] == '='))
        option = find_short_flag(words->schema, word[1]);
    if (!option && word[0] == '-')
        return misuse(error, "unknown flag '%s'; --help lists the flags", word);
    if (!option)
        return misuse(error, "unexpected word '%s'; --help shows the usage", word);
    return take_flag(words, option, equals ? equals + 1 : NULL, error);
}

bool command_line_parse(const ConfigSchema *schema, int argc, char **argv, CommandLine *out,
                        GError **error)
{
    *out = (CommandLine){.overrides = g_array_new(TRUE, TRUE, sizeof(ConfigOverride))};
    Words words = {schema, argc, argv, 1, out};
    while (words.next < argc) {
        if (!take_word(&words, error))
            return false;
    }
    return !out->json || out->check_config || misuse(error, "--json belongs to --check-config");
}

void command_line_clear(CommandLine *line)
{
    g_clear_pointer(&line->overrides, g_array_unref);
}

/* Under the name it was called by: the agent has two (contract C7). */
static void print_help(const ConfigSchema *schema, const char *called)
{
    g_autofree char *name = g_path_get_basename(called);
    printf("Usage: %s [OPTIONS]\n\n%s\n\nOptions:\n", name, schema->summary);
    config_print_flags(schema, stdout);
    printf(
        "      --check-config\n"
        "          Print every option with its value and where the value comes from, report every\n"
        "          problem, and exit: 0 when the configuration is usable, else 1.\n"
        "      --json\n"
        "          With --check-config: print all of it as one JSON object.\n"
        "      --example-config\n"
        "          Print a configuration file with all options, their defaults and meaning.\n"
        "  -h, --help\n"
        "          Print this text.\n"
        "  -V, --version\n"
        "          Print the version, and the API versions spoken.\n");
    g_autofree char *upper = g_ascii_strup(schema->component, -1);
    printf("\nFiles: /etc/keylime/%s.conf, /etc/keylime/%s.conf.d/*, and the same under /usr/etc;\n"
           "KEYLIME_%s_CONFIG names one file that replaces them. Each option can be set by the\n"
           "variable KEYLIME_%s_<OPTION>.\n",
           schema->component, schema->component, upper, upper);
}

/* True: the command line asked only for a text, which is now printed. */
static bool answer(const ConfigSchema *schema, const CommandLine *line, const char *called)
{
    if (line->help)
        print_help(schema, called);
    else if (line->version)
        printf("%s %s\nAPI versions: %s\n", schema->program, KEYLIME_VERSION, API_VERSIONS);
    else if (line->example_config)
        config_print_example(schema, stdout);
    return line->help || line->version || line->example_config;
}

Config *command_line_start(const ConfigSchema *schema, int argc, char **argv, int *status)
{
    const char *called = argc > 0 && argv[0] ? argv[0] : schema->program;
    g_autoptr(GError) error = NULL;
    g_auto(CommandLine) line = {0};
    if (!command_line_parse(schema, argc, argv, &line, &error)) {
        *status = check_config_complain(error, called);
        return NULL;
    }
    *status = 0;
    if (answer(schema, &line, called))
        return NULL;
    const ConfigOverride *overrides = (const ConfigOverride *)(void *)line.overrides->data;
    if (line.check_config) {
        *status = check_config(schema, overrides, line.json, called);
        return NULL;
    }
    bool logging = schema->format == CONFIG_TOML ? logging_start_agent(&error)
                                                 : logging_start(STDERR_FILENO, false, &error);
    if (!logging) {
        *status = check_config_complain(error, called);
        return NULL;
    }
    Config *config = config_load(schema, overrides, &error);
    if (!config)
        *status = check_config_complain(error, called);
    return config;
}
