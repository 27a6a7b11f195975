/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm_readers.h"

const VectorFile tpm_vector_files[] = {
    {"auth_tag.json", read_auth_tag},
    {"certify_iak.json", read_certify_iak},
    {"certify_pop.json", read_certify_pop},
    {"clock.json", read_clock},
    {"kdf.json", read_kdf},
    {"makecredential.json", read_makecredential},
    {"public.json", read_public},
    {"quote.json", read_quote},
    {NULL, NULL},
};
