/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests of the files of a directory tree that IMA would measure on a machine whose root it is
 * (tenant-and-management-api §11.2, --rootfs): regular files owned by root.
 */
#pragma once

#include "policy-tool/file_digest.h"

typedef struct {
    const char *root;
    /* Directories that are passed over, below `root` as the caller names them; NULL-terminated or
     * NULL. Besides these /sys, /run, /proc, /lost+found, /dev, /media, /snap, /mnt, /var and /tmp
     * of the tree, and mounts of another kind of file system than the root's. */
    const char *const *skipped;
    const EVP_MD *algorithm;
    guint workers;
    bool any_owner; /* for a tree that was unpacked by somebody else than root */
} TreeSettings;

/* Files that cannot be read are named on standard error and left out; false only when the tree
 * itself cannot be read. */
bool tree_digests_add(const TreeSettings *settings, PolicyDocument *document, GError **error);
