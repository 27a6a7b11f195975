/* SPDX-License-Identifier: Apache-2.0 */
/* Text for a terminal. */
#pragma once

#include <stdio.h>

/* `text` in lines of words, each line behind `indent` spaces and `prefix`. */
void wrapped_text_print(FILE *out, unsigned indent, const char *prefix, const char *text);
