/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/verify/submitted_evidence.h"

#include "base/encoding.h"
#include "evidence/appraisal.h"
#include "policy/legacy_policy.h"
#include "verifier/verify/compound_quote.h"

#include <malloc.h>

/* Values of JSON in the policies of a stranger: a runtime policy of 100,000 files, which fills the
 * body, has some 200,000; a reference state has hundreds. Each may take 0.8 KiB. */
#define RUNTIME_VALUES_MAX 250000
#define BOOT_VALUES_MAX 20000
/* Bytes of a runtime policy from which the memory of its compilation is given back. */
#define TRIM_SIZE ((size_t)1024 * 1024)

G_DEFINE_QUARK(submitted - error - quark, submitted_error)

const char *submitted_error_event(const GError *error)
{
    switch ((SubmittedError)error->code) {
    case SUBMITTED_ERROR_MISSING:
        return "missing_param";
    case SUBMITTED_ERROR_NO_POLICY:
        return "missing_policy";
    case SUBMITTED_ERROR_INVALID:
        break;
    }
    return "invalid_param";
}

/* --- members ---------------------------------------------------------------------------------- */

typedef struct {
    Json *data;
    const char *member; /* that is read */
    GError *error;
} MemberReader;

G_GNUC_PRINTF(2, 3)
static void wrong(MemberReader *reader, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *reason = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    /* Parsers below may begin with the member's name themselves. */
    g_autofree char *prefix = g_strconcat(reader->member, ": ", NULL);
    g_set_error(&reader->error, SUBMITTED_ERROR, SUBMITTED_ERROR_INVALID, "%s%s",
                g_str_has_prefix(reason, prefix) ? "" : prefix, reason);
}

/* Nothing is read after an error, so that the first one is told. */
static bool begin(MemberReader *reader, const char *member)
{
    if (reader->error)
        return false;
    reader->member = member;
    return true;
}

/* An empty text counts as none, as upstream has it. */
static const char *read_text(MemberReader *reader, const char *member)
{
    if (!begin(reader, member))
        return NULL;
    Json *value = json_member(reader->data, member);
    const char *text = json_text(value);
    if (value && !text)
        wrong(reader, "must be a text");
    return text && *text ? text : NULL;
}

static const char *read_required(MemberReader *reader, const char *member)
{
    const char *text = read_text(reader, member);
    if (!text && !reader->error)
        g_set_error(&reader->error, SUBMITTED_ERROR, SUBMITTED_ERROR_MISSING,
                    "missing parameter \"%s\"", member);
    return text;
}

static GBytes *read_key(MemberReader *reader, const char *member)
{
    const char *text = read_required(reader, member);
    GBytes *key = text ? base64_decode(text) : NULL;
    if (text && !key)
        wrong(reader, "must be a base64 text");
    return key;
}

/* A policy: its JSON text, or the object itself. Newly allocated; NULL for none. */
static char *read_policy(MemberReader *reader, const char *member)
{
    if (!begin(reader, member))
        return NULL;
    Json *value = json_member(reader->data, member);
    if (json_object_is_type(value, json_type_object))
        return json_to_text(value);
    const char *text = json_text(value);
    if (value && !text)
        wrong(reader, "must be a text that holds a JSON object");
    return text && *text ? g_strdup(text) : NULL;
}

static void read_tpm_policy(MemberReader *reader, SubmittedEvidence *out)
{
    g_autofree char *text = read_policy(reader, "tpm_policy");
    if (!text)
        return;
    g_autoptr(GError) reason = NULL;
    out->tpm_policy = tpm_policy_parse(text, &reason);
    if (!out->tpm_policy)
        wrong(reader, "%s", reason->message);
}

static void read_runtime_policy(MemberReader *reader, SubmittedEvidence *out)
{
    g_autofree char *text = read_policy(reader, "runtime_policy");
    if (!text)
        return;
    g_autoptr(GError) reason = NULL;
    RuntimePolicyRules rules = runtime_policy_rules_default;
    rules.max_values = RUNTIME_VALUES_MAX;
    out->runtime_policy = runtime_policy_parse(bytes_of_text(text), &rules, &reason);
    if (!out->runtime_policy)
        wrong(reader, "%s", reason->message);
    if (bytes_of_text(text).size > TRIM_SIZE)
        (void)malloc_trim(0);
}

