/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text as the Python programs that wrote the operator's files see it: which characters are blanks,
 * and what stripping removes (configuration-and-operations §2, §2.1).
 */
#pragma once

#include "base/bytes.h"

/* str.isspace() for one character: wider than isspace(3), so that a pasted no-break space is a
 * blank. */
bool python_is_blank(gunichar character);
/* str.strip() of valid UTF-8; a view into `text`. */
Bytes python_strip(Bytes text);
/* str.rstrip(). */
Bytes python_strip_right(Bytes text);
/* Remove any run of `"` and space from both ends: what upstream does with each text value. */
Bytes python_strip_quotes(Bytes text);
/* New NUL-terminated copy of a view without NUL bytes. */
char *python_text_copy(Bytes text);
