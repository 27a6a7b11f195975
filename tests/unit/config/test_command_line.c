/* SPDX-License-Identifier: Apache-2.0 */
#include "config/command_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const Option options[] = {
    {"agent", "verifier_url", OPTION_TEXT, "https://localhost:8881", "URL.", .flag = "verifier-url",
     .flag_value = "URL", .flag_short = 'v'},
    {"agent", "timeout", OPTION_INT, "5000", "Milliseconds.", 1, 3600000, .flag = "timeout",
     .flag_value = "MS"},
    {"agent", "insecure", OPTION_BOOL, "false", "For tests.", .flag = "insecure"},
    {"agent", "uuid", OPTION_TEXT, "x", "No flag."},
    {0},
};
static const ConfigSchema schema = {"agent", CONFIG_TOML, options, "keylime_push_model_agent",
                                    "Push agent."};

/* "option=value;..." of the overrides, or '!' and the complaint. `words` are parted by blanks. */
static void assert_parsed(const char *words, const char *expected)
{
    g_autofree char *all = g_strdup_printf("program %s", words);
    g_auto(GStrv) argv = g_strsplit(g_strchomp(all), " ", -1);
    g_autoptr(GError) error = NULL;
    g_auto(CommandLine) line = {0};
    g_autoptr(GString) got = g_string_new(NULL);
    if (!command_line_parse(&schema, (int)g_strv_length(argv), argv, &line, &error)) {
        assert_true(g_error_matches(error, CONFIG_ERROR, CONFIG_ERROR_USAGE));
        g_string_append_printf(got, "!%s", error->message);
    } else {
        const ConfigOverride *overrides = (const ConfigOverride *)(void *)line.overrides->data;
        for (const ConfigOverride *item = overrides; item->name; item++)
            g_string_append_printf(got, "%s=%s;", item->name, item->value);
        g_string_append_printf(got, "%s%s%s%s", line.help ? "help" : "",
                               line.version ? "version" : "", line.check_config ? "check" : "",
                               line.example_config ? "example" : "");
    }
    assert_string_equal(got->str, expected);
}

static void test_values(void **state)
{
    assert_parsed("", "");
    assert_parsed("--verifier-url https://h", "verifier_url=https://h;");
    assert_parsed("--verifier-url=https://h/?a=b", "verifier_url=https://h/?a=b;");
    assert_parsed("-v https://h --timeout 5", "verifier_url=https://h;timeout=5;");
    assert_parsed("-v=x", "verifier_url=x;");
    assert_parsed("--timeout= --verifier-url x", "timeout=;verifier_url=x;");
    assert_parsed("--timeout -5", "timeout=-5;");
}

/* Contract C57, C58: a flag may stand alone, or be followed by upstream's words. */
static void test_booleans(void **state)
{
    assert_parsed("--insecure", "insecure=true;");
    assert_parsed("--insecure=false", "insecure=false;");
    assert_parsed("--insecure false --timeout 5", "insecure=false;timeout=5;");
    assert_parsed("--insecure true", "insecure=true;");
    assert_parsed("--insecure --timeout 5", "insecure=true;timeout=5;");
    assert_parsed("--insecure=yes", "!--insecure 'yes': must be true or false");
    assert_parsed("--insecure yes", "!unexpected word 'yes'; --help shows the usage");
}

static void test_standard_flags(void **state)
{
    assert_parsed("--help", "help");
    assert_parsed("-h", "help");
    assert_parsed("-V", "version");
    assert_parsed("--check-config --timeout 5", "timeout=5;check");
    assert_parsed("--json --check-config", "check");
    assert_parsed("--json", "!--json belongs to --check-config");
    assert_parsed("--example-config", "example");
}

/* Contract C58a. */
static void test_misuse(void **state)
{
    assert_parsed("--bogus", "!unknown flag '--bogus'; --help lists the flags");
    assert_parsed("--bogus=1", "!unknown flag '--bogus=1'; --help lists the flags");
    assert_parsed("--timeou 5", "!unknown flag '--timeou'; --help lists the flags");
    assert_parsed("-x", "!unknown flag '-x'; --help lists the flags");
    assert_parsed("--uuid x", "!unknown flag '--uuid'; --help lists the flags");
    assert_parsed("-vx", "!unknown flag '-vx'; --help lists the flags");
    assert_parsed("surplus", "!unexpected word 'surplus'; --help shows the usage");
    assert_parsed("--timeout", "!--timeout needs a value: --timeout MS");
    assert_parsed("--timeout --insecure", "!--timeout needs a value: --timeout MS");
    assert_parsed("--timeout 5 --timeout 6", "!--timeout is given twice");
    assert_parsed("-v a --verifier-url b", "!--verifier-url is given twice");
    assert_parsed("--insecure --insecure", "!--insecure is given twice");
    assert_parsed("--help --help", "!--help is given twice");
}

static void test_flags_are_explained(void **state)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    config_print_flags(&schema, out);
    fclose(out);
    assert_non_null(strstr(text, "  -v, --verifier-url URL\n"));
    assert_non_null(
        strstr(text, "[default: https://localhost:8881; variable: KEYLIME_AGENT_VERIFIER_URL]"));
    assert_null(strstr(text, "No flag."));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_booleans),
        cmocka_unit_test(test_standard_flags),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_flags_are_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
