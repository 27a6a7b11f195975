/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EFI_SIGNATURE_LIST: the content of PK, KEK, db and dbx (measured-boot §5, §6.4).
 *
 *     Reader reader = reader_of(variable.data);
 *     UefiSignatureList list;
 *     while (uefi_signature_list_next(&reader, &list)) {
 *         UefiSignature signature;
 *         while (uefi_signature_next(&list, &signature))
 *             ...
 *     }
 */
#pragma once

#include "base/bytes.h"

typedef struct {
    Bytes type; /* GUID */
    uint32_t list_size, header_size, signature_size;
    Reader signatures; /* the unread entries; empty when there is none, or the list is malformed */
} UefiSignatureList;

typedef struct {
    Bytes owner; /* GUID */
    Bytes data;
} UefiSignature;

/* The next list. False at the end and, as upstream stops there silently, at a list whose head does
 * not fit or whose entries would be smaller than a GUID. A list whose sizes contradict each other
 * is given without entries, and is the last one. */
bool uefi_signature_list_next(Reader *reader, UefiSignatureList *list);
/* The next entry of a list. */
bool uefi_signature_next(UefiSignatureList *list, UefiSignature *signature);

/* No list claims more entries than there are bytes for. */
bool uefi_signature_lists_fit(Bytes lists);