static void read_boot_policy(MemberReader *reader, BootRules rules, SubmittedEvidence *out)
{
    g_autofree char *text = read_policy(reader, "mb_policy");
    if (!text)
        return;
    g_autoptr(GError) reason = NULL;
    g_autoptr(Json) bounded = json_parse_bounded(bytes_of_text(text), BOOT_VALUES_MAX, &reason);
    if (!bounded) {
        wrong(reader, "%s", reason->message);
        return;
    }
    out->boot_policy = boot_policy_new(rules, text);
    const char *problem = boot_policy_problem(out->boot_policy);
    if (problem)
        wrong(reader, "%s", problem);
}

static void read_ima_list(MemberReader *reader, SubmittedEvidence *out)
{
    const char *text = read_text(reader, "ima_measurement_list");
    if (text)
        out->ima_list = bytes_of_text(text);
}

/* A text that is no base64 is no event log either, and the appraisal says so. */
static void read_boot_log(MemberReader *reader, SubmittedEvidence *out)
{
    const char *text = read_text(reader, "mb_log");
    if (!text)
        return;
    out->boot_log = base64_decode(text);
    if (!out->boot_log)
        out->boot_log = bytes_copy(bytes_of_text(text));
}

static void require_policy(MemberReader *reader, const SubmittedEvidence *evidence)
{
    if (reader->error || evidence->tpm_policy || evidence->runtime_policy || evidence->boot_policy)
        return;
    reader->member = NULL;
    g_set_error_literal(&reader->error, SUBMITTED_ERROR, SUBMITTED_ERROR_NO_POLICY,
                        "at least one policy (tpm_policy, runtime_policy, or mb_policy) must be"
                        " provided");
}

/* In upstream's order: the first problem is the one that is told. */
bool submitted_evidence_read(Json *data, BootRules boot_rules, SubmittedEvidence *out,
                             const char **member, GError **error)
{
    g_auto(SubmittedEvidence) evidence = {0};
    MemberReader reader = {.data = data};
    *out = (SubmittedEvidence){0};
    evidence.quote = read_required(&reader, "quote");
    evidence.nonce = read_required(&reader, "nonce");
    evidence.hash_alg = read_required(&reader, "hash_alg");
    g_autoptr(GBytes) ek = read_key(&reader, "tpm_ek");
    evidence.ak = read_key(&reader, "tpm_ak");
    if (ek && evidence.ak && g_bytes_equal(ek, evidence.ak))
        wrong(&reader, "must be another key than tpm_ek");
    read_tpm_policy(&reader, &evidence);
    read_runtime_policy(&reader, &evidence);
    read_boot_policy(&reader, boot_rules, &evidence);
    require_policy(&reader, &evidence);
    read_ima_list(&reader, &evidence);
    read_boot_log(&reader, &evidence);
    if (reader.error) {
        *member = reader.member;
        g_propagate_error(error, reader.error);
        return false;
    }
    *out = evidence;
    evidence = (SubmittedEvidence){0};
    return true;
}

void submitted_evidence_clear(SubmittedEvidence *evidence)
{
    g_clear_pointer(&evidence->ak, g_bytes_unref);
    g_clear_pointer(&evidence->tpm_policy, tpm_policy_unref);
    g_clear_pointer(&evidence->runtime_policy, runtime_policy_unref);
    g_clear_pointer(&evidence->boot_policy, boot_policy_unref);
    g_clear_pointer(&evidence->boot_log, g_bytes_unref);
}

/* --- appraisal -------------------------------------------------------------------------------- */

/* What is submitted without a policy is judged by one that allows nothing (ima §14). */
static RuntimePolicy *policy_of_nothing(void)
{
    g_autoptr(Json) empty = legacy_policy_empty(POLICY_GENERATOR_EMPTY, NULL);
    g_autofree char *text = json_to_text(empty);
    return runtime_policy_parse(bytes_of_text(text), &runtime_policy_rules_default, NULL);
}

