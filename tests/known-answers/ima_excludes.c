/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/exclude_list.h"

#include "ima_readers.h"

#include <string.h>

/* The one construct of Python that is refused for want of an equal: characters by name (ima §8.2).
 */
static bool names_a_character(Json *patterns)
{
    for (size_t i = 0; i < json_object_array_length(patterns); i++)
        if (strstr(json_object_get_string(json_object_array_get_idx(patterns, i)), "\\N{"))
            return true;
    return false;
}

void read_excludes(Json *document, Tally *tally)
{
    g_autoptr(ExcludeScratch) scratch = exclude_scratch_new();
    FOR_EACH_CASE(document, "cases", entry, position)
    {
        case_begin(tally, entry, position);
        Json *texts = json_member(entry, "patterns");
        size_t count = json_object_array_length(texts);
        g_autofree Bytes *patterns = g_new(Bytes, count);
        for (size_t i = 0; i < count; i++) {
            Json *text = json_object_array_get_idx(texts, i);
            patterns[i] =
                bytes_of(json_object_get_string(text), (size_t)json_object_get_string_len(text));
        }
        Json *path = json_member(entry, "path");
        bool compiles = false, excluded = false;
        json_member_bool(entry, "compiles", &compiles);
        json_member_bool(entry, "excluded", &excluded);
        if (names_a_character(texts))
            compiles = excluded = false;
        g_autoptr(GError) error = NULL;
        g_autoptr(ExcludeList) list = exclude_list_compile_joined(patterns, count, &error);
        expect_verdict(tally, compiles ? "accept" : "reject", list != NULL,
                       error ? error->message : NULL);
        Bytes name =
            bytes_of(json_object_get_string(path), (size_t)json_object_get_string_len(path));
        expect_number(tally, "excluded", excluded, exclude_list_matches(list, scratch, name));
        case_end(tally);
    }
}
