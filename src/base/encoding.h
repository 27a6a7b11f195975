/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text forms of bytes: hexadecimal and base64, strict in what they accept.
 */
#pragma once

#include "base/bytes.h"

/* Lower-case hexadecimal, newly allocated. */
char *hex_encode(Bytes bytes);
/* Hex digits of either case, an even number of them, nothing else; NULL otherwise. */
GBytes *hex_decode(const char *text);
/* The same into memory of the caller's that has text.size / 2 bytes. False for anything else, and
 * what was written does not count. */
bool hex_decode_to(Bytes text, uint8_t *out);

/* UTF-8 text that shows any bytes: what is no UTF-8, and control characters, become \xHH. Newly
 * allocated. */
char *utf8_escape(Bytes bytes);

/* Standard alphabet (RFC 4648 section 4) with padding, newly allocated. */
char *base64_encode(Bytes bytes);
/* URL alphabet (RFC 4648 section 5) without padding, newly allocated. */
char *base64url_encode(Bytes bytes);

/*
 * Standard alphabet, complete padding, no blanks, zero trailing bits. NULL for anything else, so
 * that one sequence of bytes has one text (base64 malleability would let two texts pass as one
 * proof). The empty text decodes to no bytes.
 */
GBytes *base64_decode(const char *text);
