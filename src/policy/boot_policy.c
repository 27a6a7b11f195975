/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/boot_policy.h"

#include <string.h>

struct BootPolicy {
    gatomicrefcount references;
    BootRules rules;
    BootPolicyForm form;
    char *text;
    char *problem;
    ReferenceState *reference;
};

/* PCRs of a boot loader's and kernel's measurements: 0 to 9 and 14 (measured-boot §7.2). */
#define REFERENCE_PCRS 0x43ffu

static const struct {
    const char *name;
    bool has_reference;
    uint32_t pcrs;
} rules_table[] = {
    [BOOT_RULES_ACCEPT_ALL] = {"accept-all", false, 0},
    [BOOT_RULES_REJECT_ALL] = {"reject-all", false, 0},
    [BOOT_RULES_EXAMPLE] = {"example", true, REFERENCE_PCRS},
    [BOOT_RULES_HARDWARE] = {"hardware", true, REFERENCE_PCRS},
};

bool boot_rules_from_name(const char *name, BootRules *out)
{
    for (size_t i = 0; name && i < G_N_ELEMENTS(rules_table); i++)
        if (strcmp(rules_table[i].name, name) == 0) {
            *out = (BootRules)i;
            return true;
        }
    return false;
}

const char *boot_rules_name(BootRules rules)
{
    return rules_table[rules].name;
}

uint32_t boot_rules_relevant_pcrs(BootRules rules)
{
    return rules_table[rules].pcrs;
}

static void compile(BootPolicy *policy)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Json) value = json_parse(bytes_of_text(policy->text), &error);
    if (!value) {
        policy->form = BOOT_POLICY_BROKEN;
        policy->problem = g_strdup_printf("mb_policy: %s", error ? error->message : "is null");
    } else if (!json_is_truthy(value)) {
        policy->form = BOOT_POLICY_EMPTY;
    } else if (rules_table[policy->rules].has_reference) {
        policy->reference =
            reference_state_parse(value, policy->rules == BOOT_RULES_HARDWARE, &error);
        policy->form = policy->reference ? BOOT_POLICY_USABLE : BOOT_POLICY_UNUSABLE;
        policy->problem = error ? g_strdup(error->message) : NULL;
    } else {
        policy->form = BOOT_POLICY_USABLE;
    }
}

BootPolicy *boot_policy_new(BootRules rules, const char *text)
{
    BootPolicy *policy = g_new0(BootPolicy, 1);
    g_atomic_ref_count_init(&policy->references);
    policy->rules = rules;
    policy->text = g_strdup(text);
    if (text && *text)
        compile(policy);
    else
        policy->form = BOOT_POLICY_ABSENT;
    return policy;
}

BootPolicy *boot_policy_ref(const BootPolicy *policy)
{
    BootPolicy *shared = (BootPolicy *)policy;
    g_atomic_ref_count_inc(&shared->references);
    return shared;
}

void boot_policy_unref(BootPolicy *policy)
{
    if (!policy || !g_atomic_ref_count_dec(&policy->references))
        return;
    g_free(policy->text);
    g_free(policy->problem);
    reference_state_free(policy->reference);
    g_free(policy);
}

BootRules boot_policy_rules(const BootPolicy *policy)
{
    return policy->rules;
}

BootPolicyForm boot_policy_form(const BootPolicy *policy)
{
    return policy->form;
}

const char *boot_policy_text(const BootPolicy *policy)
{
    return policy->text;
}

const char *boot_policy_problem(const BootPolicy *policy)
{
    return policy->problem;
}

const ReferenceState *boot_policy_reference(const BootPolicy *policy)
{
    return policy->reference;
}
