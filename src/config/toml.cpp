/* SPDX-License-Identifier: Apache-2.0 */
#include "config/toml.h"

/* Included as headers, not linked: the fuzzer then sees the parser's branches, too. */
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include <cstring>
#include <exception>
#include <sstream>
#include <string>

namespace
{

void entry_free(gpointer data)
{
    auto *entry = static_cast<TomlEntry *>(data);
    g_free(entry->table);
    g_free(entry->name);
    g_free(entry->text);
    g_strfreev(entry->list);
    g_free(entry);
}

template <typename T> std::string source_form(const T &node)
{
    std::ostringstream out;
    out << node;
    return out.str();
}

/* Text of a scalar; false for a date, a time, a table or an array. */
bool scalar_text(const toml::node &node, std::string &text, TomlType &type)
{
    if (const auto *value = node.as_string()) {
        text = value->get();
        type = TOML_TEXT;
    } else if (const auto *value = node.as_integer()) {
        text = std::to_string(value->get());
        type = TOML_INT;
    } else if (const auto *value = node.as_floating_point()) {
        text = source_form(*value);
        type = TOML_REAL;
    } else if (const auto *value = node.as_boolean()) {
        text = value->get() ? "true" : "false";
        type = TOML_BOOL;
    } else {
        return false;
    }
    return true;
}

/* C strings end at a NUL: a value that holds one must not be used cut short. */
bool holds_nul(const std::string &text)
{
    return text.find('\0') != std::string::npos;
}

void read_array(const toml::array &array, TomlEntry *entry)
{
    GPtrArray *elements = g_ptr_array_new_with_free_func(g_free);
    entry->type = TOML_LIST;
    for (const toml::node &element : array) {
        std::string text;
        TomlType type;
        if (!scalar_text(element, text, type) || holds_nul(text)) {
            entry->type = TOML_OTHER;
            g_ptr_array_unref(elements);
            return;
        }
        g_ptr_array_add(elements, g_strdup(text.c_str()));
    }
    g_ptr_array_set_free_func(elements, nullptr);
    g_ptr_array_add(elements, nullptr);
    entry->list = reinterpret_cast<char **>(g_ptr_array_free(elements, FALSE));
}

void read_value(const std::string &table, const std::string &name, const toml::node &node,
                GPtrArray *out)
{
    auto *entry = g_new0(TomlEntry, 1);
    g_ptr_array_add(out, entry);
    entry->table = g_strdup(table.c_str());
    entry->name = g_strdup(name.c_str());
    entry->line = static_cast<unsigned>(node.source().begin.line);
    entry->column = static_cast<unsigned>(node.source().begin.column);
    std::string text;
    if (const auto *array = node.as_array()) {
        read_array(*array, entry);
        text = source_form(*array);
    } else if (!scalar_text(node, text, entry->type) || holds_nul(text)) {
        entry->type = TOML_OTHER;
        text = source_form(toml::node_view<const toml::node>(node));
    }
    entry->text = g_strdup(text.c_str());
}

/* toml++ bounds the depth of its input (TOML_MAX_NESTED_VALUES), and so of this recursion. */
void read_table(const std::string &path, const toml::table &table, GPtrArray *out)
{
    for (const auto &[key, node] : table) {
        const std::string name(key.str());
        if (const auto *child = node.as_table())
            read_table(path.empty() ? name : path + "." + name, *child, out);
        else
            read_value(path, name, node, out);
    }
}

} // namespace

GPtrArray *toml_read(const void *text, size_t size, char **problem)
{
    if (size >= 3 && std::memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        *problem = g_strdup("1:1: byte order mark: save the file as UTF-8 without it");
        return nullptr;
    }
    GPtrArray *out = g_ptr_array_new_with_free_func(entry_free);
    /* No exception may cross into C. */
    try {
        const std::string_view source(static_cast<const char *>(text), size);
        read_table("", toml::parse(source), out);
        return out;
    } catch (const toml::parse_error &error) {
        const std::string reason(error.description());
        *problem =
            g_strdup_printf("%u:%u: %s", static_cast<unsigned>(error.source().begin.line),
                            static_cast<unsigned>(error.source().begin.column), reason.c_str());
    } catch (const std::exception &error) {
        *problem = g_strdup_printf("1:1: %s", error.what());
    }
    g_ptr_array_unref(out);
    return nullptr;
}
