/* SPDX-License-Identifier: Apache-2.0 */
#include "config/check_config.h"

#include "base/log.h"
#include "config/logging.h"

#include <unistd.h>

/* What has been looked at. */
typedef struct {
    GPtrArray *configs; /* of Config, the program's own first */
    GPtrArray *errors;  /* of GError */
} Findings;

static void take_error(Findings *findings, GError *error)
{
    if (error)
        g_ptr_array_add(findings->errors, error);
}

static void examine(Findings *findings, const ConfigSchema *schema, const ConfigOverride *overrides)
{
    GError *error = NULL;
    g_ptr_array_add(findings->configs, config_examine(schema, overrides, &error));
    take_error(findings, error);
}

/* Servers and tools have a file for it, the agent variables. */
static void examine_logging(Findings *findings, const ConfigSchema *schema)
{
    GError *error = NULL;
    if (schema->format == CONFIG_TOML)
        logging_start_agent(&error);
    else
        g_ptr_array_add(findings->configs, logging_examine(&error));
    take_error(findings, error);
}

static void print_text(const Findings *findings)
{
    for (guint i = 0; i < findings->configs->len; i++) {
        if (i > 0)
            puts("\n# logging.conf");
        config_print(findings->configs->pdata[i], stdout);
    }
}

static void print_json(const Findings *findings)
{
    g_autoptr(Json) report = json_object_new_object();
    Json *files = json_object_new_array(), *problems = json_object_new_array();
    for (guint i = 0; i < findings->configs->len; i++)
        json_object_array_add(files, config_to_json(findings->configs->pdata[i]));
    for (guint i = 0; i < findings->errors->len; i++) {
        const GError *error = findings->errors->pdata[i];
        g_auto(GStrv) lines = g_strsplit(error->message, "\n", -1);
        for (guint j = 0; lines[j]; j++)
            json_object_array_add(problems, json_new_text(lines[j]));
    }
    json_add(report, "files", files);
    json_add(report, "problems", problems);
    g_autofree char *text = json_to_text(report);
    puts(text);
}

int check_config_complain(const GError *error, const char *called)
{
    g_autofree char *name = g_path_get_basename(called);
    g_auto(GStrv) lines = g_strsplit(error->message, "\n", -1);
    for (guint i = 0; lines[i]; i++)
        fprintf(stderr, "%s: %s\n", name, lines[i]);
    return g_error_matches(error, CONFIG_ERROR, CONFIG_ERROR_USAGE) ? 2 : 1;
}

int check_config(const ConfigSchema *schema, const ConfigOverride *overrides, bool json,
                 const char *called)
{
    g_autoptr(GPtrArray) configs = g_ptr_array_new_with_free_func((GDestroyNotify)config_free);
    g_autoptr(GPtrArray) errors = g_ptr_array_new_with_free_func((GDestroyNotify)g_error_free);
    Findings findings = {configs, errors};
    log_open(STDERR_FILENO, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    examine(&findings, schema, overrides);
    examine_logging(&findings, schema);
    if (json)
        print_json(&findings);
    else
        print_text(&findings);
    fflush(stdout);
    int status = 0;
    for (guint i = 0; i < errors->len; i++) {
        int one = check_config_complain(errors->pdata[i], called);
        status = MAX(status, one);
    }
    return status;
}
