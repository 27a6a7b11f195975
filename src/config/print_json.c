/* SPDX-License-Identifier: Apache-2.0 */
/* The option table and the effective values as programs read them. */
#include "config/loaded.h"

static const char *const type_words[] = {
    [OPTION_TEXT] = "text", [OPTION_INT] = "int",   [OPTION_REAL] = "real",
    [OPTION_BOOL] = "bool", [OPTION_LIST] = "list", [OPTION_WORD] = "word",
};

static bool is_shown(const Setting *setting)
{
    return !setting->option->secret || *setting->value.text == '\0';
}

static Json *json_of_value(const Setting *setting)
{
    const Option *option = setting->option;
    if (!is_shown(setting))
        return json_new_text("(set)");
    /* Nothing was converted for an option without effect, nor is there a value without default. */
    bool converted = !option->dead && !option->pull_only &&
                     (setting->set || (option->default_text && *option->default_text));
    switch (converted ? option->type : OPTION_TEXT) {
    case OPTION_INT:
        return json_object_new_int64(setting->value.integer);
    case OPTION_REAL:
        return json_object_new_double(setting->value.real);
    case OPTION_BOOL:
        return json_object_new_boolean(setting->value.boolean);
    case OPTION_LIST:
        return json_new_texts((const char *const *)setting->value.list);
    case OPTION_TEXT:
    case OPTION_WORD:
        break;
    }
    return json_new_text(setting->value.text);
}

static const char *effect_of(const Option *option)
{
    return option->pull_only ? "pull-model" : option->dead ? "none" : "yes";
}

static void add_allowed(Json *object, const Option *option)
{
    if (option->words)
        json_add(object, "words", json_new_texts(option->words));
    if (option->minimum == 0 && option->maximum == 0)
        return;
    json_add(object, "minimum", json_object_new_double(option->minimum));
    json_add(object, "maximum", json_object_new_double(option->maximum));
}

static Json *json_of_setting(const ConfigSchema *schema, const Setting *setting)
{
    const Option *option = setting->option;
    g_autofree char *variable = sources_variable_name(schema, option);
    Json *object = json_object_new_object();
    json_add_text(object, "section", option->section);
    json_add_text(object, "name", option->name);
    json_add_text(object, "type", type_words[option->type]);
    json_add(object, "value", json_of_value(setting));
    json_add_text(object, "source", setting->source);
    json_add_bool(object, "set", setting->set);
    json_add_text(object, "refused", setting->refused);
    json_add_text(object, "default", option->default_text);
    add_allowed(object, option);
    json_add_text(object, "flag", option->flag);
    json_add_text(object, "variable", variable);
    json_add_text(object, "effect", effect_of(option));
    json_add_bool(object, "secret", option->secret);
    return object;
}

Json *config_to_json(const Config *config)
{
    Json *object = json_object_new_object();
    Json *options = json_object_new_array();
    json_add_text(object, "component", config->schema->component);
    for (size_t i = 0; i < config->count; i++)
        json_object_array_add(options, json_of_setting(config->schema, &config->settings[i]));
    json_add(object, "options", options);
    return object;
}
