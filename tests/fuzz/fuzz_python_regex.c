/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions, one a line: what the translation accepts compiles, or PCRE2 says why not; matching
 * ends. */
#include "policy/exclude_list.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void match(const ExcludeList *list, Bytes text)
{
    g_autoptr(ExcludeScratch) scratch = exclude_scratch_new();
    exclude_list_matches(list, scratch, text);
    exclude_list_matches(list, scratch, bytes_of_text("/usr/bin/tool"));
    exclude_list_matches(list, scratch, BYTES_EMPTY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 4096)
        return 0;
    g_autofree Bytes *patterns = g_new(Bytes, size + 1);
    size_t count = 0;
    const uint8_t *at = data, *end = data + size;
    while (at < end) {
        const uint8_t *line = memchr(at, '\n', (size_t)(end - at));
        line = line ? line : end;
        patterns[count++] = bytes_of(at, (size_t)(line - at));
        at = line < end ? line + 1 : end;
    }
    g_autoptr(GError) error = NULL;
    size_t index;
    g_autoptr(ExcludeList) list = exclude_list_compile(patterns, count, &index, &error);
    g_assert((list == NULL) == (error != NULL) && index <= count);
    match(list, bytes_of(data, size));
    g_autoptr(ExcludeList) joined = exclude_list_compile_joined(patterns, count, NULL);
    match(joined, bytes_of(data, size));
    g_assert(joined || !list || count > 1);
    return 0;
}
