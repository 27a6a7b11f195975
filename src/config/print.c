/* SPDX-License-Identifier: Apache-2.0 */
/* The option table and the effective values as people read them. */
#include "config/list.h"
#include "config/loaded.h"
#include "config/wrapped_text.h"

#include <string.h>

/* --- --check-config ------------------------------------------------------------------------------
 */

static bool needs_toml_quotes(const ConfigSchema *schema, const Option *option)
{
    return schema->format == CONFIG_TOML &&
           (option->type == OPTION_TEXT || option->type == OPTION_WORD);
}

static char *shown_value(const ConfigSchema *schema, const Setting *setting)
{
    if (setting->option->secret && *setting->value.text)
        return g_strdup("(set)");
    g_autofree char *escaped = g_strescape(setting->value.text, NULL);
    bool plain =
        g_utf8_validate(setting->value.text, -1, NULL) && !strpbrk(setting->value.text, "\n\r\t");
    const char *text = plain ? setting->value.text : escaped;
    if (schema->format == CONFIG_TOML && setting->option->type == OPTION_BOOL)
        return g_ascii_strdown(text, -1);
    return needs_toml_quotes(schema, setting->option) ? g_strdup_printf("\"%s\"", text)
                                                      : g_strdup(text);
}

void config_print(const Config *config, FILE *out)
{
    const char *section = NULL;
    for (size_t i = 0; i < config->count; i++) {
        const Setting *setting = &config->settings[i];
        const Option *option = setting->option;
        if (option->pull_only || (option->dead && !setting->set))
            continue;
        if (!section || strcmp(section, option->section) != 0)
            fprintf(out, "%s[%s]\n", section ? "\n" : "", option->section);
        section = option->section;
        g_autofree char *value = shown_value(config->schema, setting);
        g_autofree char *line = g_strdup_printf("%s = %s", option->name, value);
        fprintf(out, "%-48s  # %s%s", line, setting->source, option->dead ? ", no effect" : "");
        if (setting->refused)
            fprintf(out, ": %s is refused", setting->refused);
        fputc('\n', out);
    }
}

/* --- --example-config ----------------------------------------------------------------------------
 */

/* A list of the table as TOML, which knows no bare words. */
static char *toml_list(const char *text)
{
    g_autofree char *reason = NULL;
    g_auto(GStrv) elements = list_parse(bytes_of_text(text), &reason);
    g_autofree char *joined = elements ? g_strjoinv("\", \"", elements) : g_strdup("");
    return *joined ? g_strdup_printf("[\"%s\"]", joined) : g_strdup("[]");
}

static char *example_value(const ConfigSchema *schema, const Option *option)
{
    const char *text = option->default_text ? option->default_text : "";
    if (schema->format == CONFIG_TOML && option->type == OPTION_BOOL)
        return g_ascii_strdown(text, -1);
    if (needs_toml_quotes(schema, option) || (schema->format == CONFIG_TOML && !*text))
        return g_strdup_printf("\"%s\"", text);
    if (schema->format == CONFIG_TOML && option->type == OPTION_LIST)
        return toml_list(text);
    return g_strdup(text);
}

static void print_allowed(const Option *option, FILE *out)
{
    if (option->type == OPTION_WORD) {
        g_autofree char *words = g_strjoinv(", ", (char **)option->words);
        g_autofree char *text = g_strdup_printf("One of: %s.", words);
        wrapped_text_print(out, 0, "# ", text);
    } else if (option->minimum != 0 || option->maximum != 0) {
        fprintf(out, "# From %.15g to %.15g.\n", option->minimum, option->maximum);
    }
}

static void print_example_option(const ConfigSchema *schema, const Option *option, FILE *out)
{
    g_autofree char *value = example_value(schema, option);
    fputc('\n', out);
    if (option->help)
        wrapped_text_print(out, 0, "# ", option->help);
    print_allowed(option, out);
    if (!option->default_text)
        fputs("# No built-in value.\n", out);
    if (option->shipped)
        fprintf(out, "%s = %s\n", option->name, option->shipped);
    else
        fprintf(out, *value ? "#%s = %s\n" : "#%s =\n", option->name, value);
}

/* The names of options that change nothing, which files of upstream's may have. */
static void print_without_effect(const Option *options, bool pull_only, const char *heading,
                                 FILE *out)
{
    g_autoptr(GString) text = g_string_new(heading);
    const char *separator = " ";
    for (const Option *option = options; option->name; option++) {
        if (pull_only ? !option->pull_only : !option->dead)
            continue;
        g_string_append_printf(text, "%s%s", separator, option->name);
        separator = ", ";
    }
    if (*separator == ' ')
        return;
    fputc('\n', out);
    g_string_append_c(text, '.');
    wrapped_text_print(out, 0, "# ", text->str);
}

void config_print_example(const ConfigSchema *schema, FILE *out)
{
    g_autofree Option *made = schema->make_options ? schema->make_options(NULL) : NULL;
    const Option *options = made ? made : schema->options;
    fprintf(out,
            "# Configuration of %s. Every option is shown with its built-in default;\n"
            "# remove the '#' before an option to change it.\n",
            schema->program);
    const char *section = NULL;
    for (const Option *option = options; option->name; option++) {
        if (option->dead || option->pull_only)
            continue;
        if (!section || strcmp(section, option->section) != 0)
            fprintf(out, "\n[%s]\n", option->section);
        section = option->section;
        print_example_option(schema, option, out);
    }
    print_without_effect(options, false, "Accepted, without effect:", out);
    print_without_effect(options, true, "Of the pull model, passed over:", out);
}

/* --- --help --------------------------------------------------------------------------------------
 */

void config_print_flags(const ConfigSchema *schema, FILE *out)
{
    for (const Option *option = schema->options; option->name; option++) {
        if (!option->flag)
            continue;
        g_autofree char *brief =
            option->flag_short ? g_strdup_printf("-%c, ", option->flag_short) : g_strdup("    ");
        fprintf(out, "  %s--%s%s%s\n", brief, option->flag, option->flag_value ? " " : "",
                option->flag_value ? option->flag_value : "");
        if (option->help)
            wrapped_text_print(out, 10, "", option->help);
        if (option->dead) {
            fprintf(out, "%10s(accepted, has no effect)\n", "");
            continue;
        }
        g_autofree char *variable = sources_variable_name(schema, option);
        bool has_default = option->default_text && *option->default_text && !option->secret;
        fprintf(out, "%10s[%s%s%svariable: %s]\n", "", has_default ? "default: " : "",
                has_default ? option->default_text : "", has_default ? "; " : "", variable);
    }
}
