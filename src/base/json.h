/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict reading and plain writing of JSON on top of json-c.
 *
 * Reading: UTF-8 is validated, nesting is limited, trailing text is an error, of duplicate members
 * the last counts (decision D25/D76). A member whose value is null counts as absent (D76).
 */
#pragma once

#include "base/bytes.h"

#include <json-c/json.h>

typedef struct json_object Json;

static inline void json_unref(Json *value)
{
    json_object_put(value);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Json, json_unref)

/* Deep enough for every document of the protocol; a hostile one cannot exhaust the stack. */
#define JSON_MAX_DEPTH 32

#define JSON_ERROR (json_error_quark())
typedef enum { JSON_ERROR_SYNTAX, JSON_ERROR_MISSING, JSON_ERROR_TYPE } JsonError;
GQuark json_error_quark(void);

/* Parse one value; NULL and an error that names offset and reason. New reference. */
Json *json_parse(Bytes text, GError **error);
/* As json_parse(), and a text with more than `max_values` values is refused before memory is taken
 * for them: three bytes of text, an empty object, would take 0.8 KiB. For what strangers send. */
Json *json_parse_bounded(Bytes text, size_t max_values, GError **error);
/* As json_parse_bounded(), for a text of g_malloc() that is handed over, whatever the outcome. A
 * string of at least `large` bytes that is most of the text is not copied but unescaped where it
 * stands, and keeps the text's memory; such a value is read through this header only. */
Json *json_parse_owned(uint8_t *text, size_t size, size_t max_values, size_t large, GError **error);

/* --- reading members: all borrow, and return NULL / false for an absent or null member
 * ------------ */

/* The member, or NULL if `object` is no object, or the member is absent or null. */
Json *json_member(Json *object, const char *name);
/* As json_member(), but only a value of this type. */
Json *json_member_of_type(Json *object, const char *name, json_type type);
/* Member text; NULL if absent or no string. Strings with an embedded NUL count as no string. */
const char *json_member_text(Json *object, const char *name);
/* A string value's text, NULL if it is none. */
const char *json_text(Json *value);
/* A string value's bytes, whatever they are; NULL if it is none. New reference: a large string of
 * json_parse_owned() is not copied, and may then outlive its value. */
GBytes *json_string_bytes(Json *value);
/* Overwrite a member that held a secret, once it was copied; absent or no string is fine. */
void json_wipe_member(Json *object, const char *name);
/* Integer member. A decimal text counts too when `accept_text` (upstream's peers send both). */
bool json_member_int(Json *object, const char *name, bool accept_text, gint64 *out);
/* What Python takes for true: neither null, false, zero, nor empty. */
bool json_is_truthy(Json *value);
/* A number without a fraction, 2.0 too: JSON Schema's integer. Of any size. */
bool json_is_integer(Json *value);
bool json_member_bool(Json *object, const char *name, bool *out);
/* Strings of an array of strings, NULL-terminated, newly allocated array of borrowed texts;
 * NULL if absent, no array, or any element is no string. */
const char **json_member_texts(Json *object, const char *name);

/* --- writing: add hands the value over; texts are copied; a NULL text adds null
 * -------------------- */

void json_add(Json *object, const char *name, Json *value);
void json_add_text(Json *object, const char *name, const char *text);
/* A sentence that may quote what somebody sent, cut within a character perhaps: bytes that are no
 * UTF-8 are shown as \xHH. */
void json_add_sentence(Json *object, const char *name, const char *text);
/* Text that is no C string: UTF-8 of any length. */
void json_add_utf8(Json *object, const char *name, Bytes text);
void json_add_int(Json *object, const char *name, gint64 value);
void json_add_bool(Json *object, const char *name, bool value);
void json_add_null(Json *object, const char *name);
/* Base64 text of bytes. */
void json_add_base64(Json *object, const char *name, Bytes bytes);
Json *json_new_text(const char *text);
Json *json_new_texts(const char *const *texts);

/* Compact text, newly allocated. Slashes are not escaped. */
char *json_to_text(Json *value);
/* As Python's json.dumps prints it by default (", ", ": ", non-ASCII escaped): the form that
 * upstream's tools print and store (tenant-and-management-api §2.11). Newly allocated. */
char *json_to_python_text(Json *value);
