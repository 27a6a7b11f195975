/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small files that must survive a crash whole: written beside, synced, renamed, mode 0600.
 */
#pragma once

#include "base/bytes.h"

#define STATE_FILE_ERROR (state_file_error_quark())
typedef enum { STATE_FILE_ERROR_READ, STATE_FILE_ERROR_WRITE } StateFileError;
GQuark state_file_error_quark(void);

/* Larger ones are none of ours. */
#define STATE_FILE_MAX (1024 * 1024)

/* NULL without error when the file does not exist; NULL with STATE_FILE_ERROR_READ when it cannot
 * be read. New reference, wiped with the last one. */
GBytes *state_file_read(const char *path, GError **error);
bool state_file_write(const char *path, Bytes content, GError **error);

/* The kernel's id of this boot, "unknown" where there is none; newly allocated. */
char *state_boot_id(void);
