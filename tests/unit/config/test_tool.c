/* SPDX-License-Identifier: Apache-2.0 */
#include "config/tool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    const char *command, *id, *host, *list;
    const char *keys[TOOL_MAX_REPEATS + 1];
    bool quick, quiet, push;
} Words;

static const ToolOption options[] = {
    {TOOL_OPTION(Words, TOOL_TEXT, "-c", "--command", command, "COMMAND")},
    {TOOL_OPTION(Words, TOOL_TEXT, "-u", "--uuid", id, "ID"), .alias = "--identifier"},
    {TOOL_OPTION(Words, TOOL_TEXT, "-v", "--cv", host, "HOST"), .words = "here there"},
    {TOOL_OPTION(Words, TOOL_REPEATED, NULL, "--key", keys, "FILE")},
    {TOOL_OPTION(Words, TOOL_OPTIONAL, "-m", "--list", list, "FILE"), .implied = "/proc"},
    {TOOL_OPTION(Words, TOOL_FLAG, "-q", "--quick", quick, NULL), .commands = "add remove"},
    {TOOL_OPTION(Words, TOOL_FLAG, "-i", "--quiet", quiet, NULL)},
    {TOOL_OPTION(Words, TOOL_FLAG, "-nvc", "--no-check", push, NULL)},
    {0},
};

static const ToolCommand commands[] = {
    {.name = "add", .summary = "add"},
    {.name = "remove", .summary = "remove"},
    {.name = "drop", .same_as = "remove"},
};

static const ToolCommand *command_at(guint index)
{
    return index < G_N_ELEMENTS(commands) ? &commands[index] : NULL;
}

static const Tool tool = {.name = "tool", .options = options, .command_at = command_at};

/* "id=a;quick;(word)" of what was read, or '!' and the complaint. `line` is parted by blanks. */
static void assert_read(const char *line, const char *expected)
{
    g_autofree char *all = g_strdup_printf("program %s", line);
    g_auto(GStrv) argv = g_strsplit(g_strchomp(all), " ", -1);
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) got = g_string_new(NULL);
    Words read = {0};
    ToolWords words;
    if (!tool_parse(&tool, NULL, (int)g_strv_length(argv), argv, &read, &words, &error)) {
        g_string_append_printf(got, "!%s", error->message);
    } else {
        const char *texts[][2] = {
            {"command", read.command}, {"id", read.id}, {"host", read.host}, {"list", read.list}};
        for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
            if (texts[i][1])
                g_string_append_printf(got, "%s=%s;", texts[i][0], texts[i][1]);
        for (guint i = 0; read.keys[i]; i++)
            g_string_append_printf(got, "key=%s;", read.keys[i]);
        g_string_append_printf(got, "%s%s%s", read.quick ? "quick;" : "",
                               read.quiet ? "quiet;" : "", read.push ? "nocheck;" : "");
        for (guint i = 0; i < words.count; i++)
            g_string_append_printf(got, "(%s)", words.word[i]);
    }
    assert_string_equal(got->str, expected);
}

static void test_values(void **state)
{
    assert_read("", "");
    assert_read("-u a", "id=a;");
    assert_read("-ua", "id=a;");
    assert_read("-u=a", "id=a;");
    assert_read("--uuid a", "id=a;");
    assert_read("--uuid=a=b", "id=a=b;");
    assert_read("--identifier a", "id=a;");
    assert_read("--uuid=", "id=;");
    assert_read("-u -", "id=-;");
    assert_read("-u -7", "id=-7;");
    assert_read("--key a --key b --key=c", "key=a;key=b;key=c;");
    assert_read("-v here", "host=here;");
}

static void test_abbreviations(void **state)
{
    assert_read("--uu a", "id=a;");
    assert_read("--ident a", "id=a;");
    assert_read("--quick", "quick;");
    assert_read("--qui", "!--qui could be --quick or --quiet");
    assert_read("--", "");
}

