/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/attestation/field.h"

#include "base/encoding.h"

#include <string.h>

static void free_value(gpointer value)
{
    json_unref(value);
}

FieldKeep *field_keep_new(void)
{
    FieldKeep *keep = g_new0(FieldKeep, 1);
    keep->values = g_ptr_array_new_with_free_func(free_value);
    keep->lists = g_ptr_array_new_with_free_func(g_free);
    return keep;
}

void field_keep_free(FieldKeep *keep)
{
    if (!keep)
        return;
    g_ptr_array_unref(keep->values);
    g_ptr_array_unref(keep->lists);
    g_free(keep);
}

char *field_pointer(const FieldReader *reader, const char *name, int index)
{
    if (!name)
        return g_strdup(reader->pointer);
    return index < 0 ? g_strdup_printf("%s/%s", reader->pointer, name)
                     : g_strdup_printf("%s/%s/%d", reader->pointer, name, index);
}

void field_wrong(const FieldReader *reader, const char *name, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_autofree char *pointer = field_pointer(reader, name, -1);
    const char *last = strrchr(pointer, '/');
    api_errors_add(reader->errors, 422, "invalid_resource_data", pointer, "Attribute '%s' %s.",
                   name ? name : last + 1, message);
}

/* The member, unless it is one of the forms of "not said". */
static Json *member_said(const FieldReader *reader, const char *name)
{
    Json *value = json_member(reader->object, name);
    if (value && json_object_is_type(value, json_type_string) &&
        json_object_get_string_len(value) == 0)
        return NULL;
    return value;
}

const char *field_text(const FieldReader *reader, const char *name)
{
    Json *value = member_said(reader, name);
    if (!value)
        return NULL;
    const char *text = json_text(value);
    if (!text)
        field_wrong(reader, name, "is of an incorrect type");
    else if (strlen(text) > FIELD_MAX_TEXT)
        field_wrong(reader, name, "may have at most %d bytes", FIELD_MAX_TEXT);
    else
        return text;
    return NULL;
}

/* The member as a value of `type`, read from its text if it is one. */
static Json *member_cast(const FieldReader *reader, const char *name, json_type type)
{
    Json *value = member_said(reader, name);
    if (!value || json_object_is_type(value, type))
        return value;
    const char *text = json_text(value);
    Json *parsed = text ? json_parse(bytes_of_text(text), NULL) : NULL;
    if (parsed)
        g_ptr_array_add(reader->keep->values, parsed);
    return parsed && json_object_is_type(parsed, type) ? parsed : NULL;
}

Json *field_list(const FieldReader *reader, const char *name, size_t limit)
{
    Json *list = member_cast(reader, name, json_type_array);
    if (!list) {
        if (member_said(reader, name))
            field_wrong(reader, name, "must be a valid JSON array");
        return NULL;
    }
    if (json_object_array_length(list) > limit) {
        field_wrong(reader, name, "may contain at most %zu elements", limit);
        return NULL;
    }
    return list;
}

Json *field_object(const FieldReader *reader, const char *name)
{
    Json *object = member_cast(reader, name, json_type_object);
    if (!object && member_said(reader, name))
        field_wrong(reader, name, "is not a permitted value");
    return object;
}

const char **field_words(const FieldReader *reader, const char *name)
{
    Json *list = field_list(reader, name, FIELD_MAX_WORDS);
    if (!list)
        return NULL;
    size_t count = json_object_array_length(list);
    const char **words = g_new0(const char *, count + 1);
    g_ptr_array_add(reader->keep->lists, words);
    for (size_t i = 0; i < count; i++) {
        words[i] = json_text(json_object_array_get_idx(list, i));
        if (!words[i] || strlen(words[i]) > FIELD_MAX_TEXT) {
            field_wrong(reader, name, "must be a list of names");
            return NULL;
        }
    }
    return words;
}

bool field_int(const FieldReader *reader, const char *name, gint64 *out)
{
    if (!member_said(reader, name))
        return false;
    if (json_member_int(reader->object, name, true, out))
        return true;
    field_wrong(reader, name, "is of an incorrect type");
    return false;
}

bool field_bool(const FieldReader *reader, const char *name, bool otherwise)
{
    bool value = otherwise;
    if (member_said(reader, name) && !json_member_bool(reader->object, name, &value))
        field_wrong(reader, name, "is of an incorrect type");
    return value;
}

GBytes *field_binary(const FieldReader *reader, const char *name, size_t limit)
{
    Json *value = member_said(reader, name);
    if (!value)
        return NULL;
    const char *text = json_text(value);
    /* Hexadecimal digits are base64 letters too; only the prefix tells for sure. */
    bool prefixed = text && g_str_has_prefix(text, "0x");
    g_autoptr(GBytes) bytes = prefixed ? hex_decode(text + 2) : NULL;
    if (text && !bytes)
        bytes = base64_decode(text);
    if (text && !bytes)
        bytes = hex_decode(text);
    if (!bytes) {
        field_wrong(reader, name, "must be valid binary");
        return NULL;
    }
    if (g_bytes_get_size(bytes) > limit) {
        field_wrong(reader, name, "may have at most %zu bytes", limit);
        return NULL;
    }
    return g_steal_pointer(&bytes);
}
