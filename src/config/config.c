/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#define LOG_NAME "keylime.config"
#include "base/log.h"
#include "config/loaded.h"

#include <string.h>

G_DEFINE_QUARK(keylime - config - error - quark, config_error)

const char *config_work_dir(void)
{
    const char *directory = g_getenv("KEYLIME_DIR");
    return directory && *directory ? directory : "/var/lib/keylime";
}

/* --- the table -----------------------------------------------------------------------------------
 */

static const Option *find_option(const ConfigSchema *schema, const char *section, const char *name)
{
    for (const Option *option = schema->options; option->name; option++) {
        if (strcmp(option->section, section) == 0 && strcmp(option->name, name) == 0)
            return option;
    }
    return NULL;
}

/* In whatever section. */
static const Option *find_option_by_name(const ConfigSchema *schema, const char *name)
{
    for (const Option *option = schema->options; option->name; option++) {
        if (strcmp(option->name, name) == 0)
            return option;
    }
    return NULL;
}

static size_t count_options(const ConfigSchema *schema)
{
    size_t count = 0;
    while (schema->options[count].name)
        count++;
    return count;
}

static void take_value(RawValue *to, RawKind kind, const char *text, char *const *list,
                       const char *source)
{
    raw_value_clear(to);
    *to = (RawValue){.kind = kind,
                     .text = g_strdup(text),
                     .list = g_strdupv((char **)list),
                     .source = g_strdup(source)};
}

/* --- collecting what the sources say
 * --------------------------------------------------------------- */

typedef struct {
    const ConfigSchema *schema;
    RawValue *values;    /* per option of the table; text == NULL: nothing said yet */
    GPtrArray *problems; /* of files, environment and values */
    GPtrArray *misuses;  /* of the command line */
} Collection;

/* The format's own option: which release's template the file was made from. Any is read. */
static bool is_version(const ConfigSchema *schema, const FoundOption *found)
{
    return strcmp(found->section, schema->component) == 0 && strcmp(found->name, "version") == 0;
}

static void warn_unknown(const ConfigSchema *schema, const FoundOption *found, GHashTable *warned)
{
    bool known = strcmp(found->section, "DEFAULT") == 0
                     ? find_option_by_name(schema, found->name) != NULL
                     : find_option(schema, found->section, found->name) != NULL;
    if (known || schema->partial || is_version(schema, found))
        return;
    if (g_hash_table_add(warned, g_strdup_printf("%s\n%s", found->section, found->name)))
        log_warning("%s: unknown option '%s' in [%s]: ignored", found->value.source, found->name,
                    found->section);
}

/* TOML: other tables belong to other programs, but an option of ours there is a slip that would
 * silently leave the default in force (contract C28). */
static void check_outside(Collection *all, const FoundOption *found)
{
    const Option *option = find_option_by_name(all->schema, found->name);
    if (!option || option->pull_only)
        return;
    g_ptr_array_add(all->problems,
                    g_strdup_printf("%s: option '%s' stands %s%s%s: it must be in [%s]",
                                    found->value.source, found->name,
                                    *found->section ? "in [" : "before any table", found->section,
                                    *found->section ? "]" : "", all->schema->component));
}

static void collect_files(Collection *all, const FoundOptions *found)
{
    g_autoptr(GHashTable) warned = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_ptr_array_extend(all->problems, found->problems, (GCopyFunc)(void (*)(void))g_strdup, NULL);
    for (guint i = 0; i < found->options->len; i++) {
        const FoundOption *entry = found->options->pdata[i];
        bool toml = all->schema->format == CONFIG_TOML;
        if (toml && strcmp(entry->section, all->schema->component) != 0) {
            check_outside(all, entry);
            continue;
        }
        warn_unknown(all->schema, entry, warned);
        const Option *option = find_option(all->schema, entry->section, entry->name);
        if (option)
            take_value(&all->values[option - all->schema->options], entry->value.kind,
                       entry->value.text, entry->value.list, entry->value.source);
    }
}

