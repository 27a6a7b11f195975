/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keylime-policy check measured-boot: would this boot pass? The verifier's own check, without
 * verifier, agent or TPM.
 */
#include "base/json.h"
#include "evidence/pcr_check.h"
#include "policy-tool/command.h"
#include "policy-tool/pcr_file.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    CommonOptions common;
    const char *policy_file, *log_file, *pcr_file, *policy_name, *profile_name, *bank_name;
} CheckOptions;

/* What the options and files come to. */
typedef struct {
    const CheckOptions *options;
    BootRules rules;
    BootProfile profile;
    uint16_t bank;
    GBytes *log_bytes;
    UefiLog log;
    BootPolicy *policy;
    PcrValues *pcrs;
    bool pcrs_of_log; /* no file was given: the replay stands for the TPM */
} Subject;

static void subject_clear(Subject *subject)
{
    g_clear_pointer(&subject->log_bytes, g_bytes_unref);
    boot_policy_unref(subject->policy);
    g_free(subject->pcrs);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Subject, subject_clear)

/* --- options ------------------------------------------------------------------------------- */

/* What is wrong with the command line, newly allocated, or NULL. */
static char *read_words(const CheckOptions *options, Subject *subject)
{
    if (!options->policy_file || !options->log_file)
        return g_strdup("--mb-policy and --event-log are needed");
    if (!boot_rules_from_name(options->policy_name ? options->policy_name : "example",
                              &subject->rules))
        return g_strdup_printf("--policy-name %s: one of accept-all, reject-all, example, hardware",
                               options->policy_name);
    if (!boot_profile_from_name(options->profile_name ? options->profile_name : "strict",
                                &subject->profile))
        return g_strdup_printf("--profile %s: strict or upstream", options->profile_name);
    subject->bank = tpm_hash_from_name(options->bank_name ? options->bank_name : "sha256");
    if (!tpm_hash_md(subject->bank))
        return g_strdup_printf("--bank %s: one of sha1, sha256, sha384, sha512",
                               options->bank_name);
    return NULL;
}

/* --- files --------------------------------------------------------------------------------- */

G_GNUC_PRINTF(2, 3)
static bool unusable(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *reason = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, POLICY_ERROR, POLICY_ERROR_INVALID, reason);
    return false;
}

static bool read_log(Subject *subject, GError **error)
{
    const char *path = subject->options->log_file;
    UefiLogRules rules = {.max_size = UEFI_LOG_MAX_SIZE,
                          .max_events = UEFI_LOG_MAX_EVENTS,
                          .strict = subject->profile == BOOT_PROFILE_STRICT};
    subject->log_bytes = command_read(path, error);
    if (!subject->log_bytes)
        return false;
    if (!uefi_log_parse(bytes_of_gbytes(subject->log_bytes), &rules, &subject->log, error)) {
        g_prefix_error(error, "%s: ", path);
        return false;
    }
    if (uefi_log_bank_index(&subject->log, subject->bank) < 0)
        return unusable(error, "%s: the log has no bank %s; choose another by --bank", path,
                        tpm_algorithm_name(subject->bank));
    return true;
}

static bool read_policy(Subject *subject, GError **error)
{
    const char *path = subject->options->policy_file;
    g_autoptr(GBytes) content = command_read(path, error);
    if (!content)
        return false;
    Bytes bytes = bytes_of_gbytes(content);
    if (bytes.size > 0 && memchr(bytes.data, '\0', bytes.size))
        return unusable(error, "%s: no text", path);
    g_autofree char *text = g_strndup((const char *)bytes.data, bytes.size);
    subject->policy = boot_policy_new(subject->rules, text);
    if (boot_policy_problem(subject->policy))
        return unusable(error, "%s: %s", path, boot_policy_problem(subject->policy));
    return true;
}

