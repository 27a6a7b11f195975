/* SPDX-License-Identifier: Apache-2.0 */
/* Device paths: any bytes give UTF-8 of bounded length, or nothing. */
#include "evidence/uefi/device_path.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Bytes path = bytes_of(data, size);
    g_autofree char *text = uefi_device_path_text(path);
    g_assert(!text || g_utf8_validate(text, -1, NULL));
    /* The shortest node has 4 bytes, the most wordy one some 80 letters. */
    g_assert(!text || strlen(text) <= 32 * size);
    if (uefi_device_path_is_firmware_file(path))
        g_assert(!text || g_str_has_prefix(text, "FvVol("));
    return 0;
}
