/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files behind URLs (http, https), by libcurl with the system's trust.
 */
#pragma once

#include "base/bytes.h"

/* Connections that are kept for further files; safe from several threads. */
typedef struct Downloads Downloads;
Downloads *downloads_new(void);
void downloads_free(Downloads *downloads);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Downloads, downloads_free)

/* Content of at most `most` bytes; NULL and an error that names the URL. */
GBytes *download_content(Downloads *downloads, const char *url, size_t most, GError **error);
/* Into a new temporary file, whose path is returned, newly allocated, to be deleted by the caller.
 * `sha256`, hex, is what the content must have; NULL: any. */
char *download_file(Downloads *downloads, const char *url, const char *sha256, GError **error);