/* What the verifier asks a TPM for, with the values that the log explains. */
static PcrValues *replay_pcrs(const Subject *subject)
{
    g_autofree UefiReplay *replay = uefi_replay(&subject->log);
    PcrValues *values = g_new0(PcrValues, 1);
    pcr_selection_add(&values->selection, subject->bank, BOOT_PCRS);
    if (!uefi_replay_bank(replay, subject->bank))
        return values;
    for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++)
        if ((BOOT_PCRS >> pcr & 1) != 0)
            pcr_values_set(values, subject->bank, pcr, uefi_replay_pcr(replay, subject->bank, pcr));
    return values;
}

static bool read_pcrs(Subject *subject, GError **error)
{
    const char *path = subject->options->pcr_file;
    subject->pcrs_of_log = path == NULL;
    if (!path) {
        subject->pcrs = replay_pcrs(subject);
        return true;
    }
    g_autoptr(GBytes) content = command_read(path, error);
    if (!content)
        return false;
    subject->pcrs = pcr_file_parse(bytes_of_gbytes(content), error);
    if (!subject->pcrs) {
        g_prefix_error(error, "%s: ", path);
        return false;
    }
    if (pcr_values_in_bank(subject->pcrs, subject->bank) == 0)
        return unusable(error, "%s: no values of the bank %s; choose another by --bank", path,
                        tpm_algorithm_name(subject->bank));
    return true;
}

/* --- the answer ---------------------------------------------------------------------------- */

/* A line for what the sentence does not say already. */
static void print_detail(Json *context, const char *member, const char *label)
{
    const char *text = json_member_text(context, member);
    if (text && !strstr(json_member_text(context, "message"), text))
        printf("  %s %s\n", label, text);
}

static void print_failure(Json *failure)
{
    Json *context = json_member(failure, "context");
    printf("%s\n  %s\n", json_member_text(failure, "event_id"),
           json_member_text(context, "message"));
    print_detail(context, "expected", "expected:");
    print_detail(context, "got", "got:     ");
}

static void print_for_people(const Subject *subject, const Verdict *verdict, const GPtrArray *notes)
{
    for (guint i = 0; i < notes->len; i++)
        printf("note: %s\n", (const char *)g_ptr_array_index(notes, i));
    for (size_t i = 0; i < json_object_array_length(verdict->failures); i++)
        print_failure(json_object_array_get_idx(verdict->failures, i));
    printf("%s: %zu events, policy %s, %s profile, bank %s",
           verdict->evaluation == EVALUATION_PASS ? "pass" : "fail", subject->log.event_count,
           boot_rules_name(subject->rules),
           subject->profile == BOOT_PROFILE_STRICT ? "strict" : "upstream",
           tpm_algorithm_name(subject->bank));
    if (verdict->failure_count > 0)
        printf(", %u failures", verdict->failure_count);
    putchar('\n');
}

static void print_as_json(const Subject *subject, const Verdict *verdict, GPtrArray *notes)
{
    g_autoptr(Json) answer = json_object_new_object();
    json_add_text(answer, "evaluation", evaluation_text(verdict->evaluation));
    json_add_text(answer, "failure_reason", verdict_failure_reason(verdict));
    json_add_text(answer, "policy_name", boot_rules_name(subject->rules));
    json_add_text(answer, "profile",
                  subject->profile == BOOT_PROFILE_STRICT ? "strict" : "upstream");
    json_add_text(answer, "bank", tpm_algorithm_name(subject->bank));
    json_add_int(answer, "event_count", (gint64)subject->log.event_count);
    json_add(answer, "failures", json_object_get(verdict->failures));
    g_ptr_array_add(notes, NULL);
    json_add(answer, "notes", json_new_texts((const char *const *)notes->pdata));
    g_autofree char *text = json_to_text(answer);
    puts(text);
}

/* What passes and fails alike, but should be known. */
static GPtrArray *collect_notes(const Subject *subject)
{
    GPtrArray *notes = g_ptr_array_new_with_free_func(g_free);
    if (subject->pcrs_of_log)
        g_ptr_array_add(notes, g_strdup("no --pcrs: the log is taken to be what the TPM measured"));
    if (boot_policy_form(subject->policy) != BOOT_POLICY_USABLE)
        g_ptr_array_add(notes,
                        g_strdup("the policy is empty: nothing but the log's form is judged"));
    else if (subject->rules == BOOT_RULES_ACCEPT_ALL)
        g_ptr_array_add(notes, g_strdup("accept-all compares PCRs and judges no reference state"));
    const ReferenceState *reference = boot_policy_reference(subject->policy);
    for (guint i = 0; reference && i < reference->notes->len; i++)
        g_ptr_array_add(notes, g_strdup(g_ptr_array_index(reference->notes, i)));
    return notes;
}

