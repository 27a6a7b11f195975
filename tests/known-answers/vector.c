/* SPDX-License-Identifier: Apache-2.0 */
#include "vector.h"

#include "base/encoding.h"

#include <stdio.h>
#include <string.h>

void case_begin(Tally *tally, Json *entry, size_t position)
{
    static char number[32];
    const char *name = json_member_text(entry, "id");
    if (!name)
        name = json_member_text(entry, "note");
    if (!name)
        name = json_member_text(entry, "about");
    g_snprintf(number, sizeof number, "#%zu", position);
    tally->current = name ? name : number;
    tally->current_failed = false;
}

void case_end(Tally *tally)
{
    if (tally->current_failed)
        tally->failed++;
    else
        tally->passed++;
    tally->current = NULL;
}

static void differs(Tally *tally, const char *what, const char *expected, const char *got)
{
    printf("%s: %s: %s: expected %s, got %s\n", tally->file, tally->current, what, expected, got);
    tally->current_failed = true;
}

void expect_text(Tally *tally, const char *what, const char *expected, const char *got)
{
    if (g_strcmp0(expected, got) != 0)
        differs(tally, what, expected ? expected : "nothing", got ? got : "nothing");
}

void expect_bytes(Tally *tally, const char *what, Bytes expected, Bytes got)
{
    g_autofree char *a = hex_encode(expected);
    g_autofree char *b = hex_encode(got);
    expect_text(tally, what, a, b);
}

void expect_number(Tally *tally, const char *what, guint64 expected, guint64 got)
{
    g_autofree char *a = g_strdup_printf("%" G_GUINT64_FORMAT, expected);
    g_autofree char *b = g_strdup_printf("%" G_GUINT64_FORMAT, got);
    expect_text(tally, what, a, b);
}

void expect_verdict(Tally *tally, const char *expected, bool accepted, const char *reason)
{
    const char *got = accepted ? "accept" : "reject";
    if (g_strcmp0(expected, got) == 0)
        return;
    g_autofree char *text = g_strdup_printf("%s (%s)", got, reason ? reason : "no reason");
    differs(tally, "verdict", expected ? expected : "nothing", text);
}

GBytes *member_bytes(Json *entry, const char *name)
{
    const char *text = json_member_text(entry, name);
    GBytes *bytes = hex_decode(text ? text : "");
    if (!bytes)
        g_error("member %s is not hexadecimal", name);
    return bytes;
}

GBytes *read_vector_file(Tally *tally, const char *name)
{
    g_autofree char *path = g_build_filename(tally->folder, name, NULL);
    char *content;
    gsize size;
    g_autoptr(GError) error = NULL;
    if (g_file_get_contents(path, &content, &size, &error))
        return g_bytes_new_take(content, size);
    expect_text(tally, "file", NULL, error->message);
    return NULL;
}

guint64 member_number(Json *entry, const char *name)
{
    gint64 number;
    if (json_member_int(entry, name, false, &number))
        return (guint64)number;
    const char *text = json_member_text(entry, name);
    return text ? g_ascii_strtoull(text, NULL, 0) : 0;
}

const char *expected_verdict(Json *entry)
{
    Json *expect = json_member(entry, "expect");
    const char *strict = json_member_text(expect, "strict");
    return strict ? strict : json_member_text(expect, "recommended");
}

size_t array_length(Json *document, const char *name)
{
    Json *array = json_member_of_type(document, name, json_type_array);
    return array ? json_object_array_length(array) : 0;
}

Json *array_entry(Json *document, const char *name, size_t position)
{
    return json_object_array_get_idx(json_member(document, name), position);
}
