/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading fields of attestation requests with the casts that upstream's peers may rely on
 * (verifier-push-api §5.3 "Casting rules"), and reporting what is wrong with the exact JSON pointer
 * (decision D71).
 */
#pragma once

#include "http/envelope.h"

/* Bounds; an honest agent is far below each. */
#define FIELD_MAX_WORDS 32 /* names in a list of algorithms or formats */
#define FIELD_MAX_TEXT 160 /* bytes of a name or identifier: a TPM name in hex has 132 */

/* What a reading keeps alive as long as its result borrows from it. */
typedef struct {
    GPtrArray *values; /* of Json: made by a cast */
    GPtrArray *lists;  /* of const char **: see field_words() */
} FieldKeep;

FieldKeep *field_keep_new(void);
void field_keep_free(FieldKeep *keep);

/* An object of the request and where it stands. Lives on the stack of the reading function. */
typedef struct {
    Json *object;
    const char *pointer; /* of the object: "/data/attributes/evidence_supported/0/capabilities" */
    ApiErrors *errors;
    FieldKeep *keep;
} FieldReader;

/* Adds a 422 for member `name` (NULL = the object itself): "Attribute '<name>' <message>." */
void field_wrong(const FieldReader *reader, const char *name, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* The pointer of a member, or of its element `index` when it is not negative; newly allocated. */
char *field_pointer(const FieldReader *reader, const char *name, int index);

/* NULL = absent; "" and null count as absent. Every reader adds an error for a value of a wrong
 * kind and then gives what it gives for an absent one. */
const char *field_text(const FieldReader *reader, const char *name);
/* A list, or a text that holds a JSON list; at most `limit` elements. Borrowed. */
Json *field_list(const FieldReader *reader, const char *name, size_t limit);
/* Likewise an object. */
Json *field_object(const FieldReader *reader, const char *name);
/* A list of texts, NULL-terminated; lives as long as `keep`. */
const char **field_words(const FieldReader *reader, const char *name);
/* An integer, or a text of digits. */
bool field_int(const FieldReader *reader, const char *name, gint64 *out);
bool field_bool(const FieldReader *reader, const char *name, bool otherwise);
/* Hexadecimal with 0x, base64, or bare hexadecimal that is no base64; at most `limit` bytes. New
 * reference. */
GBytes *field_binary(const FieldReader *reader, const char *name, size_t limit);
