/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UEFI device paths as text (measured-boot §6.7): for people, for the JSON view, and to tell
 * firmware's own applications from those on a disk.
 */
#pragma once

#include "base/bytes.h"

/* A longer path is not formatted: real ones have some hundred bytes. */
#define UEFI_DEVICE_PATH_MAX_SIZE 65536

/*
 * The form that libefivar 37 gives: "PciRoot(0x0)/Pci(0x1f,0x2)/.../File(\EFI\debian\shimx64.efi)".
 * Ends at the end node, or before the first node that does not fit. NULL when not even the first
 * node fits, a node is too short for its type, or the path is too long; the caller then shows the
 * bytes. Newly allocated UTF-8.
 */
char *uefi_device_path_text(Bytes path);

/* The path begins with a firmware volume and a file in it. */
bool uefi_device_path_is_firmware_file(Bytes path);
