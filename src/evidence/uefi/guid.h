/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GUIDs as UEFI stores them: three little-endian numbers, then eight bytes (measured-boot §5).
 */
#pragma once

#include "base/bytes.h"

#define UEFI_GUID_SIZE 16
/* "8be4df61-93ca-11d2-aa0d-00e098032b8c" and its NUL. */
#define UEFI_GUID_TEXT_SIZE 37

/* Lower-case text. `guid` has UEFI_GUID_SIZE bytes (asserted). */
void uefi_guid_text(Bytes guid, char text[UEFI_GUID_TEXT_SIZE]);
/* The bytes have that text, in lower case. */
bool uefi_guid_is(Bytes guid, const char *text);
