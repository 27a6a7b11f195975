/* SPDX-License-Identifier: Apache-2.0 */
/* Signature lists: every entry that is given lies within the data, and the walk ends. */
#include "evidence/uefi/signature_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Bytes lists = bytes_of(data, size);
    Reader reader = reader_of(lists);
    UefiSignatureList list;
    size_t total = 0;
    while (uefi_signature_list_next(&reader, &list)) {
        UefiSignature signature;
        while (uefi_signature_next(&list, &signature)) {
            g_assert(signature.data.data + signature.data.size <= data + size);
            total += signature.owner.size + signature.data.size;
        }
    }
    g_assert(total <= size);
    uefi_signature_lists_fit(lists);
    return 0;
}
