/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log_line.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* Wider ones are typing errors. */
#define WIDTH_MAX 200

typedef enum {
    PART_TEXT,
    PART_TIME,
    PART_MILLISECONDS,
    PART_NAME,
    PART_LEVEL,
    PART_LEVEL_NUMBER,
    PART_MESSAGE,
    PART_PROCESS,
    PART_THREAD,
    PART_REQUEST_ID,
    PART_REQUEST_ID_WORDS,
} PartKind;

static const struct {
    const char *name;
    PartKind kind;
} fields[] = {
    {"asctime", PART_TIME},
    {"msecs", PART_MILLISECONDS},
    {"name", PART_NAME},
    {"levelname", PART_LEVEL},
    {"levelno", PART_LEVEL_NUMBER},
    {"message", PART_MESSAGE},
    {"process", PART_PROCESS},
    {"thread", PART_THREAD},
    {"reqid", PART_REQUEST_ID},
    {"reqidf", PART_REQUEST_ID_WORDS},
};

typedef struct {
    PartKind kind;
    char *text; /* PART_TEXT */
    size_t width;
    bool left, zeros;
} Part;

struct LogLine {
    GArray *parts;
    char *dates;
    bool tells_request; /* the form has a place for the request id */
};

/* --- reading the form ------------------------------------------------------------------------- */

static void part_clear(gpointer data)
{
    g_free(((Part *)data)->text);
}

static void add_text(LogLine *line, GString *literal)
{
    if (literal->len == 0)
        return;
    Part part = {.kind = PART_TEXT, .text = g_strndup(literal->str, literal->len)};
    g_array_append_val(line->parts, part);
    g_string_truncate(literal, 0);
}

static void add_field(LogLine *line, const char *name, Part part, GPtrArray *unknown)
{
    for (guint i = 0; i < G_N_ELEMENTS(fields); i++) {
        if (strcmp(fields[i].name, name) == 0) {
            part.kind = fields[i].kind;
            line->tells_request |=
                part.kind == PART_REQUEST_ID || part.kind == PART_REQUEST_ID_WORDS;
            g_array_append_val(line->parts, part);
            return;
        }
    }
    g_ptr_array_add(unknown, g_strdup(name));
}

/* What follows a `%`: `(name)-08s`. The first byte behind it, or NULL: it is none. */
static const char *take_field(LogLine *line, const char *at, GPtrArray *unknown)
{
    const char *end = *at == '(' ? strchr(at, ')') : NULL;
    if (!end)
        return NULL;
    g_autofree char *name = g_strndup(at + 1, (gsize)(end - at - 1));
    Part part = {0};
    for (at = end + 1; *at == '-' || *at == '0'; at++) {
        part.left |= *at == '-';
        part.zeros |= *at == '0';
    }
    for (; g_ascii_isdigit(*at); at++) {
        part.width = part.width * 10 + (size_t)(*at - '0');
        if (part.width > WIDTH_MAX)
            return NULL;
    }
    if (*at != 's' && *at != 'd')
        return NULL;
    add_field(line, name, part, unknown);
    return at + 1;
}

LogLine *log_line_parse(const char *format, const char *dates, GPtrArray *unknown, char **reason)
{
    g_autoptr(LogLine) line = g_new0(LogLine, 1);
    g_autoptr(GString) literal = g_string_new(NULL);
    line->parts = g_array_new(FALSE, FALSE, sizeof(Part));
    g_array_set_clear_func(line->parts, part_clear);
    line->dates = g_strdup(dates);
    for (const char *at = format; *at;) {
        if (*at != '%' || at[1] == '%') {
            g_string_append_c(literal, *at);
            at += *at == '%' ? 2 : 1;
            continue;
        }
        add_text(line, literal);
        const char *next = take_field(line, at + 1, unknown);
        if (!next) {
            *reason = g_strdup_printf("'%.20s' is no field such as %%(levelname)-8s", at);
            return NULL;
        }
        at = next;
    }
    add_text(line, literal);
    return g_steal_pointer(&line);
}

void log_line_free(LogLine *line)
{
    if (!line)
        return;
    g_array_unref(line->parts);
    g_free(line->dates);
    g_free(line);
}

/* --- writing ---------------------------------------------------------------------------------- */

/* The text of a second is worked out once a thread: a busy server writes thousands of lines in it.
 */
void log_line_append_time(const LogRecord *record, const char *dates, GString *out)
{
    static _Thread_local struct {
        time_t second;
        const char *dates;
        char text[64];
    } last;
    if (record->time.tv_sec != last.second || dates != last.dates) {
        g_autoptr(GDateTime) local = g_date_time_new_from_unix_local(record->time.tv_sec);
        g_autofree char *text = local ? g_date_time_format(local, dates) : NULL;
        g_strlcpy(last.text, text ? text : "", sizeof last.text);
        last.second = record->time.tv_sec;
        last.dates = dates;
    }
    g_string_append(out, last.text);
}

void log_line_append_milliseconds(const LogRecord *record, GString *out)
{
    char digits[8];
    g_snprintf(digits, sizeof digits, "%03d", (int)(record->time.tv_nsec / 1000000));
    g_string_append(out, digits);
}

