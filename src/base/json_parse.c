/* SPDX-License-Identifier: Apache-2.0 */
/* The reading of a text; json.c has the values. */
#include "base/json.h"
#include "base/json_string.h"

#include <math.h>
#include <string.h>

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

/* What lies outside the strings of a JSON text, and the longest of those. */
typedef struct {
    size_t values; /* at least as many as there are */
    bool single_quote;
    bool fractions; /* a number may be a double */
    Bytes longest;  /* between its quotes */
} Outline;

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

/* The quote that ends the string, whose content begins at `at`, or `end`. */
static const uint8_t *pass_string(const uint8_t *at, const uint8_t *end, Bytes *longest)
{
    const uint8_t *quote = json_string_end(at, end);
    if (quote < end && (size_t)(quote - at) > longest->size)
        *longest = bytes_of(at, (size_t)(quote - at));
    return quote;
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
            at = pass_string(at + 1, end, &outline.longest);
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

/* --- a string that is read where it stands ------------------------------------------------- */

/* json-c copies a string twice: while it reads it, and for its value. The one that makes up most of
 * a long text is kept from it: in its place it gets a byte that no UTF-8 has, so no other string
 * can be equal, and the value then gets the bytes of the text itself. */
static const char stand_in[] = "\xff";

/* A member's name is looked up by json-c, and what is not plain is its own to judge. */
static bool can_stand_aside(Bytes text, Bytes string, size_t smallest)
{
    if (string.size < smallest || string.size <= text.size / 2)
        return false;
    const uint8_t *next = string.data + string.size + 1, *end = text.data + text.size;
    while (next < end && strchr(" \t\r\n", *next) && *next != '\0')
        next++;
    return (next == end || *next == ',' || *next == ']' || *next == '}') &&
           json_string_is_plain(string);
}

/* The value that has the stand-in; NULL when a later member of its name replaced it. */
static Json *find_stand_in(Json *value)
{
    Json *found = NULL;
    switch (json_object_get_type(value)) {
    case json_type_string:
        return strcmp(json_object_get_string(value), stand_in) == 0 ? value : NULL;
    case json_type_array:
        for (size_t i = 0; !found && i < json_object_array_length(value); i++)
            found = find_stand_in(json_object_array_get_idx(value, i));
        return found;
    case json_type_object: {
        json_object_object_foreach (value, name, member) {
            (void)name;
            if ((found = find_stand_in(member)) != NULL)
                return found;
        }
        return NULL;
    }
    default:
        return NULL;
    }
}

static int print_aside(Json *value, struct printbuf *out, int level, int flags)
{
    (void)level;
    Bytes text = bytes_of_gbytes(json_object_get_userdata(value));
    g_autoptr(Json) copy = json_object_new_string_len((const char *)text.data, (int)text.size);
    size_t size;
    const char *printed = json_object_to_json_string_length(copy, flags, &size);
    return printbuf_memappend(out, printed, (int)size);
}

static void release(gpointer bytes)
{
    g_bytes_unref(bytes);
}

static void release_aside(Json *value, void *bytes)
{
    (void)value;
    g_bytes_unref(bytes);
}

/* `string` lies in `text`, which is taken over. */
static void put_aside(Json *value, GBytes *text, uint8_t *string, size_t size)
{
    size = json_string_unescape(string, size);
    string[size] = '\0'; /* at its quote, or before */
    json_object_set_serializer(
        value, print_aside, g_bytes_new_with_free_func(string, size, release, text), release_aside);
}

/* --- reading a text ------------------------------------------------------------------------ */

/* `aside`, a part of the text, is left out of what json-c reads. */
static Json *read_all(struct json_tokener *tokener, Bytes text, Bytes aside, size_t *consumed)
{
    size_t before = aside.size > 0 ? (size_t)(aside.data - text.data) : text.size;
    Json *value = json_tokener_parse_ex(tokener, (const char *)text.data, (int)before);
    *consumed = json_tokener_get_parse_end(tokener);
    if (aside.size == 0 || json_tokener_get_error(tokener) != json_tokener_continue)
        return value;
    json_tokener_parse_ex(tokener, stand_in, 1);
    size_t after = before + aside.size;
    value =
        json_tokener_parse_ex(tokener, (const char *)text.data + after, (int)(text.size - after));
    *consumed = after + json_tokener_get_parse_end(tokener);
    return value;
}

static Json *refuse(GError **error, const char *reason)
{
    g_set_error(error, JSON_ERROR, JSON_ERROR_SYNTAX, "not JSON: %s", reason);
    return NULL;
}

/* *aside: the string of at least `smallest` bytes that is left out, or none. */
static Json *parse(Bytes text, size_t max_values, size_t smallest, Bytes *aside, GError **error)
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
    *aside = can_stand_aside(text, outline.longest, smallest) ? outline.longest : BYTES_EMPTY;
    g_autoptr(json_tokener) tokener = json_tokener_new_ex(JSON_MAX_DEPTH);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    size_t consumed;
    Json *value = read_all(tokener, text, *aside, &consumed);
    enum json_tokener_error state = json_tokener_get_error(tokener);
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

Json *json_parse(Bytes text, GError **error)
{
    return json_parse_bounded(text, G_MAXSIZE, error);
}

Json *json_parse_bounded(Bytes text, size_t max_values, GError **error)
{
    Bytes aside;
    return parse(text, max_values, G_MAXSIZE, &aside, error);
}

Json *json_parse_owned(uint8_t *text, size_t size, size_t max_values, size_t large, GError **error)
{
    g_autoptr(GBytes) owner = g_bytes_new_take(text, size);
    Bytes aside;
    Json *value = parse(bytes_of(text, size), max_values, large, &aside, error);
    Json *place = value && aside.size > 0 ? find_stand_in(value) : NULL;
    if (place)
        put_aside(place, g_steal_pointer(&owner), text + (aside.data - text), aside.size);
    return value;
}
