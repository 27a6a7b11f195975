/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firmware's event log (binary_bios_measurements) as the agent sends it: read whole once, while
 * the process may, since it does not change until the next boot (push-agent §4.1, §9.4; decision
 * D63).
 */
#pragma once

#include "base/bytes.h"

/* Larger ones are refused by verifiers too (decision D58). */
#define UEFI_LOG_MAX_SIZE ((size_t)16 * 1024 * 1024)

typedef struct {
    GBytes *bytes;  /* NULL = there is none */
    guint64 events; /* after the header; 0 when the log cannot be parsed */
} UefiLog;

/* Whatever stands in the way is a WARNING, and the log is not offered then. */
void uefi_log_read(const char *path, UefiLog *out);
void uefi_log_clear(UefiLog *log);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(UefiLog, uefi_log_clear)
