/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests of the files in archives: initial RAM disks, and packages of RPM and Debian, which
 * libarchive unpacks as a stream. Nothing is written anywhere.
 */
#pragma once

#include "policy-tool/file_digest.h"

/*
 * An initial RAM disk: cpio archives one after the other, the last of which is usually compressed
 * (Linux, driver-api/early-userspace/buffer-format). `label` names it in errors.
 */
bool ramdisk_digests_add(Bytes image, const char *label, const EVP_MD *algorithm,
                         PolicyDocument *document, GError **error);

/* A package in a file, told apart by its content: RPM, or Debian's. */
bool package_digests_add(const char *path, const EVP_MD *algorithm, PolicyDocument *document,
                         GError **error);
/* The plain content of a file that may be compressed; at most `most` bytes. */
GBytes *archive_plain_content(Bytes content, size_t most, const char *label, GError **error);
