/* SPDX-License-Identifier: Apache-2.0 */
/* Hexadecimal and base64: what is accepted is the one text of its bytes (hex: but for case). */
#include "base/encoding.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup(size > 0 ? (const char *)data : "", size);
    g_autoptr(GBytes) from_base64 = base64_decode(text);
    if (from_base64) {
        g_autofree char *again = base64_encode(bytes_of_gbytes(from_base64));
        g_assert(strcmp(again, text) == 0);
    }
    g_autoptr(GBytes) from_hex = hex_decode(text);
    if (from_hex) {
        g_autofree char *again = hex_encode(bytes_of_gbytes(from_hex));
        g_assert(g_ascii_strcasecmp(again, text) == 0);
    }
    return 0;
}
