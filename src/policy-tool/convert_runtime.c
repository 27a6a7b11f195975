/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keylime-policy convert runtime: an allow list, or a policy of an earlier version, made into a
 * runtime policy of today (ima §7.4). What keylime_convert_runtime_policy of upstream does.
 */
#include "policy-tool/command.h"
#include "policy/legacy_policy.h"
#include "policy/runtime_policy.h"

typedef struct {
    char *allowlist, *policy, *exclude_list, *output;
    char **keys;
} ConvertOptions;

static void convert_options_clear(ConvertOptions *options)
{
    g_free(options->allowlist);
    g_free(options->policy);
    g_free(options->exclude_list);
    g_free(options->output);
    g_strfreev(options->keys);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ConvertOptions, convert_options_clear)

static Json *convert_allowlist(Bytes text, const char *timestamp, GError **error)
{
    g_autoptr(GArray) skipped = g_array_new(FALSE, FALSE, sizeof(guint));
    Json *policy = legacy_policy_from_allowlist(text, timestamp, skipped, error);
    for (guint i = 0; i < skipped->len; i++)
        command_note("line %u has no path and is left out", g_array_index(skipped, guint, i));
    return policy;
}

/* A policy, or a row of a database before 6.6. */
static Json *convert_policy(Bytes text, const char *timestamp, GError **error)
{
    g_autoptr(Json) old = json_parse(text, error);
    if (!old)
        return NULL;
    return json_member(old, "allowlist") ? legacy_policy_from_row(old, timestamp, error)
                                         : legacy_policy_upgrade(old, timestamp, error);
}

static Json *convert_input(const ConvertOptions *options, GError **error)
{
    const char *path = options->allowlist ? options->allowlist : options->policy;
    g_autofree char *timestamp = command_timestamp();
    g_autoptr(GBytes) text = command_read(path, error);
    if (!text)
        return NULL;
    Json *policy = options->allowlist ? convert_allowlist(bytes_of_gbytes(text), timestamp, error)
                                      : convert_policy(bytes_of_gbytes(text), timestamp, error);
    if (!policy)
        g_prefix_error(error, "%s: ", path);
    return policy;
}

static bool add_excludes(const ConvertOptions *options, Json *policy, GError **error)
{
    if (!options->exclude_list)
        return true;
    g_autoptr(GBytes) list = command_read(options->exclude_list, error);
    if (!list)
        return false;
    bool added = legacy_policy_add_excludes(policy, bytes_of_gbytes(list), error);
    if (!added)
        g_prefix_error(error, "%s: ", options->exclude_list);
    return added;
}

static bool add_keys(const ConvertOptions *options, Json *policy, GError **error)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func((GDestroyNotify)ima_key_unref);
    for (char **path = options->keys; path && *path; path++) {
        g_autoptr(GBytes) data = command_read(*path, error);
        if (!data)
            return false;
        ImaKey *key = ima_key_parse(bytes_of_gbytes(data), error);
        if (!key) {
            g_prefix_error(error, "%s: ", *path);
            return false;
        }
        g_ptr_array_add(keys, key);
    }
    if (keys->len > 0)
        legacy_policy_add_keys(policy, (const ImaKey *const *)keys->pdata, keys->len);
    return true;
}

/* What came out must be a policy: older forms were not checked as strictly. */
static bool write_policy(const ConvertOptions *options, Json *policy, GError **error)
{
    g_autofree char *text = json_to_python_text(policy);
    g_autoptr(RuntimePolicy) checked =
        runtime_policy_parse(bytes_of_text(text), &runtime_policy_rules_default, error);
    if (!checked) {
        g_prefix_error(error, "what comes out is no policy that a verifier takes: ");
        return false;
    }
    return command_write(options->output, bytes_of_text(text), error);
}

static bool convert(const ConvertOptions *options, GError **error)
{
    g_autoptr(Json) policy = convert_input(options, error);
    return policy && add_excludes(options, policy, error) && add_keys(options, policy, error) &&
           write_policy(options, policy, error);
}

static int run(int argc, char **argv)
{
    g_auto(ConvertOptions) options = {0};
    const GOptionEntry entries[] = {
        {"allowlist", 'a', 0, G_OPTION_ARG_FILENAME, &options.allowlist,
         "lines of digest and path, or a JSON allow list", "FILE"},
        {"runtime-policy", 'r', 0, G_OPTION_ARG_FILENAME, &options.policy,
         "a policy of an earlier version, or a stored row of one", "FILE"},
        {"excludelist", 'e', 0, G_OPTION_ARG_FILENAME, &options.exclude_list,
         "expressions, one a line, for names that are not judged; \"#\" begins a comment", "FILE"},
        {"verification-key", 'k', 0, G_OPTION_ARG_FILENAME_ARRAY, &options.keys,
         "certificate or key of file signatures; repeatable", "FILE"},
        {"output", 'o', 0, G_OPTION_ARG_FILENAME, &options.output,
         "where the policy goes (default: standard output)", "FILE"},
        {NULL},
    };
    int status;
    if (!command_parse(&convert_runtime_command, entries, argc, argv, &status))
        return status;
    if (!options.allowlist == !options.policy)
        return command_fail(&convert_runtime_command, STATUS_USAGE,
                            "one of --allowlist and --runtime-policy is needed");
    g_autoptr(GError) error = NULL;
    if (!convert(&options, &error))
        return command_fail(&convert_runtime_command, STATUS_FAILED, "%s", error->message);
    return STATUS_GOOD;
}

const PolicyCommand convert_runtime_command = {
    "convert", "runtime", "make a runtime policy from an older list or policy", run};