/* [DEFAULT] speaks for each section that exists and does not say otherwise, whatever the order. */
static void collect_inherited(Collection *all, const FoundOptions *found)
{
    size_t count = count_options(all->schema);
    g_autofree bool *own = g_new0(bool, count + 1);
    for (size_t i = 0; i < count; i++)
        own[i] = all->values[i].text != NULL;
    for (guint i = 0; i < found->options->len; i++) {
        const FoundOption *entry = found->options->pdata[i];
        if (strcmp(entry->section, "DEFAULT") != 0)
            continue;
        for (size_t j = 0; j < count; j++) {
            const Option *option = &all->schema->options[j];
            if (!own[j] && strcmp(option->name, entry->name) == 0 &&
                g_hash_table_contains(found->sections, option->section))
                take_value(&all->values[j], entry->value.kind, entry->value.text, NULL,
                           entry->value.source);
        }
    }
}

static void collect_environment(Collection *all)
{
    for (const Option *option = all->schema->options; option->name; option++) {
        g_autofree char *variable = sources_variable_name(all->schema, option);
        const char *text = g_getenv(variable);
        bool agent = all->schema->format == CONFIG_TOML;
        /* The agent's own rule: KEYLIME_DIR beats every other source (push-agent §3.2). */
        if (agent && strcmp(option->name, "keylime_dir") == 0) {
            const char *directory = g_getenv("KEYLIME_DIR");
            if (directory && *directory) {
                text = directory;
                g_free(variable);
                variable = g_strdup("KEYLIME_DIR");
            }
        }
        if (!text)
            continue;
        /* The agent's variables are not unquoted: they are what its TOML strings are. */
        take_value(&all->values[option - all->schema->options],
                   agent ? RAW_TOML_TEXT : RAW_ENVIRONMENT, text, NULL, variable);
        bool own = strcmp(option->section, all->schema->component) == 0;
        log_info("option \"%s\" %s%s%sfor component %s.conf was overridden by environment variable "
                 "%s",
                 option->name, own ? "" : "on section ", own ? "" : option->section, own ? "" : " ",
                 all->schema->component, variable);
    }
    sources_warn_unknown_variables(all->schema);
}

static void collect_overrides(Collection *all, const ConfigOverride *overrides)
{
    for (const ConfigOverride *item = overrides; item && item->name; item++) {
        const Option *option = find_option(all->schema, all->schema->component, item->name);
        if (!option)
            g_error("command-line option '%s' is not in the table", item->name);
        take_value(&all->values[option - all->schema->options], RAW_FLAG, item->value, NULL,
                   item->flag);
    }
}

/* --- values --------------------------------------------------------------------------------------
 */

/* The value as one line of a message shows it; newly allocated. */
static char *shown_value(const Option *option, const char *text)
{
    if (option->secret)
        return g_strdup("(secret)");
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    return strchr(text, '\n') ? g_strescape(valid, "\"\\") : g_steal_pointer(&valid);
}

static char *problem_line(const Option *option, const char *source, const char *text,
                          const char *allowed)
{
    g_autofree char *shown = shown_value(option, text);
    g_autofree char *named = g_strconcat(option->name, ": ", NULL);
    if (g_str_has_prefix(allowed, named)) /* said by who knows nothing of this line */
        allowed += strlen(named);
    return g_strdup_printf("%s: [%s] %s = '%s': %s", source, option->section, option->name, shown,
                           allowed);
}

static void add_problem(Collection *all, const Option *option, const RawValue *raw,
                        const char *allowed)
{
    if (raw->kind != RAW_FLAG) {
        g_ptr_array_add(all->problems, problem_line(option, raw->source, raw->text, allowed));
        return;
    }
    g_autofree char *shown = shown_value(option, raw->text);
    g_ptr_array_add(all->misuses, g_strdup_printf("%s '%s': %s", raw->source, shown, allowed));
}

/* The agent takes an empty text as "the default" and says so (contract C31, push-agent §3.3). */
static bool is_empty_for_default(const ConfigSchema *schema, const Option *option,
                                 const RawValue *raw)
{
    bool texts =
        option->type == OPTION_TEXT || option->type == OPTION_WORD || option->type == OPTION_LIST;
    return schema->format == CONFIG_TOML && raw->kind == RAW_TOML_TEXT && texts &&
           *raw->text == '\0' && option->default_text && *option->default_text;
}

