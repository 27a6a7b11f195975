/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stored measured-boot policies: whatever the text, it has one form, a reason exactly when it is
 * wrong, and what `example` can use `hardware` can use too.
 */
#include "policy/boot_policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static BootPolicyForm check(BootRules rules, const char *text)
{
    g_autoptr(BootPolicy) policy = boot_policy_new(rules, text);
    BootPolicyForm form = boot_policy_form(policy);
    bool wrong = form == BOOT_POLICY_BROKEN || form == BOOT_POLICY_UNUSABLE;
    bool reference = rules == BOOT_RULES_EXAMPLE || rules == BOOT_RULES_HARDWARE;
    g_assert((boot_policy_problem(policy) != NULL) == wrong);
    g_assert((boot_policy_reference(policy) != NULL) == (reference && form == BOOT_POLICY_USABLE));
    return form;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    BootPolicyForm any = check(BOOT_RULES_ACCEPT_ALL, text);
    BootPolicyForm example = check(BOOT_RULES_EXAMPLE, text);
    BootPolicyForm hardware = check(BOOT_RULES_HARDWARE, text);
    g_assert((any == BOOT_POLICY_USABLE) ==
             (example == BOOT_POLICY_USABLE || example == BOOT_POLICY_UNUSABLE));
    g_assert(example != BOOT_POLICY_USABLE || hardware == BOOT_POLICY_USABLE);
    return 0;
}
