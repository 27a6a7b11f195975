/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/severity.h"

#include "policy/python_pattern.h"

G_DEFINE_QUARK(severity - error - quark, severity_error)

typedef struct {
    PythonPattern *event_id;
    guint level;
} Rule;

struct SeverityPolicy {
    gatomicrefcount references;
    GStrv labels;
    GArray *rules; /* of Rule */
};

static void clear_rule(gpointer rule)
{
    python_pattern_free(((Rule *)rule)->event_id);
}

static guint level_of_label(const SeverityPolicy *policy, const char *label)
{
    for (guint level = 0; policy->labels[level]; level++)
        if (g_str_equal(policy->labels[level], label))
            return level;
    return severity_highest(policy);
}

static bool add_rule(SeverityPolicy *policy, Json *entry, size_t index, GError **error)
{
    const char *event_id = json_member_text(entry, "event_id");
    const char *label = json_member_text(entry, "severity_label");
    if (!event_id || !label) {
        g_set_error(error, SEVERITY_ERROR, SEVERITY_ERROR_RULE,
                    "severity_policy[%zu]: needs the texts event_id and severity_label", index);
        return false;
    }
    g_autoptr(GError) reason = NULL;
    Rule rule = {.event_id =
                     python_pattern_compile(bytes_of_text(event_id), PYTHON_MATCH_WHOLE, &reason),
                 .level = level_of_label(policy, label)};
    if (!rule.event_id) {
        g_set_error(error, SEVERITY_ERROR, SEVERITY_ERROR_RULE, "severity_policy[%zu].event_id: %s",
                    index, reason->message);
        return false;
    }
    g_array_append_val(policy->rules, rule);
    return true;
}

SeverityPolicy *severity_policy_new(const char *const *labels, Json *rules, GError **error)
{
    if (!labels || !labels[0]) {
        g_set_error_literal(error, SEVERITY_ERROR, SEVERITY_ERROR_LABELS,
                            "severity_labels: needs at least one label");
        return NULL;
    }
    if (!json_object_is_type(rules, json_type_array)) {
        g_set_error_literal(error, SEVERITY_ERROR, SEVERITY_ERROR_RULE,
                            "severity_policy: is not a list");
        return NULL;
    }
    g_autoptr(SeverityPolicy) policy = g_new0(SeverityPolicy, 1);
    g_atomic_ref_count_init(&policy->references);
    policy->labels = g_strdupv((char **)labels);
    policy->rules = g_array_new(FALSE, FALSE, sizeof(Rule));
    g_array_set_clear_func(policy->rules, clear_rule);
    for (size_t i = 0; i < json_object_array_length(rules); i++)
        if (!add_rule(policy, json_object_array_get_idx(rules, i), i, error))
            return NULL;
    return g_steal_pointer(&policy);
}

SeverityPolicy *severity_policy_ref(const SeverityPolicy *policy)
{
    SeverityPolicy *shared = (SeverityPolicy *)policy;
    g_atomic_ref_count_inc(&shared->references);
    return shared;
}

void severity_policy_unref(SeverityPolicy *policy)
{
    if (!policy || !g_atomic_ref_count_dec(&policy->references))
        return;
    g_strfreev(policy->labels);
    g_array_unref(policy->rules);
    g_free(policy);
}

guint severity_highest(const SeverityPolicy *policy)
{
    return g_strv_length(policy->labels) - 1;
}

guint severity_level(const SeverityPolicy *policy, const char *event_id, bool recoverable)
{
    g_autoptr(PythonMatcher) matcher = python_matcher_new();
    for (guint i = 0; recoverable && i < policy->rules->len; i++) {
        const Rule *rule = &g_array_index(policy->rules, Rule, i);
        if (python_pattern_match(rule->event_id, matcher, bytes_of_text(event_id)) ==
            PYTHON_MATCHES)
            return rule->level;
    }
    return severity_highest(policy);
}

const char *severity_label(const SeverityPolicy *policy, guint level)
{
    return policy->labels[MIN(level, severity_highest(policy))];
}
