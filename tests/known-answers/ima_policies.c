/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy_upload.h"

#include "ima_readers.h"

#include <string.h>

/* The fixed texts of a refusal (ima §7.2); a schema error's own words are free. */
static bool has_fixed_text(const char *stage)
{
    return g_strcmp0(stage, "verify") == 0;
}

static void check_policy(RuntimePolicy *policy, const GError *error, Json *expect, Tally *tally)
{
    bool accepted = false;
    json_member_bool(expect, "accepted", &accepted);
    expect_verdict(tally, accepted ? "accept" : "reject", policy != NULL,
                   error ? error->message : NULL);
    if (policy && accepted) {
        expect_text(tally, "checksum", json_member_text(expect, "checksum"),
                    runtime_policy_checksum(policy));
        /* A number such as 2.0 is one, too. */
        expect_number(tally, "generator",
                      (guint64)json_object_get_double(json_member(expect, "generator")),
                      (guint64)runtime_policy_generator(policy));
    }
    if (policy || accepted)
        return;
    /* Where upstream raised an exception, 400 is the answer (ima §7.2). */
    guint64 code = member_number(expect, "code");
    expect_number(tally, "code", code == 401 ? 401 : 400, (guint64)error->code);
    const char *message = json_member_text(expect, "message");
    if (message && has_fixed_text(json_member_text(expect, "stage")))
        expect_text(tally, "message", message, error->message);
}

void read_policies(Json *document, Tally *tally)
{
    const PolicyUploadKeys keys = {0};
    FOR_EACH_CASE(document, "cases", entry, position)
    {
        case_begin(tally, entry, position);
        g_autoptr(GBytes) text = read_vector_file(tally, json_member_text(entry, "file"));
        g_autoptr(GError) error = NULL;
        g_autoptr(RuntimePolicy) policy = policy_upload_accept(
            bytes_of_gbytes(text), &keys, &runtime_policy_rules_upstream, NULL, &error);
        check_policy(policy, error, json_member(entry, "expect"), tally);
        case_end(tally);
    }
}
