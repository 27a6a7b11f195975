/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "base/encoding.h"
#include "base/secret.h"

#include <errno.h>
#include <math.h>
#include <string.h>

G_DEFINE_QUARK(json - error - quark, json_error)

/* The content of a string: json_parse_owned() leaves a large one beside its value. */
static Bytes content_of(Json *string)
{
    GBytes *aside = json_object_get_userdata(string);
    return aside ? bytes_of_gbytes(aside)
                 : bytes_of(json_object_get_string(string),
                            (size_t)json_object_get_string_len(string));
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
    Bytes content = content_of(value);
    return memchr(content.data, '\0', content.size) ? NULL : (const char *)content.data;
}

GBytes *json_string_bytes(Json *value)
{
    if (!json_object_is_type(value, json_type_string))
        return NULL;
    GBytes *aside = json_object_get_userdata(value);
    return aside ? g_bytes_ref(aside) : bytes_copy(content_of(value));
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
    Bytes content = value ? content_of(value) : BYTES_EMPTY;
    /* The text lies in the value's own memory; json-c has no call to overwrite it. */
    secret_wipe((uint8_t *)content.data, content.size);
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

void json_add_sentence(Json *object, const char *name, const char *text)
{
    g_autofree char *shown =
        g_utf8_validate(text, -1, NULL) ? NULL : utf8_escape(bytes_of_text(text));
    json_add_text(object, name, shown ? shown : text);
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
    Bytes content = content_of(value);
    const char *text = (const char *)content.data, *end = text + content.size;
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
