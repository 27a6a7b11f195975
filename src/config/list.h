/* SPDX-License-Identifier: Apache-2.0 */
/*
 * List values: Python list literals, and bare words with or without brackets
 * (configuration-and-operations §2.1, decision D111; the agent's lists: push-agent §3.3). Pure.
 */
#pragma once

#include "base/bytes.h"

/*
 * The elements as texts, NULL-terminated, newly allocated (g_strfreev):
 *   ['a', "b"]        a, b      blanks at both ends of an element are trimmed, as upstream does
 *   [cacert.crt]      cacert.crt
 *   a, b  or  a b     a, b
 *   [{'x': 1}, 2]     {'x': 1}, 2     anything but a string: its source text
 *   empty             no elements
 * NULL and a reason (newly allocated) for anything else. `text` need not be valid UTF-8.
 */
char **list_parse(Bytes text, char **reason);