/* What the quote says of PCR 10 is never left unexplained; and a list, or a policy for one, is
 * never left without a quote that vouches for it. */
static bool judges_ima(const SubmittedEvidence *evidence, Bytes pcr_blob, uint16_t bank)
{
    if (evidence->runtime_policy || evidence->ima_list.size > 0)
        return true;
    g_autofree PcrValues *values = pcr_blob_parse(pcr_blob, NULL);
    return values && (pcr_values_in_bank(values, bank) >> IMA_PCR & 1);
}

static Verdict *appraise_quote(const SubmittedEvidence *evidence, const TpmPublic *ak,
                               uint16_t bank, const CompoundQuote *quote,
                               const VerifierSettings *settings)
{
    Bytes pcr_blob = bytes_of_gbytes(quote->pcr_blob);
    const char *const hashes[] = {tpm_algorithm_name(bank), NULL};
    g_autoptr(GBytes) nonce = compound_quote_nonce(quote, evidence->nonce);
    g_autoptr(RuntimePolicy) nothing = policy_of_nothing();
    g_autoptr(ImaPushState) state = ima_push_state_new();
    ImaCheck ima = {
        .list = {.list = evidence->ima_list,
                 .policy = evidence->runtime_policy ? evidence->runtime_policy : nothing,
                 .without_keyrings = true,
                 .rules = ima_rules_default},
        .state = state,
    };
    ima.list.rules.violations = settings->ima_violations;
    bool with_ima = judges_ima(evidence, pcr_blob, bank);
    /* A log without a policy must at least be the one that the quote vouches for. */
    g_autoptr(BootPolicy) any_boot = boot_policy_new(BOOT_RULES_ACCEPT_ALL, "true");
    const BootInput boot = {
        .log = bytes_of_gbytes(evidence->boot_log),
        .policy = evidence->boot_policy ? evidence->boot_policy : any_boot,
        .profile = settings->boot_profile,
        .evaluate = BOOT_EVALUATE_ALWAYS,
        .pcrs = settings->boot_pcrs,
        .max_log_size = settings->boot_max_log_size,
        .max_events = settings->boot_max_events,
    };
    const AppraisalInput input = {
        .quote = {.ak = ak,
                  .message = bytes_of_gbytes(quote->message),
                  .signature = bytes_of_gbytes(quote->signature),
                  .pcr_blob = pcr_blob,
                  .nonce = bytes_of_gbytes(nonce),
                  .hash = bank,
                  /* The list's check stands on it. */
                  .required_pcrs = with_ima ? UINT32_C(1) << IMA_PCR : 0,
                  .rules = {.hashes = hashes}},
        .tpm_policy = evidence->tpm_policy,
        .require_safe_clock = settings->require_safe_clock,
        .boot = evidence->boot_policy || evidence->boot_log ? &boot : NULL,
        .ima = with_ima ? &ima : NULL,
    };
    AppraisalState unknown = {0};
    return appraise(&input, &unknown, NULL);
}

Verdict *submitted_evidence_appraise(const SubmittedEvidence *evidence,
                                     const VerifierSettings *settings)
{
    g_autoptr(Verdict) verdict = verdict_new();
    g_autoptr(GError) error = NULL;
    g_auto(CompoundQuote) quote = {0};
    uint16_t bank = compound_quote_bank(evidence->hash_alg, verdict);
    if (bank == 0 || !compound_quote_parse(evidence->quote, &quote, verdict))
        return g_steal_pointer(&verdict);
    g_autoptr(TpmPublic) ak = tpm_public_from_tpm2b(bytes_of_gbytes(evidence->ak), &error);
    if (ak)
        return appraise_quote(evidence, ak, bank, &quote, settings);
    g_prefix_error(&error, "tpm_ak: ");
    compound_quote_fail(verdict, error->message);
    return g_steal_pointer(&verdict);
}
