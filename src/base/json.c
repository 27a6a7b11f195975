/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "base/encoding.h"
#include "base/secret.h"

#include <errno.h>
#include <math.h>
#include <string.h>

G_DEFINE_QUARK(json - error - quark, json_error)

static void free_tokener(struct json_tokener *tokener)
{
    json_tokener_free(tokener);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_tokener, free_tokener)

/* json-c reads NaN and Infinity, which are no JSON, and takes numbers beyond a double for infinite.
 */
static bool numbers_are_finite(Json *value)
{
    switch (json_object_get_type(value)) {
    case json_type_double:
        return isfinite(json_object_get_double(value));
    case json_type_array:
        for (size_t i = 0; i < json_object_array_length(value); i++)
            if (!numbers_are_finite(json_object_array_get_idx(value, i)))
                return false;
        return true;
    case json_type_object: {
        json_object_object_foreach (value, name, member) {
            (void)name;
            if (!numbers_are_finite(member))
                return false;
        }
        return true;
    }
    default:
        return true;
    }
}

/* What lies outside the strings of a JSON text. */
typedef struct {
    size_t values; /* at least as many as there are */
    bool single_quote;
    bool fractions; /* a number may be a double */
} Outline;

/* The quote that ends a string, whose text begins at `at`; `end` when there is none. */
static const uint8_t *end_of_string(const uint8_t *at, const uint8_t *end)
{
    for (const uint8_t *quote = at; (quote = memchr(quote, '"', (size_t)(end - quote))); quote++) {
        const uint8_t *escape = quote;
        while (escape > at && escape[-1] == '\\')
            escape--;
        if ((quote - escape) % 2 == 0)
            return quote;
    }
    return end;
}

/* Whether the character at `at`, with others before it, may belong to a number with a fraction or
 * an exponent, to NaN or to Infinity; true, false and null do not. */
static bool hints_at_double(const uint8_t *at, const uint8_t *text)
{
    switch (*at) {
    case '.':
    case 'N':
    case 'I':
    case 'i':
        return true;
    case 'a': /* "false" has it, too */
        return at > text && at[-1] != 'f';
    case 'e':
    case 'E':
        return at > text && g_ascii_isdigit(at[-1]);
    }
    return false;
}

/* A value follows each bracket that opens and each comma, or is the text itself. Logs of megabytes
 * are one string each, which is passed over at once. */
static Outline outline_of(Bytes text)
{
    Outline outline = {.values = 1};
    if (text.size == 0)
        return outline;
    const uint8_t *end = text.data + text.size;
    for (const uint8_t *at = text.data; at < end; at++) {
        if (*at == '"')
            at = end_of_string(at + 1, end);
        else if (*at == '\'')
            outline.single_quote = true;
        else if (*at == ',' || *at == '[' || *at == '{')
            outline.values++;
        else if (hints_at_double(at, text.data))
            outline.fractions = true;
        if (at == end)
            break;
    }
    return outline;
}

/* Most messages are, and eight bytes at a time tell it. NUL is none of a text. */
static bool is_ascii(Bytes text)
{
    const guint64 high = G_GUINT64_CONSTANT(0x8080808080808080);
    size_t at = 0;
    for (guint64 word; at + sizeof word <= text.size; at += sizeof word) {
        memcpy(&word, text.data + at, sizeof word);
        if (word & high)
            return false;
    }
    for (; at < text.size; at++)
        if (text.data[at] & 0x80)
            return false;
    return text.size == 0 || !memchr(text.data, '\0', text.size);
}

static Json *refuse(GError **error, const char *reason)
{
    g_set_error(error, JSON_ERROR, JSON_ERROR_SYNTAX, "not JSON: %s", reason);
    return NULL;
}

Json *json_parse(Bytes text, GError **error)
{
    return json_parse_bounded(text, G_MAXSIZE, error);
}

