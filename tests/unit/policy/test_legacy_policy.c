/* SPDX-License-Identifier: Apache-2.0 */
/* Older forms of policies: what the known answers (convert.json) do not have. */
#include "policy/legacy_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_lines_that_are_left_out(void **state)
{
    g_autoptr(GArray) skipped = g_array_new(FALSE, FALSE, sizeof(guint));
    g_autoptr(Json) policy = legacy_policy_from_allowlist(
        bytes_of_text("aa /a\r\n\nlonely\n\tbb\t /b c \n x"), NULL, skipped, NULL);
    Json *digests = json_member(policy, "digests");
    assert_int_equal(json_object_object_length(digests), 2);
    assert_non_null(json_member(digests, "/b c"));
    assert_int_equal(skipped->len, 2);
    assert_int_equal(g_array_index(skipped, guint, 0), 3);
    assert_int_equal(g_array_index(skipped, guint, 1), 5);
    assert_null(json_member(json_member(policy, "meta"), "timestamp"));
}

static void test_no_text(void **state)
{
    static const struct {
        const char *data;
        size_t size;
    } cases[] = {{"aa /\xff", 5}, {"aa /a\0b", 7}};
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        Bytes text = bytes_of(cases[i].data, cases[i].size);
        g_autoptr(Json) policy = legacy_policy_empty(POLICY_GENERATOR_EMPTY, NULL);
        assert_null(legacy_policy_from_allowlist(text, NULL, NULL, &error));
        assert_true(g_error_matches(error, LEGACY_POLICY_ERROR, LEGACY_POLICY_ERROR_TEXT));
        assert_false(legacy_policy_add_excludes(policy, text, NULL));
    }
}

/* A row of a database before 6.6 (ima §7.4). */
static void test_stored_rows(void **state)
{
    g_autoptr(Json) row = json_parse(
        bytes_of_text(
            "{\"allowlist\": {\"hashes\": {\"/a\": [\"aa\"]}, \"release\": 4, \"meta\": {}},"
            " \"exclude\": [\"/tmp\"]}"),
        NULL);
    g_autoptr(Json) policy = legacy_policy_from_row(row, "now", NULL);
    gint64 release;
    assert_true(json_member_int(policy, "release", false, &release) && release == 4);
    assert_string_equal(json_text(json_object_array_get_idx(json_member(policy, "excludes"), 0)),
                        "/tmp");
    assert_string_equal(json_member_text(json_member(policy, "meta"), "timestamp"), "now");
    static const char *const broken[] = {"{}", "{\"allowlist\": []}",
                                         "{\"allowlist\": {\"hashes\": {}}}"};
    for (size_t i = 0; i < G_N_ELEMENTS(broken); i++) {
        g_autoptr(Json) other = json_parse(bytes_of_text(broken[i]), NULL);
        g_autoptr(GError) error = NULL;
        assert_null(legacy_policy_from_row(other, NULL, &error));
        assert_non_null(error);
    }
}

static void test_policies_without_a_version(void **state)
{
    static const char *const texts[] = {"{}", "{\"meta\": {}}", "{\"meta\": {\"version\": \"1\"}}"};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(Json) policy = json_parse(bytes_of_text(texts[i]), NULL);
        g_autoptr(GError) error = NULL;
        assert_null(legacy_policy_upgrade(policy, NULL, &error));
        assert_non_null(error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_that_are_left_out),
        cmocka_unit_test(test_no_text),
        cmocka_unit_test(test_stored_rows),
        cmocka_unit_test(test_policies_without_a_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
