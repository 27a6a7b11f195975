/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lists of package repositories: repomd.xml, primary.xml and filelists-ext.xml of RPM, Packages
 * of Debian. Pure readers of hostile text.
 */
#pragma once

#include "base/bytes.h"

#define REPOSITORY_LIST_ERROR (repository_list_error_quark())
typedef enum { REPOSITORY_LIST_ERROR_FORM } RepositoryListError;
GQuark repository_list_error_quark(void);

/* A file of the repository: its place below the repository's root, and its SHA-256 in hex, or NULL
 * when the list has none. */
typedef struct {
    char *place, *sha256;
} RepositoryFile;
void repository_file_free(RepositoryFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RepositoryFile, repository_file_free)

/* The entry of this type in repomd.xml ("primary"); NULL without an error when there is none. */
RepositoryFile *repomd_find(Bytes repomd, const char *type, GError **error);
/* Packages of a primary.xml, array of RepositoryFile. */
GPtrArray *primary_packages(Bytes primary, GError **error);
/* Calls for each file with a digest of a filelists-ext.xml. */
typedef void (*FilelistsFile)(const char *path, const char *digest, gpointer data);
bool filelists_files(Bytes filelists, FilelistsFile each, gpointer data, GError **error);
/* Packages of a Debian Packages file, array of RepositoryFile. */
GPtrArray *debian_packages(Bytes packages, GError **error);