static void settle_default(const Option *option, Setting *setting)
{
    setting->source = g_strdup("built-in");
    if (!option->default_text) {
        setting->value =
            (Value){.text = g_strdup(""), .integer = -1, .real = -1.0, .list = g_new0(char *, 1)};
        return;
    }
    RawValue raw = {.kind = RAW_DEFAULT, .text = (char *)option->default_text};
    g_autofree char *allowed = value_convert(option, &raw, &setting->value);
    if (allowed)
        g_error("default of option '%s' %s", option->name, allowed);
}

/* Values without effect are not checked: a file shared with upstream's programs stays usable. */
static bool is_without_effect(const Option *option)
{
    return option->dead || option->pull_only;
}

static void settle(Collection *all, const Option *option, const RawValue *raw, Setting *setting)
{
    setting->option = option;
    if (!raw->text) {
        settle_default(option, setting);
        return;
    }
    if (option->dead && raw->kind == RAW_FLAG)
        log_warning("%s has no effect", raw->source);
    else if (option->dead)
        log_info("%s: option '%s' in [%s] has no effect", raw->source, option->name,
                 option->section);
    if (is_empty_for_default(all->schema, option, raw)) {
        log_warning("Empty string provided in configuration option %s, using default %s",
                    option->name, option->default_text);
        settle_default(option, setting);
        return;
    }
    setting->set = true;
    setting->source = g_strdup(raw->source);
    if (is_without_effect(option)) {
        setting->value = (Value){
            .text = g_strdup(raw->text), .integer = -1, .real = -1.0, .list = g_new0(char *, 1)};
        return;
    }
    g_autofree char *allowed = value_convert(option, raw, &setting->value);
    if (!allowed)
        return;
    add_problem(all, option, raw, allowed);
    setting->refused = g_steal_pointer(&setting->source);
    setting->set = false;
    settle_default(option, setting);
}

static Config *settle_all(Collection *all, ConfigSchema *made)
{
    Config *config = g_new0(Config, 1);
    config->schema = all->schema;
    config->made = made;
    config->count = count_options(all->schema);
    config->settings = g_new0(Setting, config->count);
    for (size_t i = 0; i < config->count; i++)
        settle(all, &all->schema->options[i], &all->values[i], &config->settings[i]);
    return config;
}

static ConfigSchema *make_schema(const ConfigSchema *schema, GHashTable *sections)
{
    if (!schema->make_options)
        return NULL;
    ConfigSchema *made = g_memdup2(schema, sizeof *schema);
    made->options = schema->make_options(sections);
    return made;
}

static void report(const Collection *all, GError **error)
{
    ConfigError code = all->misuses->len > 0 ? CONFIG_ERROR_USAGE : CONFIG_ERROR_VALUE;
    g_autoptr(GPtrArray) lines = g_ptr_array_new();
    for (guint i = 0; i < all->misuses->len; i++)
        g_ptr_array_add(lines, all->misuses->pdata[i]);
    for (guint i = 0; i < all->problems->len; i++)
        g_ptr_array_add(lines, all->problems->pdata[i]);
    g_ptr_array_add(lines, NULL);
    g_autofree char *text = g_strjoinv("\n", (char **)lines->pdata);
    g_set_error_literal(error, CONFIG_ERROR, (gint)code, text);
}

Config *config_examine_from(const ConfigSchema *schema, const ConfigRoots *roots,
                            const ConfigOverride *overrides, GError **error)
{
    g_auto(FoundOptions) found = {0};
    sources_read_files(schema, roots, &found);
    ConfigSchema *made = make_schema(schema, found.sections);
    if (made)
        schema = made;
    size_t count = count_options(schema);
    g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) misuses = g_ptr_array_new_with_free_func(g_free);
    Collection all = {schema, g_new0(RawValue, count), problems, misuses};

    collect_files(&all, &found);
    if (schema->format == CONFIG_INI)
        collect_inherited(&all, &found);
    collect_environment(&all);
    collect_overrides(&all, overrides);
    Config *config = settle_all(&all, made);

    for (size_t i = 0; i < count; i++)
        raw_value_clear(&all.values[i]);
    g_free(all.values);
    if (schema->check)
        schema->check(config, problems);
    if (problems->len > 0 || misuses->len > 0)
        report(&all, error);
    return config;
}

