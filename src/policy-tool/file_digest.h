/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests of files' contents, as IMA measures them, and the threads that work them out.
 */
#pragma once

#include "policy-tool/policy_document.h"

/* "sha1", "sha256", "sha384", "sha512", "sm3_256"; NULL for any other. Shared, not to be freed. */
const EVP_MD *file_digest_algorithm(const char *name);
/* The name of the algorithm whose digests have so many hex digits; NULL for none. 64 digits are
 * sha256. Static. */
const char *file_digest_name_of_length(size_t hex_digits);

/* A running digest of one file. */
typedef struct {
    EVP_MD_CTX *context;
} FileDigest;
bool file_digest_begin(FileDigest *digest, const EVP_MD *algorithm);
void file_digest_update(FileDigest *digest, Bytes content);
/* Hex, newly allocated. Ends the digest. */
char *file_digest_end(FileDigest *digest);

/*
 * Work on many files at once, by all cores within a limit, with progress on standard error when it
 * takes long: a line that rewrites itself on a terminal, else one now and then.
 */
typedef struct FileWork FileWork;

/* Does one piece of work, in any thread; an error is counted and said at the end. */
typedef bool (*FileWorker)(const char *path, PolicyDocument *document, const EVP_MD *algorithm,
                           gpointer data, GError **error);

/* `what` is the plural for progress: "files". `workers` 0: as many as there are cores. */
FileWork *file_work_new(const char *what, FileWorker worker, PolicyDocument *document,
                        const EVP_MD *algorithm, gpointer data, guint workers);
/* `path` is copied. */
void file_work_add(FileWork *work, const char *path);
/* Waits until all is done and frees; the number of pieces that failed, each of which standard error
 * has named. */
guint file_work_finish(FileWork *work);
