/* SPDX-License-Identifier: Apache-2.0 */
#include "ima_readers.h"

const VectorFile ima_vector_files[] = {
    {"boot_aggregates.json", read_boot_aggregates},
    {"convert.json", read_convert},
    {"dm.json", read_device_mapper},
    {"dsse.json", read_dsse},
    {"excludes.json", read_excludes},
    {"keys.json", read_keys},
    {"manifest.json", read_manifest},
    {"policies.json", read_policies},
    {"push.json", read_push},
    {"severity.json", read_severity},
    {"signatures.json", read_signatures},
    {"templates.json", read_templates},
    {NULL, NULL},
};
