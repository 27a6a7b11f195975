/* SPDX-License-Identifier: Apache-2.0 */
#include "ima_readers.h"

const VectorFile ima_vector_files[] = {
    {"boot_aggregates.json", read_boot_aggregates},
    {"dm.json", read_device_mapper},
    {"excludes.json", read_excludes},
    {"keys.json", read_keys},
    {"manifest.json", read_manifest},
    {"push.json", read_push},
    {"signatures.json", read_signatures},
    {"templates.json", read_templates},
    {NULL, NULL},
};
