/* SPDX-License-Identifier: Apache-2.0 */
/* Severity rules that cannot be used are refused; which level an event has is the known answers'
 * matter (severity.json). */
#include "policy/severity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char *const labels[] = {"low", "high", NULL};
static const char *const none[] = {NULL};

static void test_refused(void **state)
{
    static const struct {
        const char *const *labels;
        const char *rules, *message;
    } cases[] = {
        {none, "[]", "severity_labels"},
        {labels, "{}", "severity_policy: is not a list"},
        {labels, "[{}]", "severity_policy[0]: needs"},
        {labels,
         "[{\"event_id\":\".*\",\"severity_label\":\"low\"},{\"event_id\":\"(\","
         "\"severity_label\":\"low\"}]",
         "severity_policy[1].event_id: missing )"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Json) rules = json_parse(bytes_of_text(cases[i].rules), NULL);
        g_autoptr(GError) error = NULL;
        assert_null(severity_policy_new(cases[i].labels, rules, &error));
        assert_non_null(strstr(error->message, cases[i].message));
    }
}

static void test_whole_ids_and_flags(void **state)
{
    g_autoptr(Json) rules =
        json_parse(bytes_of_text("[{\"event_id\":\"ima\",\"severity_label\":\"low\"},"
                                 "{\"event_id\":\"(?i)PCR_.*\",\"severity_label\":\"low\"}]"),
                   NULL);
    g_autoptr(SeverityPolicy) policy = severity_policy_new(labels, rules, NULL);
    assert_int_equal(severity_level(policy, "ima", true), 0);
    assert_int_equal(severity_level(policy, "ima.pcr_mismatch", true), 1);
    assert_int_equal(severity_level(policy, "pcr_validation.x", true), 0);
    assert_int_equal(severity_level(policy, "ima", false), 1);
    assert_string_equal(severity_label(policy, 99), "high");
    g_autoptr(SeverityPolicy) shared = severity_policy_ref(policy);
    assert_ptr_equal(shared, policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_whole_ids_and_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
