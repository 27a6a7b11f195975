/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random bytes, comparison and wiping of secrets, and the digests every floor needs.
 */
#pragma once

#include "base/bytes.h"

#define SHA256_SIZE 32
#define SHA384_SIZE 48

/* Fill from the kernel's generator (through OpenSSL). Aborts the program if there is none: nothing
 * that asks for randomness can go on without it. */
void secret_random(void *out, size_t size);

/* Same length and content, in time that depends on the length only. */
bool secret_equal(Bytes a, Bytes b);

/* Overwrite; never optimised away. */
void secret_wipe(void *data, size_t size);
/* Overwrite and free a NUL-terminated secret; NULL is fine. */
void secret_free_text(char *text);

/* Bytes that are overwritten when the last reference goes. New reference. */
GBytes *secret_bytes_copy(Bytes secret);
/* The same of bytes that were just made (decoded, read): takes the caller's, the only, reference
 * over. NULL gives NULL. */
GBytes *secret_bytes_take(GBytes *bytes);

void sha256(Bytes data, uint8_t out[SHA256_SIZE]);
/* HMAC-SHA-256 / HMAC-SHA-384 (FIPS 198-1). */
void hmac_sha256(Bytes key, Bytes data, uint8_t out[SHA256_SIZE]);
void hmac_sha384(Bytes key, Bytes data, uint8_t out[SHA384_SIZE]);

/* Random UUID, version 4, lower-case hyphenated; newly allocated. */
char *uuid_generate(void);
/*
 * Hyphenated, 32 bare digits, `urn:uuid:` or braces, either case -> lower-case hyphenated text,
 * newly allocated; NULL when `text` is no UUID.
 */
char *uuid_normalise(const char *text);

/* First 8 hex digits of SHA-256 of a secret: what a log may show of it. Newly allocated. */
char *secret_fingerprint(const char *secret);