static int judge(const Subject *subject)
{
    BootInput boot = {.log = bytes_of_gbytes(subject->log_bytes),
                      .policy = subject->policy,
                      .profile = subject->profile,
                      .evaluate = BOOT_EVALUATE_ALWAYS};
    PcrCheck check = {.pcrs = subject->pcrs, .bank = subject->bank, .boot = &boot};
    BootState state = {0};
    g_autoptr(Verdict) verdict = verdict_new();
    pcr_check(&check, &state, verdict);
    g_autoptr(GPtrArray) notes = collect_notes(subject);
    if (subject->options->common.json)
        print_as_json(subject, verdict, notes);
    else
        print_for_people(subject, verdict, notes);
    return verdict->evaluation == EVALUATION_PASS ? STATUS_GOOD : STATUS_FAILED;
}

static int run(PolicyCall *call)
{
    CheckOptions options = {0};
    int status;
    if (!command_parse(call, &options, &status))
        return status;
    g_auto(Subject) subject = {.options = &options};
    g_autofree char *wrong = read_words(&options, &subject);
    if (wrong)
        return command_fail(call, STATUS_USAGE, "%s", wrong);
    g_autoptr(GError) error = NULL;
    if (!read_log(&subject, &error) || !read_policy(&subject, &error) ||
        !read_pcrs(&subject, &error))
        return command_fail(call, STATUS_USAGE, "%s", error->message);
    return judge(&subject);
}

/* clang-format off */
#define TEXT(brief_, full_, member_, value_) TOOL_OPTION(CheckOptions, TOOL_TEXT, brief_, full_, member_, value_)

static const ToolOption options[] = {
    {TEXT("-p", "--mb-policy", policy_file, "FILE"), .group = "Input",
     .help = "The measured-boot policy, a reference state (required)."},
    {TEXT("-e", "--event-log", log_file, "FILE"), .group = "Input",
     .help = "The boot event log, as binary_bios_measurements has it (required)."},
    {TEXT(NULL, "--pcrs", pcr_file, "FILE"), .group = "Input", .default_text = "what the log gives",
     .help = "Values of the PCRs: output of tpm2_pcrread, or JSON."},
    {TEXT("-n", "--policy-name", policy_name, "NAME"), .group = "Rules", .default_text = "example",
     .words = "accept-all reject-all example hardware", .help = "As the verifier's option measured_boot_policy_name."},
    {TEXT(NULL, "--profile", profile_name, "NAME"), .group = "Rules", .default_text = "strict",
     .words = "strict upstream", .help = "As the verifier's option measured_boot_profile."},
    {TEXT("-b", "--bank", bank_name, "NAME"), .group = "Rules", .default_text = "sha256",
     .words = "sha1 sha256 sha384 sha512", .help = "The bank that the quote covers."},
    {0},
};

const PolicyCommand check_measured_boot_command = {
    {"check measured-boot", "Measured boot policies", "say whether a boot event log passes a measured-boot policy",
     .details = "The verifier's own check, without verifier, agent or TPM. Exit status 0 if it passes, 1 if not, 2 if it"
                " cannot be judged.",
     .json = "evaluation, failure_reason, policy_name, profile, bank, event_count, failures, notes.",
     .examples = "keylime-policy check measured-boot -p reference.json -e binary_bios_measurements\n"
                 "tpm2_pcrread sha256 > pcrs; keylime-policy check measured-boot -p reference.json \\\n"
                 "    -e /sys/kernel/security/tpm0/binary_bios_measurements --pcrs pcrs",
     .options = options},
    run};
/* clang-format on */
