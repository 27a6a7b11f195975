/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/severity.h"

#include "ima_readers.h"

static void check_events(const SeverityPolicy *policy, Json *entry, Tally *tally)
{
    FOR_EACH_CASE(entry, "events", event, position)
    {
        bool recoverable = true;
        json_member_bool(event, "recoverable", &recoverable);
        const char *id = json_member_text(event, "event_id");
        guint level = severity_level(policy, id, recoverable);
        expect_number(tally, id, member_number(event, "level"), level);
        expect_text(tally, id, json_member_text(event, "label"), severity_label(policy, level));
    }
}

void read_severity(Json *document, Tally *tally)
{
    FOR_EACH_CASE(document, "cases", entry, position)
    {
        case_begin(tally, entry, position);
        g_autofree const char **labels = json_member_texts(entry, "severity_labels");
        g_autoptr(GError) error = NULL;
        g_autoptr(SeverityPolicy) policy =
            severity_policy_new(labels, json_member(entry, "severity_policy"), &error);
        expect_verdict(tally, "accept", policy != NULL, error ? error->message : NULL);
        if (policy) {
            expect_text(tally, "highest", json_member_text(entry, "max_label"),
                        severity_label(policy, severity_highest(policy)));
            check_events(policy, entry, tally);
        }
        case_end(tally);
    }
}
