/* SPDX-License-Identifier: Apache-2.0 */
#include "ima_readers.h"

const VectorFile ima_vector_files[] = {
    {"excludes.json", read_excludes},
    {"keys.json", read_keys},
    {NULL, NULL},
};
