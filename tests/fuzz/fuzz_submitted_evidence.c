/* SPDX-License-Identifier: Apache-2.0 */
/* The `data` of POST /verify/evidence, read and appraised as a whole. */
#include "verifier/verify/submitted_evidence.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const VerifierSettings settings = {.boot_profile = BOOT_PROFILE_STRICT};
    g_autoptr(Json) members = json_parse_bounded(bytes_of(data, size), 10000, NULL);
    if (!json_object_is_type(members, json_type_object))
        return 0;
    const char *member = NULL;
    g_autoptr(GError) error = NULL;
    g_auto(SubmittedEvidence) evidence = {0};
    bool read = submitted_evidence_read(members, BOOT_RULES_EXAMPLE, &evidence, &member, &error);
    g_assert(read == (error == NULL));
    if (!read) {
        g_assert(submitted_error_event(error) != NULL);
        return 0;
    }
    g_autoptr(Verdict) verdict = submitted_evidence_appraise(&evidence, &settings);
    g_assert((verdict->evaluation == EVALUATION_PASS) == (verdict->failure_count == 0));
    return 0;
}
