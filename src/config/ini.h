/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The INI dialect of the operator's files, as Python's raw parser reads it
 * (configuration-and-operations §2). Pure: text in, entries and problems out.
 *
 * An own reader because neither GLib's key files nor inih can meet that grammar: GLib knows only
 * `=`, keeps case, has no continuation lines and takes `[a]` inside a value for a group; inih cuts
 * lines at a fixed length, merges duplicates silently, and hides the difference of a comment and a
 * blank line inside a continued value.
 */
#pragma once

#include "base/bytes.h"

typedef struct {
    char *section; /* "DEFAULT" for the section whose options every other one inherits */
    char *name;    /* lower case */
    char *value;   /* without surrounding blanks; lines joined by \n */
    unsigned line; /* of the option's name, from 1 */
} IniEntry;

typedef struct {
    GPtrArray *entries; /* of IniEntry, in the order of the file */
    GPtrArray
        *sections; /* names (char *) of all headers, also of empty sections, but not DEFAULT */
    GPtrArray *problems; /* of char *: "line: reason"; empty when the text is well formed */
} IniFile;

/* Always fills `out`; it is usable only when it has no problems. */
void ini_parse(Bytes text, IniFile *out);
void ini_clear(IniFile *file);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(IniFile, ini_clear)