Json *json_parse_bounded(Bytes text, size_t max_values, GError **error)
{
    if (text.size > G_MAXINT)
        return refuse(error, "too long");
    /* json-c's own check takes overlong forms and surrogates, which databases then refuse. */
    const char *end = (const char *)text.data;
    if (!is_ascii(text) && !g_utf8_validate_len((const char *)text.data, text.size, &end)) {
        g_set_error(error, JSON_ERROR, JSON_ERROR_SYNTAX, "not JSON: no UTF-8 at byte %zu",
                    (size_t)(end - (const char *)text.data));
        return NULL;
    }
    Outline outline = outline_of(text);
    if (outline.values > max_values)
        return refuse(error, "more values than any message of this kind has");
    /* json-c takes a member's name in single quotes even when strict. */
    if (outline.single_quote)
        return refuse(error, "a single quote outside a text");
    g_autoptr(json_tokener) tokener = json_tokener_new_ex(JSON_MAX_DEPTH);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    Json *value = json_tokener_parse_ex(tokener, (const char *)text.data, (int)text.size);
    enum json_tokener_error state = json_tokener_get_error(tokener);
    size_t consumed = json_tokener_get_parse_end(tokener);
    if (state == json_tokener_continue) {
        /* A number or a word at the very end might go on: a blank says that it does not. */
        value = json_tokener_parse_ex(tokener, "\n", 1);
        state = json_tokener_get_error(tokener);
        consumed = text.size;
    }
    if (state == json_tokener_success && consumed < text.size) {
        /* json-c stops at a NUL; what follows was not read. */
        for (size_t i = consumed; i < text.size; i++)
            if (!strchr(" \t\r\n", text.data[i]) || text.data[i] == '\0')
                state = json_tokener_error_parse_unexpected;
    }
    if (state == json_tokener_success && outline.fractions && !numbers_are_finite(value))
        state = json_tokener_error_parse_number;
    if (state == json_tokener_success && value)
        return value;
    g_set_error(error, JSON_ERROR, JSON_ERROR_SYNTAX, "not JSON: %s at byte %zu",
                state == json_tokener_success    ? "a bare null"
                : state == json_tokener_continue ? "unexpected end"
                                                 : json_tokener_error_desc(state),
                consumed);
    json_object_put(value);
    return NULL;
}

Json *json_member(Json *object, const char *name)
{
    Json *value = NULL;
    if (!json_object_is_type(object, json_type_object))
        return NULL;
    return json_object_object_get_ex(object, name, &value) ? value : NULL;
}

Json *json_member_of_type(Json *object, const char *name, json_type type)
{
    Json *value = json_member(object, name);
    return value && json_object_is_type(value, type) ? value : NULL;
}

const char *json_text(Json *value)
{
    if (!value || !json_object_is_type(value, json_type_string))
        return NULL;
    const char *text = json_object_get_string(value);
    return strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;
}

const char *json_member_text(Json *object, const char *name)
{
    return json_text(json_member(object, name));
}

bool json_member_int(Json *object, const char *name, bool accept_text, gint64 *out)
{
    Json *value = json_member(object, name);
    if (value && json_object_is_type(value, json_type_int)) {
        errno = 0;
        gint64 number = json_object_get_int64(value);
        /* json-c clamps what does not fit; a clamped number is not the one that was sent. */
        if (number == G_MAXINT64 || number == G_MININT64)
            return false;
        *out = number;
        return true;
    }
    const char *text = accept_text ? json_text(value) : NULL;
    return text && g_ascii_string_to_signed(text, 10, G_MININT64, G_MAXINT64, out, NULL);
}

bool json_is_truthy(Json *value)
{
    switch (json_object_get_type(value)) {
    case json_type_null:
        return false;
    case json_type_boolean:
        return json_object_get_boolean(value);
    case json_type_string:
        return json_object_get_string_len(value) > 0;
    case json_type_array:
        return json_object_array_length(value) > 0;
    case json_type_object:
        return json_object_object_length(value) > 0;
    default:
        return json_object_get_double(value) != 0;
    }
}

bool json_is_integer(Json *value)
{
    if (json_object_is_type(value, json_type_double))
        return floor(json_object_get_double(value)) == json_object_get_double(value);
    return json_object_is_type(value, json_type_int);
}

bool json_member_bool(Json *object, const char *name, bool *out)
{
    Json *value = json_member_of_type(object, name, json_type_boolean);
    if (!value)
        return false;
    *out = json_object_get_boolean(value);
    return true;
}

