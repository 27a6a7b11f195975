/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the readers of vector files share: members as bytes and numbers, and a tally of cases. A
 * case is one entry of a file; it passes when every expectation on it holds, and each that does not
 * is printed.
 */
#pragma once

#include "base/json.h"

typedef struct {
    const char *folder; /* where the file is, and what it refers to */
    const char *file;   /* name of the file that is read */
    unsigned passed, failed;
    const char *current; /* name of the open case */
    bool current_failed;
} Tally;

/* Reads one file's document, case by case. */
typedef void (*VectorReader)(Json *document, Tally *tally);

/* The files of one kind of folder, ended by a NULL name. */
typedef struct {
    const char *name;
    VectorReader read;
} VectorFile;

extern const VectorFile tpm_vector_files[];
extern const VectorFile uefi_vector_files[];
extern const VectorFile ima_vector_files[];

/* Opens the case `entry`, named by its member "id", "note" or "about", or else by its position. */
void case_begin(Tally *tally, Json *entry, size_t position);
void case_end(Tally *tally);
void expect_text(Tally *tally, const char *what, const char *expected, const char *got);
void expect_bytes(Tally *tally, const char *what, Bytes expected, Bytes got);
void expect_number(Tally *tally, const char *what, guint64 expected, guint64 got);
/* `expected` is "accept" or "reject"; `reason` is what the code under test says. */
void expect_verdict(Tally *tally, const char *expected, bool accepted, const char *reason);

/* Hex member; empty bytes when absent. A member that is no hex ends the program: the file is
 * broken. */
GBytes *member_bytes(Json *entry, const char *name);
/* Content of a file below the folder, NULL (and the case fails) when it cannot be read. */
GBytes *read_vector_file(Tally *tally, const char *name);
/* Number member, also as a text "0x...". 0 when absent. */
guint64 member_number(Json *entry, const char *name);
/* expect.strict, or expect.recommended. */
const char *expected_verdict(Json *entry);
/* Each entry of the array member `name` of a document. */
#define FOR_EACH_CASE(document, name, entry, position)                                             \
    for (size_t position = 0; position < array_length(document, name); position++)                 \
        for (Json *entry = array_entry(document, name, position); entry; entry = NULL)
size_t array_length(Json *document, const char *name);
Json *array_entry(Json *document, const char *name, size_t position);
