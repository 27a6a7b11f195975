/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/yaml_map.h"

#include "base/encoding.h"

#include <string.h>

#define BINARY_TAG "!!binary"
#define BINARY_COLUMNS 76

static void yaml_value_free(gpointer data)
{
    YamlValue *value = data;
    g_free(value->text);
    g_clear_pointer(&value->bytes, g_bytes_unref);
    g_clear_pointer(&value->list, g_ptr_array_unref);
    g_free(value);
}

/* A plain or quoted scalar without its quotes; NULL when a quote is open or escapes are used. */
static char *unquote(const char *text)
{
    g_autofree char *trimmed = g_strstrip(g_strdup(text));
    size_t length = strlen(trimmed);
    if (*trimmed != '\'' && *trimmed != '"')
        return g_steal_pointer(&trimmed);
    if (length < 2 || trimmed[length - 1] != *trimmed || strchr(trimmed, '\\'))
        return NULL;
    char quote[2] = {*trimmed, 0};
    trimmed[length - 1] = '\0';
    if (strstr(trimmed + 1, quote)) /* '' inside single quotes: no name of ours has it */
        return NULL;
    return g_strdup(trimmed + 1);
}

/* Lines of a block scalar or list after its introducing line; advances *line past them. */
static char *take_indented(char **lines, guint *line)
{
    GString *joined = g_string_new(NULL);
    while (lines[*line] && (lines[*line][0] == ' ' || lines[*line][0] == '\0')) {
        g_autofree char *part = g_strstrip(g_strdup(lines[*line]));
        g_string_append(joined, part);
        (*line)++;
    }
    return g_string_free(joined, FALSE);
}

static bool parse_binary(const char *rest, char **lines, guint *line, YamlValue *out)
{
    g_autofree char *encoded = NULL;
    if (*rest == '|') /* also "|-" and "|+": blanks at the end mean nothing in base64 */
        encoded = take_indented(lines, line);
    else
        encoded = unquote(rest);
    out->kind = YAML_BINARY;
    out->bytes = encoded ? base64_decode(encoded) : NULL;
    return out->bytes != NULL;
}

static bool add_item(GPtrArray *list, const char *text)
{
    char *item = unquote(text);
    if (item)
        g_ptr_array_add(list, item);
    return item != NULL;
}

/* `[a, 'b']` */
static bool parse_flow_list(const char *rest, YamlValue *out)
{
    size_t length = strlen(rest);
    if (rest[length - 1] != ']')
        return false;
    g_autofree char *inside = g_strndup(rest + 1, length - 2);
    g_strstrip(inside);
    if (*inside == '\0')
        return true;
    g_auto(GStrv) items = g_strsplit(inside, ",", -1);
    for (guint i = 0; items[i]; i++) {
        if (!add_item(out->list, items[i]))
            return false;
    }
    return true;
}

/* `- a` lines, indented or not. */
static bool parse_block_list(char **lines, guint *line, YamlValue *out)
{
    for (; lines[*line]; (*line)++) {
        const char *text = lines[*line] + strspn(lines[*line], " ");
        if (*text != '-')
            return true;
        if (!add_item(out->list, text + 1))
            return false;
    }
    return true;
}

static bool parse_value(const char *rest, char **lines, guint *line, YamlValue *out)
{
    rest += strspn(rest, " ");
    if (g_str_has_prefix(rest, BINARY_TAG)) {
        rest += strlen(BINARY_TAG);
        return parse_binary(rest + strspn(rest, " "), lines, line, out);
    }
    if (*rest == '[' || *rest == '\0') {
        out->kind = YAML_LIST;
        out->list = g_ptr_array_new_with_free_func(g_free);
        return *rest == '[' ? parse_flow_list(rest, out) : parse_block_list(lines, line, out);
    }
    out->kind = YAML_TEXT;
    out->text = strchr("{|>&*!", *rest) ? NULL : unquote(rest);
    return out->text != NULL;
}

/* `name: value`; advances *line past the member. */
static bool parse_member(char **lines, guint *line, GHashTable *map)
{
    char *text = lines[(*line)++];
    char *colon = strchr(text, ':');
    if (!colon || *text == ' ' || (colon[1] != ' ' && colon[1] != '\0'))
        return false;
    g_autofree char *quoted = g_strndup(text, (gsize)(colon - text));
    g_autofree char *name = unquote(quoted);
    if (!name || *name == '\0' || g_hash_table_contains(map, name))
        return false;
    YamlValue *value = g_new0(YamlValue, 1);
    bool good = parse_value(colon + 1, lines, line, value);
    g_hash_table_insert(map, g_steal_pointer(&name), value);
    return good;
}

GHashTable *yaml_map_parse(const char *text, const char **reason)
{
    g_autoptr(GHashTable) map =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, yaml_value_free);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    guint line = 0;
    while (lines[line]) {
        g_strchomp(lines[line]);
        if (*lines[line] == '\0' || *lines[line] == '#' || strcmp(lines[line], "---") == 0) {
            line++;
        } else if (!parse_member(lines, &line, map)) {
            *reason = "no YAML mapping of names to texts, lists and !!binary values";
            return NULL;
        }
    }
    return g_steal_pointer(&map);
}

void yaml_map_append_text(GString *out, const char *name, const char *plain)
{
    g_string_append_printf(out, "%s: %s\n", name, plain);
}

void yaml_map_append_binary(GString *out, const char *name, Bytes bytes)
{
    g_autofree char *encoded = base64_encode(bytes);
    size_t length = strlen(encoded);
    g_string_append_printf(out, "%s: " BINARY_TAG " |\n", name);
    for (size_t at = 0; at < length; at += BINARY_COLUMNS)
        g_string_append_printf(out, "  %.*s\n", BINARY_COLUMNS, encoded + at);
}

void yaml_map_append_list(GString *out, const char *name, const GPtrArray *texts)
{
    g_string_append_printf(out, texts->len ? "%s:\n" : "%s: []\n", name);
    for (guint i = 0; i < texts->len; i++)
        g_string_append_printf(out, "- '%s'\n", (const char *)texts->pdata[i]);
}
