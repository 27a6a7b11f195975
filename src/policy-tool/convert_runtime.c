/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keylime-policy convert runtime: an allow list, or a policy of an earlier version, made into a
 * runtime policy of today (ima §7.4). What keylime_convert_runtime_policy of upstream does.
 */
#include "policy-tool/command.h"
#include "policy/legacy_policy.h"
#include "policy/runtime_policy.h"

typedef struct {
    CommonOptions common;
    const char *allowlist, *policy, *exclude_list, *output;
    const char *keys[TOOL_MAX_REPEATS + 1]; /* NULL-terminated */
} ConvertOptions;

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
    g_autoptr(Json) old = runtime_policy_readable(text, error);
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
    for (const char *const *path = options->keys; *path; path++) {
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
static bool write_policy(const PolicyCall *call, const ConvertOptions *options, Json *policy,
                         GError **error)
{
    g_autofree char *text = json_to_python_text(policy);
    g_autoptr(RuntimePolicy) checked =
        runtime_policy_parse(bytes_of_text(text), &runtime_policy_rules_default, error);
    if (!checked) {
        g_prefix_error(error, "what comes out is no policy that a verifier takes: ");
        return false;
    }
    return command_write_result(call, options->output, bytes_of_text(text), NULL, error);
}

static bool convert(const PolicyCall *call, const ConvertOptions *options, GError **error)
{
    g_autoptr(Json) policy = convert_input(options, error);
    return policy && add_excludes(options, policy, error) && add_keys(options, policy, error) &&
           write_policy(call, options, policy, error);
}

static int run(PolicyCall *call)
{
    ConvertOptions options = {0};
    int status;
    if (!command_parse(call, &options, &status))
        return status;
    if (!options.allowlist == !options.policy)
        return command_fail(call, STATUS_USAGE,
                            "one of --allowlist and --runtime-policy is needed");
    g_autoptr(GError) error = NULL;
    if (!convert(call, &options, &error))
        return command_fail(call, STATUS_FAILED, "%s", error->message);
    return STATUS_GOOD;
}

/* clang-format off */
#define TEXT(brief_, full_, member_, value_) TOOL_OPTION(ConvertOptions, TOOL_TEXT, brief_, full_, member_, value_)
#define REPEATED(brief_, full_, member_, value_) TOOL_OPTION(ConvertOptions, TOOL_REPEATED, brief_, full_, member_, value_)

static const ToolOption options[] = {
    {TEXT("-a", "--allowlist", allowlist, "FILE"), .group = "Input",
     .help = "Lines of digest and path, or a JSON allow list."},
    {TEXT("-r", "--runtime-policy", policy, "FILE"), .group = "Input",
     .help = "A policy of an earlier version, or a stored row of one."},
    {TEXT("-e", "--excludelist", exclude_list, "FILE"), .group = "Input",
     .help = "Expressions, one a line, for names that are not judged. \"#\" begins a comment."},
    {REPEATED("-k", "--verification-key", keys, "FILE"), .group = "Input",
     .help = "Certificate or key of file signatures."},
    {TEXT("-o", "--output", output, "FILE"), .group = "Output", .default_text = "standard output",
     .help = "Where the policy goes. A file is replaced whole or not at all."},
    {0},
};

const PolicyCommand convert_runtime_command = {
    {"convert runtime", "Runtime policies", "make a runtime policy from an older list or policy",
     .details = "What a verifier would not take is not written.",
     .json = "the policy; with --output the member output, its file.",
     .examples = "keylime-policy convert runtime -a allowlist.txt -e excludes.txt -o policy.json",
     .options = options},
    run};
/* clang-format on */
