/* SPDX-License-Identifier: Apache-2.0 */
/* Names of rules, and what stored texts come to. */
#include "policy/boot_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_names(void **state)
{
    static const char *const names[] = {"accept-all", "reject-all", "example", "hardware"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        BootRules rules;
        assert_true(boot_rules_from_name(names[i], &rules));
        assert_string_equal(boot_rules_name(rules), names[i]);
        assert_int_equal(boot_rules_relevant_pcrs(rules), i < 2 ? 0 : 0x43ff);
    }
    BootRules rules;
    assert_false(boot_rules_from_name("accept", &rules));
    assert_false(boot_rules_from_name("", &rules));
    assert_false(boot_rules_from_name(NULL, &rules));
}

static void test_forms(void **state)
{
    static const struct {
        const char *text;
        BootPolicyForm any, example;
    } cases[] = {
        {NULL, BOOT_POLICY_ABSENT, BOOT_POLICY_ABSENT},
        {"", BOOT_POLICY_ABSENT, BOOT_POLICY_ABSENT},
        {"{}", BOOT_POLICY_EMPTY, BOOT_POLICY_EMPTY},
        {"[]", BOOT_POLICY_EMPTY, BOOT_POLICY_EMPTY},
        {"0", BOOT_POLICY_EMPTY, BOOT_POLICY_EMPTY},
        {"0.0", BOOT_POLICY_EMPTY, BOOT_POLICY_EMPTY},
        {"false", BOOT_POLICY_EMPTY, BOOT_POLICY_EMPTY},
        {"\"\"", BOOT_POLICY_EMPTY, BOOT_POLICY_EMPTY},
        {"null", BOOT_POLICY_BROKEN, BOOT_POLICY_BROKEN},
        {"{\"a\"", BOOT_POLICY_BROKEN, BOOT_POLICY_BROKEN},
        {"{\"a\": 1}", BOOT_POLICY_USABLE, BOOT_POLICY_UNUSABLE},
        {"[1]", BOOT_POLICY_USABLE, BOOT_POLICY_UNUSABLE},
        {"true", BOOT_POLICY_USABLE, BOOT_POLICY_UNUSABLE},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(BootPolicy) any = boot_policy_new(BOOT_RULES_ACCEPT_ALL, cases[i].text);
        g_autoptr(BootPolicy) example = boot_policy_new(BOOT_RULES_EXAMPLE, cases[i].text);
        assert_int_equal(boot_policy_form(any), cases[i].any);
        assert_int_equal(boot_policy_form(example), cases[i].example);
        bool wrong =
            cases[i].example == BOOT_POLICY_BROKEN || cases[i].example == BOOT_POLICY_UNUSABLE;
        assert_int_equal(boot_policy_problem(example) != NULL, wrong);
        assert_null(boot_policy_reference(example));
        assert_int_equal(g_strcmp0(boot_policy_text(any), cases[i].text), 0);
    }
}

static void test_usable(void **state)
{
    static const char text[] = "{\"scrtm_and_bios\": [], \"pk\": [], \"kek\": [], \"db\": [],"
                               "\"dbx\": [], \"mokdig\": [], \"mokxdig\": []}";
    g_autoptr(BootPolicy) policy = boot_policy_new(BOOT_RULES_HARDWARE, text);
    assert_int_equal(boot_policy_form(policy), BOOT_POLICY_USABLE);
    g_autoptr(BootPolicy) shared = boot_policy_ref(policy);
    assert_non_null(boot_policy_reference(shared));
    assert_int_equal(boot_policy_rules(shared), BOOT_RULES_HARDWARE);
    g_autoptr(BootPolicy) example = boot_policy_new(BOOT_RULES_EXAMPLE, text);
    assert_int_equal(boot_policy_form(example), BOOT_POLICY_UNUSABLE);
    assert_non_null(strstr(boot_policy_problem(example), "kernels is missing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_usable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
