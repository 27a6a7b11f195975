/* SPDX-License-Identifier: Apache-2.0 */
#include "config/tool.h"

#include <string.h>

G_DEFINE_QUARK(keylime - tool - error, tool_error)

static bool usage(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
static bool usage(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, TOOL_ERROR, 0, message);
    return false;
}

const ToolCommand *tool_find_command(const Tool *tool, const char *name)
{
    const ToolCommand *command;
    for (guint i = 0; name && (command = tool->command_at(i)); i++)
        if (strcmp(command->name, name) == 0)
            return command->same_as ? tool_find_command(tool, command->same_as) : command;
    return NULL;
}

static bool list_has(const char *list, const char *word)
{
    g_auto(GStrv) words = g_strsplit(list, " ", -1);
    return g_strv_contains((const char *const *)words, word);
}

bool tool_option_is_for(const ToolOption *option, const char *command)
{
    return !option->commands || list_has(option->commands, command);
}

/* --- options ------------------------------------------------------------------------------------
 */

typedef struct {
    const ToolOption *tables[2]; /* NULL = none */
    int argc, next;
    char **argv;
    void *out;
} LineReader;

static bool is_called(const ToolOption *option, const char *name)
{
    return g_strcmp0(name, option->brief) == 0 || strcmp(name, option->full) == 0 ||
           g_strcmp0(name, option->alias) == 0;
}

static bool is_abbreviated(const ToolOption *option, const char *name)
{
    return strlen(name) > 2 && (g_str_has_prefix(option->full, name) ||
                                (option->alias && g_str_has_prefix(option->alias, name)));
}

/* The options of both tables one after the other; NULL past the end. */
static const ToolOption *option_at(const LineReader *reader, guint index)
{
    for (guint table = 0; table < G_N_ELEMENTS(reader->tables); table++)
        for (const ToolOption *option = reader->tables[table]; option && option->full; option++)
            if (index-- == 0)
                return option;
    return NULL;
}

/* The option called `name`: exactly, or by an abbreviation that fits one long option only. NULL
 * without an error: there is none. */
static const ToolOption *find_option(const LineReader *reader, const char *name, GError **error)
{
    const ToolOption *option, *abbreviated = NULL;
    for (guint i = 0; (option = option_at(reader, i)); i++)
        if (is_called(option, name))
            return option;
    for (guint i = 0; (option = option_at(reader, i)); i++) {
        if (!is_abbreviated(option, name))
            continue;
        if (abbreviated) {
            usage(error, "%s could be %s or %s", name, abbreviated->full, option->full);
            return NULL;
        }
        abbreviated = option;
    }
    return abbreviated;
}

/* A following word that looks like an option is none's value; "-5" is a number, "-" a stream. */
static bool is_value(const char *word)
{
    return word[0] != '-' || word[1] == '\0' || g_ascii_isdigit(word[1]);
}

static bool store(const ToolOption *option, const char *value, void *out, GError **error)
{
    if (option->words && !list_has(option->words, value)) {
        g_auto(GStrv) words = g_strsplit(option->words, " ", -1);
        g_autofree char *allowed = g_strjoinv(", ", words);
        return usage(error, "%s %s: must be one of %s", option->full, value, allowed);
    }
    const char **member = G_STRUCT_MEMBER_P(out, option->offset);
    for (unsigned i = 0; option->kind == TOOL_REPEATED && *member; i++, member++)
        if (i + 1 == TOOL_MAX_REPEATS)
            return usage(error, "%s may be given %d times", option->full, TOOL_MAX_REPEATS);
    if (*member)
        return usage(error, "%s is given twice", option->full);
    *member = value;
    return true;
}

static bool take_flag(const ToolOption *option, const char *given, void *out, GError **error)
{
    if (given)
        return usage(error, "%s takes no value", option->full);
    *(bool *)G_STRUCT_MEMBER_P(out, option->offset) = true;
    return true;
}

