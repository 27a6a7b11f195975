/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why this process cannot read a file or write into a directory: itself, or a directory on the way
 * to it (contract C120).
 */
#pragma once

/* NULL when the regular file `path` can be read. Else the reason, newly allocated:
 * "Permission denied (owner root, mode 0600); it must be readable by user keylime", or
 * "Permission denied: directory /root (owner root, mode 0700) cannot be entered by user keylime".
 */
char *readable_problem(const char *path);

/* NULL when files of `directory` can be made and changed. Else the reason in the same form, with
 * "it must be writable by user keylime". */
char *writable_problem(const char *directory);
