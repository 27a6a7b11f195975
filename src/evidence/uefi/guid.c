/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/uefi/guid.h"

#include <string.h>

void uefi_guid_text(Bytes guid, char text[UEFI_GUID_TEXT_SIZE])
{
    /* Positions of the bytes in the order of the text; -1 is a hyphen. */
    static const int8_t order[] = {3,  2, 1, 0,  -1, 5,  4,  -1, 7,  6,
                                   -1, 8, 9, -1, 10, 11, 12, 13, 14, 15};
    static const char digits[] = "0123456789abcdef";
    g_assert(guid.size == UEFI_GUID_SIZE);
    for (size_t i = 0; i < G_N_ELEMENTS(order); i++) {
        if (order[i] < 0) {
            *text++ = '-';
            continue;
        }
        *text++ = digits[guid.data[order[i]] >> 4];
        *text++ = digits[guid.data[order[i]] & 15];
    }
    *text = '\0';
}

bool uefi_guid_is(Bytes guid, const char *text)
{
    char own[UEFI_GUID_TEXT_SIZE];
    uefi_guid_text(guid, own);
    return strcmp(own, text) == 0;
}
