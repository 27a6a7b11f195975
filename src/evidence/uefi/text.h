/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts of events as policies see them: UTF-16 names, and the text forms that stored policies were
 * made with (measured-boot §6.5, decision D62).
 */
#pragma once

#include "base/bytes.h"

/* UTF-8 of little-endian 16-bit units up to the first NUL or the end. A lone surrogate becomes
 * U+FFFD; an odd last byte is left out. Newly allocated. */
char *uefi_text_from_utf16(Bytes units);

/*
 * The `String` of an EV_IPL or SbatLevel event: the bytes, with the two-character sequences
 * \0 \a \b \t \v \f \r \e \' and then \\ replaced, and one NUL at the end removed. May hold NULs.
 * The bytes are taken as they are; see uefi_text_is_utf8().
 */
GString *uefi_text_transform(Bytes text);
/* Well-formed UTF-8; NULs are allowed. */
bool uefi_text_is_utf8(Bytes text);
/* Up to the first NUL. */
Bytes uefi_text_before_nul(Bytes text);
