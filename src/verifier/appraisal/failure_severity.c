/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/appraisal/failure_severity.h"

/* A failed quote says nothing about the machine: there is no recovery from it. */
#define IRRECOVERABLE "qoute_validation."

/* The list as JSON, or as Python writes it; its form was checked with the options. */
static Json *parse_rules(const char *text)
{
    Json *rules = json_parse(bytes_of_text(text), NULL);
    if (rules)
        return rules;
    g_autofree char *quoted = g_strdelimit(g_strdup(text), "'", '"');
    return json_parse(bytes_of_text(quoted), NULL);
}

SeverityPolicy *failure_severity_load(const Config *config, GError **error)
{
    g_autoptr(Json) rules = parse_rules(config_text(config, NULL, "severity_policy"));
    return severity_policy_new(config_list(config, NULL, "severity_labels"), rules, error);
}

Severity failure_severity_judge(const SeverityPolicy *policy, Json *failures)
{
    Severity worst = {.level = -1};
    for (size_t i = 0; i < json_object_array_length(failures); i++) {
        Json *failure = json_object_array_get_idx(failures, i);
        const char *event_id = json_member_text(failure, "event_id");
        bool recoverable = !g_str_has_prefix(event_id, IRRECOVERABLE);
        guint level = severity_level(policy, event_id, recoverable);
        json_add_text(failure, "severity_label", severity_label(policy, level));
        if ((gint64)level > worst.level)
            worst = (Severity){level, event_id};
    }
    return worst;
}
