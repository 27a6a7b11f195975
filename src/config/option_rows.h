/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of an option table, for a source file that defines OPTION_SECTION as the section's name.
 * Further members of Option follow after the help: TEXT("ip", "::", "Address.", .check = f).
 */
#pragma once

#include "config/option.h"

#define OPTION_ROW(type_, name_, default_, ...)                                                    \
    {                                                                                              \
        .section = OPTION_SECTION, .name = name_, .type = type_, .default_text = default_,         \
        .help = __VA_ARGS__                                                                        \
    }
#define TEXT(name_, default_, ...) OPTION_ROW(OPTION_TEXT, name_, default_, __VA_ARGS__)
#define LIST(name_, default_, ...) OPTION_ROW(OPTION_LIST, name_, default_, __VA_ARGS__)
#define BOOL(name_, default_, ...) OPTION_ROW(OPTION_BOOL, name_, default_, __VA_ARGS__)
#define WORD(name_, default_, words_, ...)                                                         \
    OPTION_ROW(OPTION_WORD, name_, default_, __VA_ARGS__, .words = words_)
#define INT(name_, default_, low_, high_, ...)                                                     \
    OPTION_ROW(OPTION_INT, name_, default_, __VA_ARGS__, .minimum = low_, .maximum = high_)
#define REAL(name_, default_, low_, high_, ...)                                                    \
    OPTION_ROW(OPTION_REAL, name_, default_, __VA_ARGS__, .minimum = low_, .maximum = high_)
