/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keylime-policy check runtime: a measurement list against a runtime policy, by the verifier's own
 * code and rules, without any server. 0: passes; 1: does not; 2: cannot be judged.
 */
#include "base/encoding.h"
#include "evidence/ima/appraisal.h"
#include "policy-tool/command.h"

#include <stdio.h>
#include <string.h>

#define KERNEL_LIST "/sys/kernel/security/ima/ascii_runtime_measurements"
#define DEFAULT_BANK TPM_ALG_SHA256

typedef struct {
    CommonOptions common;
    const char *policy, *list, *hash_alg, *pcr10, *violations;
    const char *keys[TOOL_MAX_REPEATS + 1]; /* NULL-terminated */
} CheckOptions;

/* All that is judged and what it is judged by. */
typedef struct {
    RuntimePolicy *policy;
    GBytes *list;
    ImaKeyring *keys;
    GBytes *pcr10; /* NULL: not given */
    uint16_t bank;
    ImaViolations violations;
} CheckInput;

static void check_input_clear(CheckInput *input)
{
    runtime_policy_unref(input->policy);
    g_bytes_unref(input->list);
    ima_keyring_free(input->keys);
    g_bytes_unref(input->pcr10);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CheckInput, check_input_clear)

/* --- what is given ------------------------------------------------------------------------------
 */

static bool load_policy(const char *path, CheckInput *input, GError **error)
{
    g_autoptr(GBytes) text = command_read(path, error);
    if (!text)
        return false;
    input->policy =
        runtime_policy_parse(bytes_of_gbytes(text), &runtime_policy_rules_default, error);
    if (!input->policy)
        g_prefix_error(error, "%s: ", path);
    return input->policy != NULL;
}

static bool load_list(const char *path, CheckInput *input, GError **error)
{
    input->list = command_read(path, error);
    return input->list &&
           (g_bytes_get_size(input->list) > 0 || command_refuse(error, "%s: holds no entry", path));
}

static bool load_keys(const char *const *paths, CheckInput *input, GError **error)
{
    input->keys = ima_keyring_new();
    for (; *paths; paths++) {
        g_autoptr(GBytes) data = command_read(*paths, error);
        if (!data)
            return false;
        g_autoptr(ImaKey) key = ima_key_parse(bytes_of_gbytes(data), error);
        if (!key) {
            g_prefix_error(error, "%s: ", *paths);
            return false;
        }
        ima_keyring_add(input->keys, key);
    }
    return true;
}

/* The bank is the one that is named, or the one whose digests are as long as the value. */
static bool take_pcr(const CheckOptions *options, CheckInput *input, GError **error)
{
    static const uint16_t banks[] = {TPM_ALG_SHA1, TPM_ALG_SHA256, TPM_ALG_SHA384, TPM_ALG_SHA512};
    input->bank = options->hash_alg ? tpm_hash_from_name(options->hash_alg) : DEFAULT_BANK;
    if (!tpm_hash_md(input->bank))
        return command_refuse(error, "--hash-alg %s: is none of sha1, sha256, sha384, sha512",
                              options->hash_alg);
    if (!options->pcr10)
        return true;
    input->pcr10 = hex_decode(options->pcr10);
    size_t size = input->pcr10 ? g_bytes_get_size(input->pcr10) : 0;
    for (size_t i = 0; !options->hash_alg && i < G_N_ELEMENTS(banks); i++)
        if (tpm_hash_size(banks[i]) == size)
            input->bank = banks[i];
    return (size > 0 && size == tpm_hash_size(input->bank)) ||
           command_refuse(error, "--pcr10: is not a value of a %s bank in hexadecimal",
                          tpm_algorithm_name(input->bank));
}

