/* SPDX-License-Identifier: Apache-2.0 */
/* Enrolment members as an administrator's client may send them, and as an update of a record. */
#include "verifier/enrolment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const VerifierSettings settings = {.uuid = "default", .ip = "127.0.0.1", .port = 8881};
    g_autoptr(Json) members = json_parse(bytes_of(data, size), NULL);
    if (!json_object_is_type(members, json_type_object))
        return 0;
    g_autoptr(GError) error = NULL;
    g_autoptr(AgentRecord) record = enrolment_read(members, "agent", &settings, &error);
    g_assert((record == NULL) == (error != NULL));
    if (!record) {
        g_autofree char *member = enrolment_error_member(error);
        g_assert(member != NULL);
        return 0;
    }
    /* What was accepted once is accepted again, and shown as JSON. */
    bool new_reference = false;
    g_assert(enrolment_update(members, record, &new_reference, NULL) && new_reference);
    g_autoptr(Json) shown = agent_record_to_json(record, &settings);
    g_assert(shown != NULL);
    return 0;
}
