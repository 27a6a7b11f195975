/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/uefi/signature_list.h"

#include "evidence/uefi/guid.h"

enum { LIST_HEAD_SIZE = 28 };

typedef enum { LIST_END, LIST_GOOD, LIST_MALFORMED, LIST_TOO_LONG } ListState;

/* Bytes that the entries take, or -1: upstream computes in an int. */
static gint64 entries_size(const UefiSignatureList *list)
{
    gint64 size = (gint64)list->list_size - LIST_HEAD_SIZE - list->header_size;
    return size > G_MAXINT32 || size % list->signature_size != 0 ? -1 : size;
}

static ListState take_list(Reader *reader, UefiSignatureList *list)
{
    Bytes header, entries;
    *list = (UefiSignatureList){0};
    if (!reader_take(reader, UEFI_GUID_SIZE, &list->type) ||
        !reader_u32_le(reader, &list->list_size) || !reader_u32_le(reader, &list->header_size) ||
        !reader_u32_le(reader, &list->signature_size) || list->signature_size < UEFI_GUID_SIZE)
        return LIST_END;
    if (!reader_take(reader, list->header_size, &header) ||
        reader->rest.size < list->signature_size || entries_size(list) < 0)
        return LIST_MALFORMED;
    if (!reader_take(reader, (size_t)entries_size(list), &entries))
        return LIST_TOO_LONG;
    list->signatures = reader_of(entries);
    return LIST_GOOD;
}

bool uefi_signature_list_next(Reader *reader, UefiSignatureList *list)
{
    ListState state = take_list(reader, list);
    if (state != LIST_GOOD)
        *reader = reader_of(BYTES_EMPTY);
    return state != LIST_END;
}

bool uefi_signature_next(UefiSignatureList *list, UefiSignature *signature)
{
    return reader_take(&list->signatures, UEFI_GUID_SIZE, &signature->owner) &&
           reader_take(&list->signatures, list->signature_size - UEFI_GUID_SIZE, &signature->data);
}

bool uefi_signature_lists_fit(Bytes lists)
{
    Reader reader = reader_of(lists);
    UefiSignatureList list;
    ListState state;
    while ((state = take_list(&reader, &list)) == LIST_GOOD)
        ;
    return state != LIST_TOO_LONG;
}
