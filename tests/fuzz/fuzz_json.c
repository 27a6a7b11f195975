/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: what is accepted can be printed in both forms, and read again from each as the same value.
 */
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_printed(Json *value, char *text)
{
    g_autofree char *owned = text;
    g_autoptr(Json) again = json_parse(bytes_of_text(owned), NULL);
    g_assert(again && json_object_get_type(again) == json_object_get_type(value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Json) value = json_parse(bytes_of(data, size), &error);
    g_assert((value == NULL) == (error != NULL));
    if (!value)
        return 0;
    check_printed(value, json_to_text(value));
    check_printed(value, json_to_python_text(value));
    gint64 number;
    json_member_int(value, "data", true, &number);
    g_autofree const char **texts = json_member_texts(value, "data");
    return 0;
}
