/* SPDX-License-Identifier: Apache-2.0 */
/* Enrolment members as an administrator's client may send them, and as an update of a record. */
#include "verifier/management/enrolment.h"
#include "verifier/policies/posted_policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const VerifierSettings settings = {.uuid = "default", .ip = "127.0.0.1", .port = 8881};
    g_autoptr(Json) members = json_parse(bytes_of(data, size), NULL);
    if (!json_object_is_type(members, json_type_object))
        return 0;
    g_autoptr(GError) error = NULL;
    g_autoptr(PolicyRules) rules = policy_rules_new(BOOT_RULES_EXAMPLE, false);
    g_auto(PolicyChoices) choices = {0};
    g_autoptr(AgentRecord) record =
        enrolment_read(members, "agent", &settings, rules, &choices, &error);
    g_assert((record == NULL) == (error != NULL));
    if (!record) {
        g_autofree char *member = enrolment_error_member(error);
        g_assert(member != NULL);
        return 0;
    }
    /* What was accepted once is accepted again, and shown as JSON. */
    bool new_reference = false;
    g_auto(PolicyChoices) again = {0};
    g_assert(enrolment_update(members, record, rules, &again, &new_reference, NULL) &&
             new_reference);
    g_assert((again.runtime.posted != NULL) == (choices.runtime.posted != NULL));
    g_autoptr(Json) shown = agent_record_to_json(record, &settings);
    g_assert(shown != NULL);
    return 0;
}