/* Short options of several letters go before flags of one letter together. */
static void test_clusters(void **state)
{
    assert_read("-qi", "quick;quiet;");
    assert_read("-qua", "id=a;quick;");
    assert_read("-nvc", "nocheck;");
    assert_read("-nv", "!unrecognized argument: -nv");
    assert_read("-qx", "!unrecognized argument: -qx");
}

static void test_values_that_may_be_left_out(void **state)
{
    assert_read("-m", "list=/proc;");
    assert_read("-m a", "list=a;");
    assert_read("-m -q", "list=/proc;quick;");
    assert_read("--list=a", "list=a;");
    assert_read("-ma", "list=a;");
}

static void test_words(void **state)
{
    assert_read("a -q b", "quick;(a)(b)");
    assert_read("-- -q b", "(-q)(b)");
    assert_read("a b c d e f g h", "(a)(b)(c)(d)(e)(f)(g)(h)");
    assert_read("a b c d e f g h i", "!unrecognized argument: i");
}

static void test_complaints(void **state)
{
    assert_read("--bogus", "!unrecognized argument: --bogus");
    assert_read("-x", "!unrecognized argument: -x");
    assert_read("-u", "!--uuid expects ID");
    assert_read("-u -q", "!--uuid expects ID");
    assert_read("-u a -u b", "!--uuid is given twice");
    assert_read("-m -m", "!--list is given twice");
    assert_read("--quick=yes", "!--quick takes no value");
    assert_read("-v nowhere", "!--cv nowhere: must be one of here, there");
}

static void test_too_many(void **state)
{
    g_autoptr(GString) line = g_string_new(NULL);
    for (unsigned i = 0; i < TOOL_MAX_REPEATS; i++)
        g_string_append(line, "--key a ");
    Words read = {0};
    ToolWords words;
    g_autofree char *all = g_strdup_printf("program %s--key b", line->str);
    g_auto(GStrv) argv = g_strsplit(all, " ", -1);
    g_autoptr(GError) error = NULL;
    int count = (int)g_strv_length(argv);
    assert_true(tool_parse(&tool, NULL, count - 2, argv, &read, &words, &error));
    read = (Words){0};
    assert_false(tool_parse(&tool, NULL, count, argv, &read, &words, &error));
    assert_string_equal(error->message, "--key may be given 64 times");
}

static void assert_command(const char *line, const char *expected)
{
    g_autofree char *all = g_strdup_printf("program %s", line);
    g_auto(GStrv) argv = g_strsplit(g_strchomp(all), " ", -1);
    g_autoptr(GError) error = NULL;
    Words read = {0};
    bool good =
        tool_parse_command(&tool, (int)g_strv_length(argv), argv, &read, &read.command, &error);
    assert_string_equal(good ? read.command ? read.command : "-" : error->message, expected);
}

static void test_commands(void **state)
{
    assert_command("", "-");
    assert_command("add", "add");
    assert_command("-q add", "add");
    assert_command("-c anything", "anything"); /* for main() to judge, as upstream's does */
    assert_command("anything", "there is no command anything");
    assert_command("add remove", "unrecognized argument: remove");
    assert_command("-c add remove", "unrecognized argument: remove");
    assert_string_equal(tool_find_command(&tool, "drop")->name, "remove");
    assert_null(tool_find_command(&tool, "lose"));
    assert_null(tool_find_command(&tool, NULL));
}

static void test_useless_options(void **state)
{
    Words read = {.quick = true, .quiet = true};
    g_autofree char *none = tool_useless_options(options, "add", &read);
    assert_null(none);
    g_autofree char *one = tool_useless_options(options, "list", &read);
    assert_string_equal(one, "--quick");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),          cmocka_unit_test(test_abbreviations),
        cmocka_unit_test(test_clusters),        cmocka_unit_test(test_values_that_may_be_left_out),
        cmocka_unit_test(test_words),           cmocka_unit_test(test_complaints),
        cmocka_unit_test(test_too_many),        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_useless_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
