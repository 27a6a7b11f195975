/* SPDX-License-Identifier: Apache-2.0 */
/* RUST_LOG and KEYLIME_LOGGING_FORMAT, which are all that the agent has for its log. */
#include "config/logging.h"

#define LOG_NAME "keylime.config"
#include "base/log.h"

#include <string.h>
#include <unistd.h>

static const char *const format_words[] = {"text", "json", NULL};

/* Targets are module paths and match by their beginning: `keylime` covers both programs. */
static bool is_agent_target(const char *target)
{
    static const char *const names[] = {"keylime", "keylime_push_model_agent", "keylime_agent"};
    const char *end = strstr(target, "::");
    size_t size = end ? (size_t)(end - target) : strlen(target);
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strlen(names[i]) == size && strncmp(target, names[i], size) == 0)
            return true;
    }
    return false;
}

/* `off` is the least there is: what ends the program is still said. */
static bool rust_level(const char *word, LogLevel *out)
{
    if (g_ascii_strcasecmp(word, "off") == 0) {
        *out = LOG_LEVEL_CRITICAL;
        return true;
    }
    return log_level_from_text(word, out);
}

/* One of `level`, `target`, `target=level`. The most talkative one for a target of ours counts. */
static void take_directive(const char *directive, int *general, int *own, GPtrArray *unknown)
{
    g_auto(GStrv) parts = g_strsplit(directive, "=", 2);
    LogLevel level = LOG_LEVEL_TRACE;
    bool has_level = parts[0] && parts[1];
    if (has_level && !rust_level(parts[1], &level))
        g_ptr_array_add(unknown, g_strdup(directive));
    else if (has_level && is_agent_target(parts[0]))
        *own = MAX(*own, (int)level);
    else if (!has_level && rust_level(directive, &level))
        *general = (int)level;
    else if (!has_level && is_agent_target(directive))
        *own = (int)LOG_LEVEL_TRACE;
    /* Any other target belongs to a library that the agent upstream is built from. */
}

bool logging_start_agent(GError **error)
{
    const char *format = g_getenv("KEYLIME_LOGGING_FORMAT");
    if (format && *format && !g_strv_contains(format_words, format)) {
        g_set_error(error, CONFIG_ERROR, CONFIG_ERROR_VALUE,
                    "KEYLIME_LOGGING_FORMAT: '%s': must be text or json", format);
        return false;
    }
    g_autoptr(GPtrArray) unknown = g_ptr_array_new_with_free_func(g_free);
    int general = -1, own = -1;
    const char *filter = g_getenv("RUST_LOG");
    /* What follows a `/` filters messages by a regular expression; levels are all that counts here.
     */
    g_auto(GStrv) halves = g_strsplit(filter ? filter : "", "/", 2);
    g_auto(GStrv) directives = g_strsplit(halves[0] ? halves[0] : "", ",", -1);
    for (guint i = 0; directives[i]; i++) {
        if (*g_strstrip(directives[i]))
            take_directive(directives[i], &general, &own, unknown);
    }
    int level = own >= 0 ? own : general >= 0 ? general : (int)LOG_LEVEL_INFO;
    log_open(STDERR_FILENO, g_strcmp0(format, "json") == 0 ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT,
             (LogLevel)level);
    for (guint i = 0; i < unknown->len; i++)
        log_warning(
            "RUST_LOG: '%s' has no effect: a level is one of off, error, warn, info, debug, "
            "trace",
            (const char *)unknown->pdata[i]);
    return true;
}