Config *config_examine(const ConfigSchema *schema, const ConfigOverride *overrides, GError **error)
{
    return config_examine_from(schema, &config_system_roots, overrides, error);
}

Config *config_load_from(const ConfigSchema *schema, const ConfigRoots *roots,
                         const ConfigOverride *overrides, GError **error)
{
    g_autoptr(GError) refused = NULL;
    g_autoptr(Config) config = config_examine_from(schema, roots, overrides, &refused);
    if (!refused)
        return g_steal_pointer(&config);
    g_propagate_error(error, g_steal_pointer(&refused));
    return NULL;
}

Config *config_load(const ConfigSchema *schema, const ConfigOverride *overrides, GError **error)
{
    return config_load_from(schema, &config_system_roots, overrides, error);
}

void config_free(Config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->count; i++) {
        value_clear(&config->settings[i].value);
        g_free(config->settings[i].source);
        g_free(config->settings[i].refused);
    }
    g_free(config->settings);
    if (config->made)
        g_free((gpointer)config->made->options);
    g_free(config->made);
    g_free(config);
}

/* --- reading -------------------------------------------------------------------------------------
 */

static const Setting *setting_of(const Config *config, const char *section, const char *name)
{
    const Option *option =
        find_option(config->schema, section ? section : config->schema->component, name);
    if (!option)
        g_error("option '%s' is not in the table of %s", name, config->schema->component);
    return &config->settings[option - config->schema->options];
}

static const Value *value_of(const Config *config, const char *section, const char *name,
                             OptionType type)
{
    const Setting *setting = setting_of(config, section, name);
    bool words_are_text = type == OPTION_TEXT && setting->option->type == OPTION_WORD;
    if (setting->option->type != type && !words_are_text)
        g_error("option '%s' is read with another type than its table says", name);
    return &setting->value;
}

const char *config_text(const Config *config, const char *section, const char *name)
{
    return value_of(config, section, name, OPTION_TEXT)->text;
}

gint64 config_int(const Config *config, const char *section, const char *name)
{
    return value_of(config, section, name, OPTION_INT)->integer;
}

double config_real(const Config *config, const char *section, const char *name)
{
    return value_of(config, section, name, OPTION_REAL)->real;
}

bool config_bool(const Config *config, const char *section, const char *name)
{
    return value_of(config, section, name, OPTION_BOOL)->boolean;
}

const char *const *config_list(const Config *config, const char *section, const char *name)
{
    return (const char *const *)value_of(config, section, name, OPTION_LIST)->list;
}

bool config_is_set(const Config *config, const char *section, const char *name)
{
    return setting_of(config, section, name)->set;
}

bool config_has_section(const Config *config, const char *section)
{
    for (size_t i = 0; i < config->count; i++) {
        if (strcmp(config->settings[i].option->section, section) == 0)
            return true;
    }
    return false;
}

bool config_was_refused(const Config *config, const char *section, const char *name)
{
    return setting_of(config, section, name)->refused != NULL;
}

void config_add_problem(const Config *config, GPtrArray *problems, const char *section,
                        const char *name, const char *allowed)
{
    const Setting *setting = setting_of(config, section, name);
    g_ptr_array_add(problems,
                    problem_line(setting->option, setting->source, setting->value.text, allowed));
}

void config_add_problems(GPtrArray *problems, const GError *error)
{
    g_auto(GStrv) lines = g_strsplit(error->message, "\n", -1);
    for (guint i = 0; lines[i]; i++)
        g_ptr_array_add(problems, g_strdup(lines[i]));
}

const char *config_source(const Config *config, const char *section, const char *name)
{
    return setting_of(config, section, name)->source;
}
