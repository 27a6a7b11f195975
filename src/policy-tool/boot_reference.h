/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reference state ("measured-boot policy") from the event log of a machine that is known to be
 * good: what `keylime-policy create measured-boot` writes (measured-boot §13).
 */
#pragma once

#include "base/json.h"
#include "evidence/uefi/event_log.h"

#define BOOT_REFERENCE_ERROR (boot_reference_error_quark())
typedef enum { BOOT_REFERENCE_ERROR_UNFIT } BootReferenceError;
GQuark boot_reference_error_quark(void);

/*
 * The reference state of a parsed log: members and their order as upstream's tool writes them. NULL
 * and an error when Secure Boot is off and `without_secureboot` does not allow it, or when the log
 * lacks a digest that a member needs. What will keep the `example` policy from ever accepting the
 * result is added to `warnings` (of char*). New reference.
 */
Json *boot_reference_create(const UefiLog *log, bool without_secureboot, GPtrArray *warnings,
                            GError **error);
