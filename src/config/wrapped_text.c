/* SPDX-License-Identifier: Apache-2.0 */
#include "config/wrapped_text.h"

#include <glib.h>
#include <string.h>

#define PAGE_WIDTH 96

void wrapped_text_print(FILE *out, unsigned indent, const char *prefix, const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    size_t column = 0;
    for (guint i = 0; words[i]; i++) {
        size_t width = strlen(words[i]);
        if (column > 0 && column + 1 + width > PAGE_WIDTH) {
            fputc('\n', out);
            column = 0;
        }
        if (column == 0)
            column = (size_t)fprintf(out, "%*s%s%s", (int)indent, "", prefix, words[i]);
        else
            column += (size_t)fprintf(out, " %s", words[i]);
    }
    fputc('\n', out);
}