static bool is_harmless(gunichar character)
{
    switch (g_unichar_type(character)) {
    case G_UNICODE_CONTROL:
    case G_UNICODE_FORMAT:
    case G_UNICODE_LINE_SEPARATOR:
    case G_UNICODE_PARAGRAPH_SEPARATOR:
        return false;
    default:
        return true;
    }
}

/* How many bytes from `text` on are shown as they are: none, or a character. */
static size_t plain_size(const char *text)
{
    guchar first = (guchar)*text;
    if (first < 0x80)
        return (first >= 0x20 && first != 0x7f) || first == '\t';
    gunichar character = g_utf8_get_char_validated(text, -1);
    bool valid = character != (gunichar)-1 && character != (gunichar)-2;
    return valid && is_harmless(character) ? (size_t)g_unichar_to_utf8(character, NULL) : 0;
}

/* What stands for the character or byte at `text`; the byte behind it. */
static const char *append_escaped(GString *out, const char *text)
{
    gunichar character = g_utf8_get_char_validated(text, -1);
    if (*text == '\n') {
        g_string_append(out, "\\n");
        return text + 1;
    }
    if ((guchar)*text < 0x80 || character == (gunichar)-1 || character == (gunichar)-2) {
        g_string_append_printf(out, "\\x%02x", (guchar)*text);
        return text + 1;
    }
    g_string_append_printf(out, "\\u{%04x}", character);
    return g_utf8_next_char(text);
}

void log_line_append_text(GString *out, const char *text)
{
    const char *plain = text;
    while (*text) {
        size_t size = plain_size(text);
        text += size;
        if (size > 0)
            continue;
        g_string_append_len(out, plain, text - plain);
        plain = text = append_escaped(out, text);
    }
    g_string_append_len(out, plain, text - plain);
}

/* JSON's escapes are of UTF-16: two for a character beyond its first plane. */
static void append_json_escape(GString *out, gunichar character)
{
    if (character < 0x10000) {
        g_string_append_printf(out, "\\u%04x", character);
        return;
    }
    character -= 0x10000;
    g_string_append_printf(out, "\\u%04x\\u%04x", 0xd800 + (character >> 10),
                           0xdc00 + (character & 0x3ff));
}

void log_line_append_json(GString *out, const char *json)
{
    for (const char *next; *json; json = next) {
        next = g_utf8_next_char(json);
        if (plain_size(json) > 0)
            g_string_append_len(out, json, next - json);
        else
            append_json_escape(out, g_utf8_get_char(json));
    }
}

static void append_request_words(const LogRecord *record, GString *out)
{
    if (*record->request_id)
        g_string_append_printf(out, "(reqid=%s)", record->request_id);
}

static void append_number(GString *out, gint64 number)
{
    g_string_append_printf(out, "%" G_GINT64_FORMAT, number);
}

static void append_field(const LogLine *line, const Part *part, const LogRecord *record,
                         GString *out)
{
    switch (part->kind) {
    case PART_TEXT:
        g_string_append(out, part->text);
        break;
    case PART_TIME:
        log_line_append_time(record, *line->dates ? line->dates : LOG_LINE_DATES, out);
        if (*line->dates == '\0') {
            g_string_append_c(out, ',');
            log_line_append_milliseconds(record, out);
        }
        break;
    case PART_MILLISECONDS:
        append_number(out, record->time.tv_nsec / 1000000);
        break;
    case PART_NAME:
        g_string_append(out, record->name);
        break;
    case PART_LEVEL:
        g_string_append(out, record->level);
        break;
    case PART_LEVEL_NUMBER:
        append_number(out, record->level_number);
        break;
    case PART_MESSAGE:
        if (!line->tells_request && *record->request_id) {
            append_request_words(record, out);
            g_string_append_c(out, ' ');
        }
        log_line_append_text(out, record->message);
        break;
    case PART_PROCESS:
        append_number(out, getpid());
        break;
    case PART_THREAD:
        append_number(out, gettid());
        break;
    case PART_REQUEST_ID:
        g_string_append(out, record->request_id);
        break;
    case PART_REQUEST_ID_WORDS:
        append_request_words(record, out);
        break;
    }
}

/* What was appended from `start` on, widened. */
static void pad(const Part *part, GString *out, gsize start)
{
    size_t size = (size_t)g_utf8_strlen(out->str + start, (gssize)(out->len - start));
    bool number = part->kind == PART_MILLISECONDS || part->kind == PART_LEVEL_NUMBER ||
                  part->kind == PART_PROCESS || part->kind == PART_THREAD;
    char filler = part->zeros && number && !part->left ? '0' : ' ';
    for (; size < part->width; size++) {
        if (part->left)
            g_string_append_c(out, ' ');
        else
            g_string_insert_c(out, (gssize)start, filler);
    }
}

void log_line_append(const LogLine *line, const LogRecord *record, GString *out)
{
    for (guint i = 0; i < line->parts->len; i++) {
        const Part *part = &g_array_index(line->parts, Part, i);
        gsize start = out->len;
        append_field(line, part, record, out);
        if (part->width > 0)
            pad(part, out, start);
    }
}
