/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests of the files in the packages of a repository: packages in a folder, or behind a URL whose
 * lists name them. Packages of a remote repository are held to the checksums of its lists;
 * signatures of the lists are not looked at, so the URL must be one that is trusted (https).
 *
 * A package that cannot be read makes the whole fail: a policy without it would refuse its files.
 */
#pragma once

#include "policy-tool/file_digest.h"

typedef struct {
    const EVP_MD *algorithm;
    guint workers;
} PackageSettings;

/* Files of a folder, and of those below it, with this ending: ".rpm" or ".deb". */
bool package_folder_add(const char *folder, const char *ending, const PackageSettings *settings,
                        PolicyDocument *document, GError **error);
/* `url` is the folder of repodata/. Digests come from its list filelists-ext when there is one with
 * digests of the wanted length, else from the packages themselves. */
bool rpm_repository_add(const char *url, const PackageSettings *settings, PolicyDocument *document,
                        GError **error);
/* `url` is the folder of a Packages file, in whatever compression. */
bool deb_repository_add(const char *url, const PackageSettings *settings, PolicyDocument *document,
                        GError **error);
