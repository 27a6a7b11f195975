/* SPDX-License-Identifier: Apache-2.0 */
#include "tenant/python_text.h"

#include <string.h>

static void print_text(GString *out, const char *text)
{
    /* Python prefers single quotes unless only they occur in the text. */
    char quote = strchr(text, '\'') && !strchr(text, '"') ? '"' : '\'';
    g_string_append_c(out, quote);
    for (; *text; text = g_utf8_next_char(text)) {
        gunichar c = g_utf8_get_char(text);
        if (c == '\n')
            g_string_append(out, "\\n");
        else if (c == '\r')
            g_string_append(out, "\\r");
        else if (c == '\t')
            g_string_append(out, "\\t");
        else if (c == '\\' || c == (gunichar)quote)
            g_string_append_printf(out, "\\%c", (char)c);
        else if (c < 0x20 || c == 0x7f)
            g_string_append_printf(out, "\\x%02x", c);
        else
            g_string_append_unichar(out, c);
    }
    g_string_append_c(out, quote);
}

static void print_value(GString *out, Json *value)
{
    const char *separator = "";
    switch (json_object_get_type(value)) {
    case json_type_null:
        g_string_append(out, "None");
        break;
    case json_type_boolean:
        g_string_append(out, json_object_get_boolean(value) ? "True" : "False");
        break;
    case json_type_string:
        print_text(out, json_object_get_string(value));
        break;
    case json_type_array:
        g_string_append_c(out, '[');
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            g_string_append(out, separator);
            print_value(out, json_object_array_get_idx(value, i));
            separator = ", ";
        }
        g_string_append_c(out, ']');
        break;
    case json_type_object: {
        g_string_append_c(out, '{');
        json_object_object_foreach (value, name, member) {
            g_string_append(out, separator);
            print_text(out, name);
            g_string_append(out, ": ");
            print_value(out, member);
            separator = ", ";
        }
        g_string_append_c(out, '}');
        break;
    }
    default:
        g_string_append(out, json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
    }
}

char *python_repr(Json *value)
{
    GString *out = g_string_new(NULL);
    print_value(out, value);
    return g_string_free(out, FALSE);
}
