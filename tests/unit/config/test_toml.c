/* SPDX-License-Identifier: Apache-2.0 */
#include "config/toml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_problem(const char *text, const char *beginning)
{
    g_autofree char *problem = NULL;
    assert_null(toml_read(text, strlen(text), &problem));
    assert_non_null(problem);
    if (!g_str_has_prefix(problem, beginning))
        fail_msg("'%s' does not begin with '%s'", problem, beginning);
}

static const TomlEntry *find(const GPtrArray *entries, const char *table, const char *name)
{
    for (guint i = 0; i < entries->len; i++) {
        const TomlEntry *entry = entries->pdata[i];
        if (strcmp(entry->table, table) == 0 && strcmp(entry->name, name) == 0)
            return entry;
    }
    fail_msg("no %s in [%s]", name, table);
    return NULL;
}

static void test_values(void **state)
{
    const char *text = "top = 1\n"
                       "[agent]\n"
                       "uuid = \"d432fbb3-d2f1-4a97-9ef7-75bd81c00000\"\n"
                       "port = 8_890\n"
                       "real = 2.5\n"
                       "  tls = true\n"
                       "versions = [\"2.6\", 3]\n"
                       "day = 1979-05-27\n"
                       "nested = [[1]]\n"
                       "[agent.sub]\n"
                       "x = 'y'\n";
    g_autofree char *problem = NULL;
    g_autoptr(GPtrArray) entries = toml_read(text, strlen(text), &problem);
    assert_non_null(entries);
    assert_null(problem);
    assert_int_equal(entries->len, 10);

    const TomlEntry *uuid = find(entries, "agent", "uuid");
    assert_int_equal(uuid->type, TOML_TEXT);
    assert_string_equal(uuid->text, "d432fbb3-d2f1-4a97-9ef7-75bd81c00000");
    assert_int_equal(uuid->line, 3);
    assert_int_equal(uuid->column, 8);
    const TomlEntry *tls = find(entries, "agent", "tls");
    assert_int_equal(tls->type, TOML_BOOL);
    assert_string_equal(tls->text, "true");
    assert_int_equal(tls->column, 9);
    assert_string_equal(find(entries, "agent", "port")->text, "8890");
    assert_int_equal(find(entries, "agent", "port")->type, TOML_INT);
    assert_string_equal(find(entries, "agent", "real")->text, "2.5");
    assert_int_equal(find(entries, "agent", "real")->type, TOML_REAL);
    const TomlEntry *versions = find(entries, "agent", "versions");
    assert_int_equal(versions->type, TOML_LIST);
    assert_string_equal(versions->list[0], "2.6");
    assert_string_equal(versions->list[1], "3");
    assert_null(versions->list[2]);
    assert_int_equal(find(entries, "agent", "day")->type, TOML_OTHER);
    assert_int_equal(find(entries, "agent", "nested")->type, TOML_OTHER);
    assert_int_equal(find(entries, "", "top")->line, 1);
    assert_string_equal(find(entries, "agent.sub", "x")->text, "y");
    assert_int_equal(find(entries, "agent", "sub")->type, TOML_OTHER);
}

/* A text that C would cut short at the NUL is no usable value. */
static void test_embedded_nul(void **state)
{
    const char *text = "[agent]\na = \"x\\u0000y\"\nb = [\"\\u0000\"]\n";
    g_autofree char *problem = NULL;
    g_autoptr(GPtrArray) entries = toml_read(text, strlen(text), &problem);
    assert_non_null(entries);
    assert_int_equal(find(entries, "agent", "a")->type, TOML_OTHER);
    assert_int_equal(find(entries, "agent", "b")->type, TOML_OTHER);
}

/* Contract C119. */
static void test_syntax_errors(void **state)
{
    assert_problem("[agent]\nuuid = \"abc\nport = 1\n", "2:");
    assert_problem("[agent]\nuuid = abc\n", "2:8: ");
    assert_problem("[agent]\nkey: value\n", "2:4: ");
    assert_problem("\xef\xbb\xbf[agent]\n", "1:1: byte order mark");
    assert_problem("[agent]\na = 1\na = 2\n", "3:");
    assert_problem("[agent]\na = \"\xff\"\n", "2:");
    assert_problem("[agent\n", "1:");
    assert_problem("[agent]\na = 1\n[}\nb = 2\n", "3:1: ");
    assert_problem("[}", "1:1: ");
    assert_problem("[agent]\nb = 1\xc7\xbe\n", "2:");
}

static void test_empty(void **state)
{
    g_autofree char *problem = NULL;
    g_autoptr(GPtrArray) entries = toml_read("", 0, &problem);
    assert_non_null(entries);
    assert_int_equal(entries->len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_embedded_nul),
        cmocka_unit_test(test_syntax_errors),
        cmocka_unit_test(test_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
