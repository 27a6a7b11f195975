/* SPDX-License-Identifier: Apache-2.0 */
#include "config/ini.h"

#include "config/python_text.h"

#include <string.h>

/* A file of another format would otherwise give one line of complaint per line. */
#define MAX_PROBLEMS 20

/* What has been read so far, and what a following line may continue. */
typedef struct {
    IniFile *out;
    GHashTable *seen;  /* "section\nname" and "section" of this file: duplicates are errors */
    char *section;     /* current; NULL before the first header */
    IniEntry *current; /* option that a deeper indented line continues; NULL after a header */
    GString *value;    /* of `current` */
    size_t indent;     /* of the option's or header's own line, in characters */
    bool header_complaint;
} Parser;

static void entry_free(gpointer data)
{
    IniEntry *entry = data;
    g_free(entry->section);
    g_free(entry->name);
    g_free(entry->value);
    g_free(entry);
}

static void G_GNUC_PRINTF(3, 4) add_problem(Parser *parser, unsigned line, const char *format, ...)
{
    if (parser->out->problems->len >= MAX_PROBLEMS)
        return;
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *reason = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_ptr_array_add(parser->out->problems, g_strdup_printf("%u: %s", line, reason));
}

/* The option's value is complete: drop the blank lines at its end. */
static void finish_option(Parser *parser)
{
    if (!parser->current)
        return;
    Bytes whole = bytes_of(parser->value->str, parser->value->len);
    parser->current->value = python_text_copy(python_strip_right(whole));
    g_string_truncate(parser->value, 0);
    parser->current = NULL;
}

static void start_section(Parser *parser, Bytes name, unsigned line)
{
    finish_option(parser);
    g_free(parser->section);
    parser->section = python_text_copy(name);
    if (strcmp(parser->section, "DEFAULT") == 0)
        return; /* may come more than once in a file */
    if (!g_hash_table_add(parser->seen, g_strdup(parser->section))) {
        add_problem(parser, line, "section [%s] stands twice in this file", parser->section);
        return;
    }
    g_ptr_array_add(parser->out->sections, g_strdup(parser->section));
}

/* `name = value` or `name: value`; the first of the two characters splits. */
static void start_option(Parser *parser, Bytes text, unsigned line)
{
    finish_option(parser);
    size_t split = 0;
    while (split < text.size && text.data[split] != '=' && text.data[split] != ':')
        split++;
    Bytes name = python_strip_right(bytes_of(text.data, split));
    if (split == text.size || name.size == 0) {
        add_problem(parser, line, "'%.*s' is neither a comment, nor [section], nor option = value",
                    (int)MIN(text.size, 80), (const char *)text.data);
        return;
    }
    Bytes value = python_strip(bytes_of(text.data + split + 1, text.size - split - 1));

    IniEntry *entry = g_new0(IniEntry, 1);
    entry->section = g_strdup(parser->section);
    entry->name = g_utf8_strdown((const char *)name.data, (gssize)name.size);
    entry->line = line;
    g_ptr_array_add(parser->out->entries, entry);
    if (!g_hash_table_add(parser->seen, g_strdup_printf("%s\n%s", entry->section, entry->name)))
        add_problem(parser, line, "option '%s' stands twice in section [%s] of this file",
                    entry->name, entry->section);
    parser->current = entry;
    g_string_append_len(parser->value, (const char *)value.data, (gssize)value.size);
}

/* Text of `[...]` up to the last bracket of the line; false when the line is no header. */
static bool take_header(Bytes text, Bytes *name)
{
    if (text.data[0] != '[')
        return false;
    const uint8_t *last = memrchr(text.data, ']', text.size);
    if (!last || last - text.data < 2)
        return false;
    *name = bytes_of(text.data + 1, (size_t)(last - text.data) - 1);
    return true;
}

static void parse_line(Parser *parser, Bytes line, unsigned number)
{
    Bytes text = python_strip(line);
    if (text.size == 0) {
        if (parser->current)
            g_string_append_c(parser->value, '\n');
        return;
    }
    if (text.data[0] == '#' || text.data[0] == ';')
        return;

    size_t indent = (size_t)g_utf8_strlen((const char *)line.data, text.data - line.data);
    if (parser->current && indent > parser->indent) {
        g_string_append_c(parser->value, '\n');
        g_string_append_len(parser->value, (const char *)text.data, (gssize)text.size);
        return;
    }
    parser->indent = indent;
    Bytes name;
    if (take_header(text, &name)) {
        start_section(parser, name, number);
    } else if (parser->section) {
        start_option(parser, text, number);
    } else if (!parser->header_complaint) {
        parser->header_complaint = true;
        add_problem(parser, number, "text before the first [section]");
    }
}

/* The next line without its end: \n, \r\n or \r. */
static Bytes next_line(Bytes *rest)
{
    size_t size = 0;
    while (size < rest->size && rest->data[size] != '\n' && rest->data[size] != '\r')
        size++;
    Bytes line = bytes_of(rest->data, size);
    size_t end = size;
    if (end < rest->size)
        end += (rest->data[end] == '\r' && end + 1 < rest->size && rest->data[end + 1] == '\n') ? 2
                                                                                                : 1;
    *rest = bytes_of(rest->data + end, rest->size - end);
    return line;
}

static bool parse_checked_line(Parser *parser, Bytes line, unsigned number)
{
    if (line.size > 0 && memchr(line.data, 0, line.size)) {
        add_problem(parser, number, "NUL byte: this is no text file");
        return false;
    }
    if (line.size > 0 && !g_utf8_validate((const char *)line.data, (gssize)line.size, NULL)) {
        add_problem(parser, number, "not valid UTF-8");
        return false;
    }
    if (number == 1 && line.size >= 3 && memcmp(line.data, "\xef\xbb\xbf", 3) == 0) {
        add_problem(parser, number, "byte order mark: save the file as UTF-8 without it");
        return false;
    }
    parse_line(parser, line, number);
    return true;
}

void ini_parse(Bytes text, IniFile *out)
{
    out->entries = g_ptr_array_new_with_free_func(entry_free);
    out->sections = g_ptr_array_new_with_free_func(g_free);
    out->problems = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GString) value = g_string_new(NULL);
    Parser parser = {.out = out, .seen = seen, .value = value};

    unsigned number = 0;
    while (text.size > 0) {
        Bytes line = next_line(&text);
        if (!parse_checked_line(&parser, line, ++number))
            break;
    }
    finish_option(&parser);
    g_free(parser.section);
}

void ini_clear(IniFile *file)
{
    g_clear_pointer(&file->entries, g_ptr_array_unref);
    g_clear_pointer(&file->sections, g_ptr_array_unref);
    g_clear_pointer(&file->problems, g_ptr_array_unref);
}
