/* SPDX-License-Identifier: Apache-2.0 */
#include "uefi_readers.h"

static void check_vector(Json *vector, size_t position, Tally *tally)
{
    case_begin(tally, vector, position);
    g_autoptr(GBytes) log = read_vector_file(tally, json_member_text(vector, "file"));
    if (log) {
        check_event_log(vector, bytes_of_gbytes(log), tally);
        check_create_policy(vector, bytes_of_gbytes(log), tally);
    }
    case_end(tally);
    if (log)
        check_boot_policies(vector, bytes_of_gbytes(log), tally);
}

static void read_manifest(Json *document, Tally *tally)
{
    FOR_EACH_CASE(document, "vectors", vector, i)
    {
        check_vector(vector, i, tally);
    }
}

const VectorFile uefi_vector_files[] = {
    {"manifest.json", read_manifest},
    {NULL, NULL},
};
