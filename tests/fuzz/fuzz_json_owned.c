/* SPDX-License-Identifier: Apache-2.0 */
/* JSON whose large string is read where it stands: every text is taken or refused as by the reader
 * that copies, with the same words, and prints as the same value. */
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Low, so that fuzzing reaches it. */
#define MAX_VALUES 64

static void check_printed(char *one, char *other)
{
    g_assert_cmpstr(one, ==, other);
    g_free(one);
    g_free(other);
}

static void check_same(Json *copied, Json *owned)
{
    check_printed(json_to_text(copied), json_to_text(owned));
    check_printed(json_to_python_text(copied), json_to_python_text(owned));
    Json *one = json_member(copied, "data"), *other = json_member(owned, "data");
    g_assert_cmpstr(json_text(one), ==, json_text(other));
    g_autoptr(GBytes) bytes = json_string_bytes(one), same = json_string_bytes(other);
    g_assert((bytes == NULL) == (same == NULL));
    g_assert(!bytes || g_bytes_equal(bytes, same));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL, same = NULL;
    g_autoptr(Json) copied = json_parse_bounded(bytes_of(data, size), MAX_VALUES, &error);
    g_autoptr(Json) owned = json_parse_owned(g_memdup2(data, size), size, MAX_VALUES, 1, &same);
    g_assert((copied == NULL) == (owned == NULL));
    if (copied)
        check_same(copied, owned);
    else
        g_assert_cmpstr(error->message, ==, same->message);
    return 0;
}