/* `given`: the value that stands in the option's own word, or NULL. */
static bool take_option(LineReader *reader, const ToolOption *option, const char *given,
                        GError **error)
{
    if (option->kind == TOOL_FLAG)
        return take_flag(option, given, reader->out, error);
    if (given)
        return store(option, given, reader->out, error);
    const char *next = reader->next < reader->argc ? reader->argv[reader->next] : NULL;
    if (next && is_value(next)) {
        reader->next++;
        return store(option, next, reader->out, error);
    }
    if (option->kind == TOOL_OPTIONAL)
        return store(option, option->implied, reader->out, error);
    return usage(error, "%s expects %s", option->full, option->value);
}

/* "-uID", "-ki": a short option with its value in the same word, or flags of one letter. */
static bool take_cluster(LineReader *reader, const char *word, GError **error)
{
    for (const char *letter = word + 1; *letter; letter++) {
        const char name[] = {'-', *letter, '\0'};
        const ToolOption *option = find_option(reader, name, NULL);
        if (!option)
            return usage(error, "unrecognized argument: %s", word);
        bool flag = option->kind == TOOL_FLAG;
        if (!take_option(reader, option, flag ? NULL : letter[1] ? letter + 1 : NULL, error))
            return false;
        if (!flag)
            return true;
    }
    return true;
}

static bool take_word(LineReader *reader, const char *word, GError **error)
{
    const char *equals = strchr(word, '=');
    g_autofree char *name = equals ? g_strndup(word, (gsize)(equals - word)) : g_strdup(word);
    GError *ambiguous = NULL;
    const ToolOption *option = find_option(reader, name, &ambiguous);
    if (ambiguous) {
        g_propagate_error(error, ambiguous);
        return false;
    }
    if (option)
        return take_option(reader, option, equals ? equals + 1 : NULL, error);
    if (g_str_has_prefix(word, "--"))
        return usage(error, "unrecognized argument: %s", word);
    return take_cluster(reader, word, error);
}

static bool keep_word(ToolWords *words, const char *word, GError **error)
{
    if (words->count == TOOL_MAX_WORDS)
        return usage(error, "unrecognized argument: %s", word);
    words->word[words->count++] = word;
    return true;
}

bool tool_parse(const Tool *tool, const ToolCommand *command, int argc, char **argv, void *out,
                ToolWords *words, GError **error)
{
    LineReader reader = {{tool->options, command ? command->options : NULL}, argc, 1, argv, out};
    bool only_words = false;
    *words = (ToolWords){0};
    while (reader.next < argc) {
        const char *word = argv[reader.next++];
        bool ends = !only_words && strcmp(word, "--") == 0;
        if (ends)
            only_words = true;
        else if (only_words || word[0] != '-' || word[1] == '\0' ? !keep_word(words, word, error)
                                                                 : !take_word(&reader, word, error))
            return false;
    }
    return true;
}

bool tool_parse_command(const Tool *tool, int argc, char **argv, void *out, const char **command,
                        GError **error)
{
    ToolWords words;
    if (!tool_parse(tool, NULL, argc, argv, out, &words, error))
        return false;
    if (words.count > 1 || (words.count == 1 && *command))
        return usage(error, "unrecognized argument: %s", words.word[words.count - 1]);
    if (words.count == 1 && !tool_find_command(tool, words.word[0]))
        return usage(error, "there is no command %s", words.word[0]);
    if (words.count == 1)
        *command = words.word[0];
    return true;
}

char *tool_useless_options(const ToolOption *options, const char *command, const void *parsed)
{
    GString *names = g_string_new(NULL);
    for (const ToolOption *option = options; option->full; option++) {
        const void *member = (const char *)parsed + option->offset;
        bool given = option->kind == TOOL_FLAG ? *(const bool *)member
                                               : *(const char *const *)member != NULL;
        if (given && !tool_option_is_for(option, command))
            g_string_append_printf(names, "%s%s", names->len ? ", " : "", option->full);
    }
    return g_string_free(names, names->len == 0);
}