void json_wipe_member(Json *object, const char *name)
{
    Json *value = json_member_of_type(object, name, json_type_string);
    /* The text lies in the value's own memory; json-c has no call to overwrite it. */
    if (value)
        secret_wipe((char *)json_object_get_string(value),
                    (size_t)json_object_get_string_len(value));
}

const char **json_member_texts(Json *object, const char *name)
{
    Json *array = json_member_of_type(object, name, json_type_array);
    if (!array)
        return NULL;
    size_t count = json_object_array_length(array);
    g_autofree const char **texts = g_new0(const char *, count + 1);
    for (size_t i = 0; i < count; i++) {
        texts[i] = json_text(json_object_array_get_idx(array, i));
        if (!texts[i])
            return NULL;
    }
    return g_steal_pointer(&texts);
}

void json_add(Json *object, const char *name, Json *value)
{
    json_object_object_add(object, name, value);
}

Json *json_new_text(const char *text)
{
    return text ? json_object_new_string(text) : NULL;
}

void json_add_text(Json *object, const char *name, const char *text)
{
    json_add(object, name, json_new_text(text));
}

void json_add_utf8(Json *object, const char *name, Bytes text)
{
    g_assert(text.size <= G_MAXINT);
    json_add(object, name, json_object_new_string_len((const char *)text.data, (int)text.size));
}

void json_add_int(Json *object, const char *name, gint64 value)
{
    json_add(object, name, json_object_new_int64(value));
}

void json_add_bool(Json *object, const char *name, bool value)
{
    json_add(object, name, json_object_new_boolean(value));
}

void json_add_null(Json *object, const char *name)
{
    json_add(object, name, NULL);
}

void json_add_base64(Json *object, const char *name, Bytes bytes)
{
    g_autofree char *text = base64_encode(bytes);
    json_add_text(object, name, text);
}

Json *json_new_texts(const char *const *texts)
{
    Json *array = json_object_new_array();
    for (; texts && *texts; texts++)
        json_object_array_add(array, json_new_text(*texts));
    return array;
}

char *json_to_text(Json *value)
{
    return g_strdup(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN |
                                                              JSON_C_TO_STRING_NOSLASHESCAPE));
}

static void print_python_string(GString *out, Json *value)
{
    const char *text = json_object_get_string(value);
    const char *end = text + json_object_get_string_len(value);
    g_string_append_c(out, '"');
    while (text < end) {
        gunichar c = g_utf8_get_char(text);
        text = g_utf8_next_char(text);
        const char *escape = c == '"'    ? "\\\""
                             : c == '\\' ? "\\\\"
                             : c == '\n' ? "\\n"
                             : c == '\r' ? "\\r"
                             : c == '\t' ? "\\t"
                             : c == '\b' ? "\\b"
                             : c == '\f' ? "\\f"
                                         : NULL;
        if (escape)
            g_string_append(out, escape);
        else if (c >= 0x20 && c < 0x7f)
            g_string_append_c(out, (char)c);
        else if (c < 0x10000)
            g_string_append_printf(out, "\\u%04x", c);
        else
            g_string_append_printf(out, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
                                   0xdc00 + ((c - 0x10000) & 0x3ff));
    }
    g_string_append_c(out, '"');
}

static void print_python(GString *out, Json *value)
{
    const char *separator = "";
    switch (json_object_get_type(value)) {
    case json_type_string:
        print_python_string(out, value);
        break;
    case json_type_array:
        g_string_append_c(out, '[');
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            g_string_append(out, separator);
            print_python(out, json_object_array_get_idx(value, i));
            separator = ", ";
        }
        g_string_append_c(out, ']');
        break;
    case json_type_object: {
        g_string_append_c(out, '{');
        json_object_object_foreach (value, name, member) {
            g_autoptr(Json) key = json_object_new_string(name);
            g_string_append(out, separator);
            print_python_string(out, key);
            g_string_append(out, ": ");
            print_python(out, member);
            separator = ", ";
        }
        g_string_append_c(out, '}');
        break;
    }
    default:
        g_string_append(out, json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
    }
}

char *json_to_python_text(Json *value)
{
    GString *out = g_string_new(NULL);
    print_python(out, value);
    return g_string_free(out, FALSE);
}
