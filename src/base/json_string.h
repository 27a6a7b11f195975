/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands between the quotes of a JSON string (RFC 8259 §7), for texts of megabytes that are
 * unescaped where they stand instead of being copied.
 */
#pragma once

#include "base/bytes.h"

/* The quote that ends a string whose content begins at `at`; `end` when there is none. */
const uint8_t *json_string_end(const uint8_t *at, const uint8_t *end);

/* Whether readers agree on what content of valid UTF-8 means: no control character, no unknown or
 * incomplete escape, no surrogate (json-c takes the pairs of U+1D800 to U+1DFFF for broken ones).
 */
bool json_string_is_plain(Bytes content);

/* Unescapes plain content (asserted) in place; never longer afterwards. Returns its new size. */
size_t json_string_unescape(uint8_t *content, size_t size);