static bool take_violations(const char *word, CheckInput *input, GError **error)
{
    static const char *const words[] = {
        [IMA_VIOLATIONS_PATH] = "path",
        [IMA_VIOLATIONS_IGNORE] = "ignore",
        [IMA_VIOLATIONS_FAIL] = "fail",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        if (strcmp(word ? word : "path", words[i]) == 0) {
            input->violations = (ImaViolations)i;
            return true;
        }
    return command_refuse(error, "--violations %s: is none of path, ignore, fail", word);
}

static bool load(const CheckOptions *options, CheckInput *input, GError **error)
{
    return take_pcr(options, input, error) && take_violations(options->violations, input, error) &&
           load_policy(options->policy, input, error) && load_keys(options->keys, input, error) &&
           load_list(options->list ? options->list : KERNEL_LIST, input, error);
}

/* --- the answer ---------------------------------------------------------------------------------
 */

typedef struct {
    Verdict *verdict;
    ImaOutcome outcome;
    double seconds;
} CheckResult;

static void appraise(const CheckInput *input, CheckResult *result)
{
    ImaInput appraisal = {
        .list = bytes_of_gbytes(input->list),
        .policy = input->policy,
        .keys = input->keys,
        .bank = input->bank,
        .quoted = bytes_of_gbytes(input->pcr10),
        .rules = ima_rules_default,
    };
    appraisal.rules.violations = input->violations;
    g_autoptr(ImaState) state = ima_state_new();
    gint64 start = g_get_monotonic_time();
    ima_appraise(&appraisal, state, result->verdict, &result->outcome);
    result->seconds = (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
}

static double entries_per_second(const CheckResult *result)
{
    return (double)result->outcome.entries / MAX(result->seconds, 1e-6);
}

static Json *failure_json(Json *failure)
{
    static const char *const details[] = {"digest", "expected", "got", "rule", "line"};
    Json *context = json_member(failure, "context");
    Json *object = json_object_new_object();
    json_add(object, "entry", json_object_get(json_member(context, "entry")));
    json_add(object, "path", json_object_get(json_member(context, "path")));
    json_add_text(object, "event_id", json_member_text(failure, "event_id"));
    json_add_text(object, "reason", json_member_text(context, "message"));
    for (size_t i = 0; i < G_N_ELEMENTS(details); i++) {
        Json *detail = json_member(context, details[i]);
        if (detail)
            json_add(object, details[i], json_object_get(detail));
    }
    return object;
}

static void print_json(const CheckInput *input, const CheckResult *result)
{
    const ImaOutcome *outcome = &result->outcome;
    g_autofree char *pcr = hex_encode(bytes_of(outcome->pcr, outcome->pcr_size));
    g_autoptr(Json) object = json_object_new_object();
    Json *failures = json_object_new_array();
    for (size_t i = 0; i < json_object_array_length(result->verdict->failures); i++)
        json_object_array_add(
            failures, failure_json(json_object_array_get_idx(result->verdict->failures, i)));
    json_add_text(object, "verdict", evaluation_text(result->verdict->evaluation));
    json_add(object, "failures", failures);
    json_add_int(object, "failure_count", result->verdict->failure_count);
    json_add_int(object, "entries", (gint64)outcome->entries);
    json_add_text(object, "hash_alg", tpm_algorithm_name(input->bank));
    json_add_text(object, "running_pcr", pcr);
    if (input->pcr10 && outcome->matched)
        json_add_int(object, "entries_covered", (gint64)outcome->certified);
    json_add_int(object, "entries_per_second", (gint64)entries_per_second(result));
    g_autofree char *text = json_to_text(object);
    puts(text);
}

static void print_failure(Json *failure)
{
    Json *context = json_member(failure, "context");
    const char *path = json_member_text(context, "path");
    printf("%s\n  %s\n", json_member_text(context, "message"),
           json_member_text(failure, "event_id"));
    if (path)
        printf("  path      %s\n", path);
    if (json_member_text(context, "digest"))
        printf("  digest    %s\n", json_member_text(context, "digest"));
    Json *expected = json_member(context, "expected");
    if (expected)
        printf("  expected  %s\n", json_object_get_string(expected));
}

static void print_text(const CheckInput *input, const CheckResult *result)
{
    const Verdict *verdict = result->verdict;
    const ImaOutcome *outcome = &result->outcome;
    size_t shown = json_object_array_length(verdict->failures);
    g_autofree char *pcr = hex_encode(bytes_of(outcome->pcr, outcome->pcr_size));
    for (size_t i = 0; i < shown; i++)
        print_failure(json_object_array_get_idx(verdict->failures, i));
    if (verdict->failure_count > shown)
        printf("and %zu more\n", verdict->failure_count - shown);
    printf("PCR 10 (%s) after the last entry: %s\n", tpm_algorithm_name(input->bank), pcr);
    if (input->pcr10 && outcome->matched)
        printf("the given value stands after entry %" G_GUINT64_FORMAT "\n", outcome->certified);
    bool passed = verdict->evaluation == EVALUATION_PASS;
    printf("%s: %" G_GUINT64_FORMAT " entries, %u failures, %.0f entries a second\n",
           passed ? "PASS" : "FAIL", outcome->entries, verdict->failure_count,
           entries_per_second(result));
}

static int check(const PolicyCall *call, const CheckOptions *options)
{
    g_auto(CheckInput) input = {0};
    g_autoptr(GError) error = NULL;
    if (!load(options, &input, &error))
        return command_fail(call, STATUS_USAGE, "%s", error->message);
    g_autoptr(Verdict) verdict = verdict_new();
    CheckResult result = {.verdict = verdict};
    appraise(&input, &result);
    if (call->json)
        print_json(&input, &result);
    else
        print_text(&input, &result);
    ima_outcome_clear(&result.outcome);
    return verdict->evaluation == EVALUATION_PASS ? STATUS_GOOD : STATUS_FAILED;
}

static int run(PolicyCall *call)
{
    CheckOptions options = {0};
    int status;
    if (!command_parse(call, &options, &status))
        return status;
    if (!options.policy)
        return command_fail(call, STATUS_USAGE,
                            "--runtime-policy is needed; --help shows all options");
    return check(call, &options);
}

/* clang-format off */
#define TEXT(brief_, full_, member_, value_) TOOL_OPTION(CheckOptions, TOOL_TEXT, brief_, full_, member_, value_)
#define REPEATED(brief_, full_, member_, value_) TOOL_OPTION(CheckOptions, TOOL_REPEATED, brief_, full_, member_, value_)

static const ToolOption options[] = {
    {TEXT("-r", "--runtime-policy", policy, "FILE"), .group = "Input",
     .help = "The policy (required), also a signed one, whose signature is not looked at."},
    {TEXT("-m", "--ima-measurement-list", list, "FILE"), .group = "Input", .default_text = "this machine's",
     .help = "The list from its first entry on."},
    {TEXT("-p", "--pcr10", pcr10, "HEX"), .group = "Input",
     .help = "PCR 10, which the list must reach after one of its entries."},
    {TEXT("-a", "--hash-alg", hash_alg, "NAME"), .group = "Rules", .words = "sha1 sha256 sha384 sha512",
     .default_text = "that of --pcr10, or sha256", .help = "PCR bank that is replayed."},
    {REPEATED("-k", "--verification-key", keys, "FILE"), .group = "Rules",
     .help = "Certificate or key of file signatures, besides the policy's."},
    {TEXT(NULL, "--violations", violations, "WORD"), .group = "Rules", .words = "path ignore fail",
     .default_text = "path", .help = "What becomes of files that changed while they were measured, as the verifier's"
                                     " option ima_violations."},
    {0},
};

const PolicyCommand check_runtime_command = {
    {"check runtime", "Runtime policies", "judge a measurement list by a runtime policy, offline",
     .details = "By the verifier's own judgement and without a server. For each failure: the entry's number, path and"
                " digest, and what the policy has. Exit status 0 if it passes, 1 if not, 2 if it cannot be judged.",
     .json = "verdict, failures, failure_count, entries, hash_alg, running_pcr, entries_covered, entries_per_second.",
     .examples = "keylime-policy check runtime -r policy.json\n"
                 "keylime-policy check runtime -r policy.json -m ascii_runtime_measurements --json",
     .options = options},
    run};
/* clang-format on */
