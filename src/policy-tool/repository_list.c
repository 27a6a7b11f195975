/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-tool/repository_list.h"

#include <libxml/xmlreader.h>
#include <string.h>

G_DEFINE_QUARK(repository - list - error - quark, repository_list_error)

void repository_file_free(RepositoryFile *file)
{
    if (!file)
        return;
    g_free(file->place);
    g_free(file->sha256);
    g_free(file);
}

static void set_error(GError **error, const char *reason)
{
    g_set_error(error, REPOSITORY_LIST_ERROR, REPOSITORY_LIST_ERROR_FORM, "repository: %s", reason);
}

/* A place is below the repository: it is no address of its own and leads nowhere else. */
static bool is_inside(const char *place)
{
    g_auto(GStrv) steps = g_strsplit(place, "/", -1);
    return *place && *place != '/' && !strstr(place, "://") &&
           !g_strv_contains((const char *const *)steps, "..");
}

/* --- XML ----------------------------------------------------------------------------------------
 */

typedef xmlTextReader XmlReader;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(XmlReader, xmlFreeTextReader)

/* No network, no entities of its own: the size of what is read is that of the text. */
static XmlReader *open_xml(Bytes text)
{
    return text.size > G_MAXINT
               ? NULL
               : xmlReaderForMemory((const char *)text.data, (int)text.size, NULL, NULL,
                                    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                                        XML_PARSE_HUGE);
}

static bool begins_element(XmlReader *reader, const char *name)
{
    return xmlTextReaderNodeType(reader) == XML_READER_TYPE_ELEMENT &&
           strcmp((const char *)xmlTextReaderConstLocalName(reader), name) == 0;
}

static bool ends_element(XmlReader *reader, const char *name)
{
    return xmlTextReaderNodeType(reader) == XML_READER_TYPE_END_ELEMENT &&
           strcmp((const char *)xmlTextReaderConstLocalName(reader), name) == 0;
}

/* Newly allocated; NULL when absent. */
static char *attribute(XmlReader *reader, const char *name)
{
    xmlChar *value = xmlTextReaderGetAttribute(reader, (const xmlChar *)name);
    char *copy = g_strdup((const char *)value);
    xmlFree(value);
    return copy;
}

static char *element_text(XmlReader *reader)
{
    xmlChar *value = xmlTextReaderReadString(reader);
    char *copy = value ? g_strstrip(g_strdup((const char *)value)) : NULL;
    xmlFree(value);
    return copy;
}

/* Inside of an element that describes a file: its place, its checksum. */
static void read_file_member(XmlReader *reader, RepositoryFile *file)
{
    if (begins_element(reader, "location")) {
        g_free(file->place);
        file->place = attribute(reader, "href");
    } else if (begins_element(reader, "checksum")) {
        g_autofree char *type = attribute(reader, "type");
        if (g_strcmp0(type, "sha256") != 0)
            return;
        g_free(file->sha256);
        file->sha256 = element_text(reader);
    }
}

static bool check_end(int result, GError **error)
{
    if (result == 0)
        return true;
    set_error(error, "a list is no well-formed XML");
    return false;
}

static bool check_place(const RepositoryFile *file, GError **error)
{
    if (file->place && is_inside(file->place))
        return true;
    set_error(error, "a list names a file that is not below the repository");
    return false;
}

RepositoryFile *repomd_find(Bytes repomd, const char *type, GError **error)
{
    g_autoptr(XmlReader) reader = open_xml(repomd);
    g_autoptr(RepositoryFile) file = NULL;
    bool inside = false;
    int result = reader ? xmlTextReaderRead(reader) : -1;
    for (; result == 1; result = xmlTextReaderRead(reader)) {
        if (begins_element(reader, "data")) {
            g_autofree char *name = attribute(reader, "type");
            inside = !file && g_strcmp0(name, type) == 0;
            if (inside)
                file = g_new0(RepositoryFile, 1);
        } else if (ends_element(reader, "data")) {
            inside = false;
        } else if (inside) {
            read_file_member(reader, file);
        }
    }
    if (!check_end(result, error) || (file && !check_place(file, error)))
        return NULL;
    return g_steal_pointer(&file);
}

GPtrArray *primary_packages(Bytes primary, GError **error)
{
    g_autoptr(XmlReader) reader = open_xml(primary);
    g_autoptr(GPtrArray) files =
        g_ptr_array_new_with_free_func((GDestroyNotify)repository_file_free);
    g_autoptr(RepositoryFile) file = NULL;
    int result = reader ? xmlTextReaderRead(reader) : -1;
    for (; result == 1; result = xmlTextReaderRead(reader)) {
        if (begins_element(reader, "package")) {
            g_clear_pointer(&file, repository_file_free);
            file = g_new0(RepositoryFile, 1);
        } else if (ends_element(reader, "package") && file) {
            if (!check_place(file, error))
                return NULL;
            g_ptr_array_add(files, g_steal_pointer(&file));
        } else if (file) {
            read_file_member(reader, file);
        }
    }
    return check_end(result, error) ? g_steal_pointer(&files) : NULL;
}

bool filelists_files(Bytes filelists, FilelistsFile each, gpointer data, GError **error)
{
    g_autoptr(XmlReader) reader = open_xml(filelists);
    int result = reader ? xmlTextReaderRead(reader) : -1;
    for (; result == 1; result = xmlTextReaderRead(reader)) {
        g_autofree char *digest = begins_element(reader, "file") ? attribute(reader, "hash") : NULL;
        g_autofree char *path = digest ? element_text(reader) : NULL;
        if (path && *path)
            each(path, digest, data);
    }
    return check_end(result, error);
}

/* --- Debian -------------------------------------------------------------------------------------
 */

static void take_field(const char *line, const char *name, char **value)
{
    if (!g_str_has_prefix(line, name))
        return;
    g_free(*value);
    *value = g_strstrip(g_strdup(line + strlen(name)));
}

GPtrArray *debian_packages(Bytes packages, GError **error)
{
    g_autoptr(GPtrArray) files =
        g_ptr_array_new_with_free_func((GDestroyNotify)repository_file_free);
    g_autoptr(RepositoryFile) file = g_new0(RepositoryFile, 1);
    const char *at = (const char *)packages.data, *end = at + packages.size;
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        line_end = line_end ? line_end : end;
        g_autofree char *line = g_strndup(at, (gsize)(line_end - at));
        at = line_end < end ? line_end + 1 : end;
        take_field(line, "Filename:", &file->place);
        take_field(line, "SHA256:", &file->sha256);
        if ((*line && at < end) || !file->place)
            continue; /* within a paragraph, or between two */
        if (g_str_has_prefix(file->place, "./"))
            memmove(file->place, file->place + 2, strlen(file->place) - 1);
        if (!check_place(file, error))
            return NULL;
        g_ptr_array_add(files, g_steal_pointer(&file));
        file = g_new0(RepositoryFile, 1);
    }
    return g_steal_pointer(&files);
}
