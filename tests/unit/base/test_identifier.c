/* SPDX-License-Identifier: Apache-2.0 */
/* Agent ids (decision D24). */
#include "base/identifier.h"

#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_agent_ids(void **state)
{
    static const char *const valid[] = {"d432fbb3-d2f1-4a97-9ef7-75bd81c00000", "a", "A.b_c-9",
                                        "...", ".a"};
    static const char *const invalid[] = {"",    ".",        "..",  "a b",   "a/b", "a%2e",
                                          "a\n", "\xc3\xa9", "a:b", "a\xff", "a+b"};
    for (size_t i = 0; i < G_N_ELEMENTS(valid); i++)
        assert_true(agent_id_is_valid(valid[i]));
    for (size_t i = 0; i < G_N_ELEMENTS(invalid); i++)
        assert_false(agent_id_is_valid(invalid[i]));
    assert_false(agent_id_is_valid(NULL));
}

static void test_length(void **state)
{
    char text[AGENT_ID_MAX + 2] = {0};
    memset(text, 'x', AGENT_ID_MAX);
    assert_true(agent_id_is_valid(text));
    text[AGENT_ID_MAX] = 'x';
    assert_false(agent_id_is_valid(text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agent_ids),
        cmocka_unit_test(test_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
