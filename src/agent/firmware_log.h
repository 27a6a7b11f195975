/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firmware's event log (binary_bios_measurements) as the agent sends it: read whole once, while
 * the process may, since it does not change until the next boot (push-agent §4.1, §9.4; decision
 * D63).
 */
#pragma once

#include "base/bytes.h"

typedef struct {
    GBytes *bytes;  /* NULL = there is none */
    guint64 events; /* after the header; 0 when the log cannot be parsed */
} FirmwareLog;

/* A log of more than UEFI_LOG_MAX_SIZE is none: no verifier takes it (decision D58). Whatever
 * stands in the way is a WARNING, and the log is not offered then. */
void firmware_log_read(const char *path, FirmwareLog *out);
void firmware_log_clear(FirmwareLog *log);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(FirmwareLog, firmware_log_clear)
