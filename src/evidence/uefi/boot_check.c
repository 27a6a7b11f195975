/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/uefi/boot_check.h"

#include "base/encoding.h"
#include "evidence/pcr_failure.h"
#include "evidence/uefi/boot_evaluation.h"

#include <string.h>

/* Upstream's event ids (measured-boot §6.8, §8). */
#define EVENT_NO_BANK "measured_boot.parser.invalid_pcrs_hashes"
#define EVENT_UNUSED_PCR "pcr_validation.unused_pcr_%u"
#define EVENT_INVALID_PCR "measured_boot.invalid_pcr_%u"
#define EVENT_INVALID_POLICY "pcr_validation.invalid_mb_policy"
#define EVENT_INVALID_EVALUATE "pcr_validation.invalid_measured_boot_evaluate"
#define EVENT_MISSING_PCRS "measured_boot.missing_pcrs"
#define EVENT_POLICY "measured_boot.policy_%s"

struct BootCheck {
    const BootInput *input;
    const PcrValues *pcrs;
    uint16_t bank;
    bool parsed; /* there is a log, and `log` and `replay` are set */
    bool parse_failed;
    bool failed; /* a step of this check has added a failure */
    UefiLog log;
    UefiReplay *replay;
};

bool boot_profile_from_name(const char *name, BootProfile *out)
{
    if (g_strcmp0(name, "strict") == 0)
        *out = BOOT_PROFILE_STRICT;
    else if (g_strcmp0(name, "upstream") == 0)
        *out = BOOT_PROFILE_UPSTREAM;
    else
        return false;
    return true;
}

BootEvaluate boot_evaluate_from_name(const char *name)
{
    if (g_strcmp0(name, "once") == 0)
        return BOOT_EVALUATE_ONCE;
    return g_strcmp0(name, "always") == 0 ? BOOT_EVALUATE_ALWAYS : BOOT_EVALUATE_UNKNOWN;
}

/* --- which PCRs ---------------------------------------------------------------------------- */

uint32_t boot_required_pcrs(BootRules rules, uint32_t pcrs)
{
    return pcrs != 0 && rules != BOOT_RULES_EXAMPLE ? pcrs : BOOT_PCRS;
}

/* The PCRs that the rules look at: 0 when all that are compared will do. */
static uint32_t relevant_pcrs(const BootPolicy *policy, uint32_t pcrs)
{
    BootRules rules = boot_policy_rules(policy);
    return rules == BOOT_RULES_HARDWARE && pcrs != 0 ? pcrs : boot_rules_relevant_pcrs(rules);
}

/* The comparison set of §7.2, whether or not the quote has them all. */
static uint32_t compared_pcrs(const BootPolicy *policy, uint32_t pcrs)
{
    uint32_t relevant = relevant_pcrs(policy, pcrs);
    uint32_t all = boot_required_pcrs(boot_policy_rules(policy), pcrs);
    return relevant != 0 ? all & relevant : all;
}

/* --- step 1: the log ----------------------------------------------------------------------- */

static void parse(BootCheck *check, Verdict *verdict)
{
    const BootInput *input = check->input;
    UefiLogRules rules = {
        .max_size = input->max_log_size ? input->max_log_size : UEFI_LOG_MAX_SIZE,
        .max_events = input->max_events ? input->max_events : UEFI_LOG_MAX_EVENTS,
        .strict = input->profile == BOOT_PROFILE_STRICT,
    };
    g_autoptr(GError) error = NULL;
    if (!uefi_log_parse(input->log, &rules, &check->log, &error)) {
        check->parse_failed = check->failed = true;
        verdict_fail_message(verdict, uefi_log_error_event_id(error), "boot event log: %s",
                             error->message);
        return;
    }
    check->parsed = true;
    check->replay = uefi_replay(&check->log);
    if (!uefi_replay_bank(check->replay, check->bank)) {
        check->parse_failed = check->failed = true;
        verdict_fail_message(verdict, EVENT_NO_BANK,
                             "boot event log: it has no digests for the quoted bank %s",
                             tpm_algorithm_name(check->bank));
    }
}

BootCheck *boot_check_begin(const BootInput *input, const PcrValues *pcrs, uint16_t bank,
                            Verdict *verdict)
{
    BootCheck *check = g_new0(BootCheck, 1);
    check->input = input;
    check->pcrs = pcrs;
    check->bank = bank;
    if (input && input->log.size > 0)
        parse(check, verdict);
    return check;
}

void boot_check_free(BootCheck *check)
{
    if (!check)
        return;
    g_free(check->replay);
    g_free(check);
}

const UefiReplay *boot_check_replay(const BootCheck *check)
{
    return check->replay;
}

/* --- step 4: the replay -------------------------------------------------------------------- */

/* Replay and evaluation take place for a policy that says something, of any form but broken, and a
 * log that could be read (§8 step 4). */
static bool is_judged(const BootCheck *check)
{
    if (!check->input || !check->input->policy || check->parse_failed)
        return false;
    BootPolicyForm form = boot_policy_form(check->input->policy);
    return form == BOOT_POLICY_USABLE || form == BOOT_POLICY_UNUSABLE;
}

static void fail_unused(BootCheck *check, unsigned pcr, Verdict *verdict)
{
    g_autofree char *event = g_strdup_printf(EVENT_UNUSED_PCR, pcr);
    check->failed = true;
    verdict_fail_message(verdict, event,
                         "PCR %u is judged by the measured-boot policy, but the agent sent no "
                         "boot event log",
                         pcr);
}

static void fail_value(BootCheck *check, unsigned pcr, Bytes expected, Bytes got, Verdict *verdict)
{
    g_autofree char *event = g_strdup_printf(EVENT_INVALID_PCR, pcr);
    g_autofree char *expected_hex = hex_encode(expected);
    g_autofree char *got_hex = hex_encode(got);
    g_autofree char *reason =
        g_strdup_printf("the boot event log gives %s, the quote has %s", expected_hex, got_hex);
    check->failed = true;
    pcr_failure_value(verdict, event, pcr, check->bank, expected_hex, got, reason);
}

uint32_t boot_check_compare(BootCheck *check, Verdict *verdict)
{
    if (!is_judged(check))
        return 0;
    uint32_t pcrs = compared_pcrs(check->input->policy, check->input->pcrs) &
                    pcr_values_in_bank(check->pcrs, check->bank);
    for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++) {
        if (!(pcrs >> pcr & 1))
            continue;
        if (!check->parsed) {
            fail_unused(check, pcr, verdict);
            continue;
        }
        Bytes expected = uefi_replay_pcr(check->replay, check->bank, pcr);
        Bytes got = pcr_values_get(check->pcrs, check->bank, pcr);
        if (!bytes_equal(expected, got))
            fail_value(check, pcr, expected, got, verdict);
    }
    return check->parsed ? pcrs : 0;
}

/* --- step 7: the policy's text ------------------------------------------------------------- */

void boot_check_policy(const BootCheck *check, Verdict *verdict)
{
    const BootPolicy *policy = check->input ? check->input->policy : NULL;
    if (policy && boot_policy_form(policy) == BOOT_POLICY_BROKEN)
        verdict_fail_message(verdict, EVENT_INVALID_POLICY,
                             "the measured-boot policy of this agent is not valid JSON (%s): "
                             "store it again",
                             boot_policy_problem(policy));
}

/* --- step 8: the evaluation ---------------------------------------------------------------- */

static bool hash_part(EVP_MD_CTX *context, Bytes part)
{
    guint64 size = GUINT64_TO_LE(part.size); /* so that no two inputs run together */
    return EVP_DigestUpdate(context, &size, sizeof size) == 1 &&
           EVP_DigestUpdate(context, part.data, part.size) == 1;
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_MD_CTX, EVP_MD_CTX_free)

bool boot_fingerprint(const BootInput *input, uint16_t bank, uint32_t reset_count,
                      uint8_t out[BOOT_FINGERPRINT_SIZE])
{
    const char *name = boot_rules_name(boot_policy_rules(input->policy));
    guint32 numbers[] = {GUINT32_TO_LE(reset_count), GUINT32_TO_LE(input->profile),
                         GUINT32_TO_LE(input->pcrs), GUINT32_TO_LE(bank)};
    g_autoptr(EVP_MD_CTX) context = EVP_MD_CTX_new();
    return context && EVP_DigestInit_ex2(context, tpm_hash_md(TPM_ALG_SHA256), NULL) == 1 &&
           hash_part(context, input->log) &&
           hash_part(context, bytes_of_text(boot_policy_text(input->policy))) &&
           hash_part(context, bytes_of_text(name)) &&
           hash_part(context, bytes_of_text(KEYLIME_VERSION)) &&
           hash_part(context, bytes_of(numbers, sizeof numbers)) &&
           EVP_DigestFinal_ex(context, out, NULL) == 1;
}

static void fail_missing(BootCheck *check, uint32_t missing, Verdict *verdict)
{
    check->failed = true;
    pcr_failure_missing(verdict, EVENT_MISSING_PCRS, missing, check->bank,
                        "PCRs of the measured-boot policy are not in the quote, or had no log to "
                        "be compared with");
}

static void evaluate(BootCheck *check, Verdict *verdict)
{
    const BootInput *input = check->input;
    BootRules rules = boot_policy_rules(input->policy);
    g_autofree char *event_id = g_strdup_printf(EVENT_POLICY, boot_rules_name(rules));
    if (boot_policy_form(input->policy) == BOOT_POLICY_UNUSABLE) {
        check->failed = true;
        verdict_fail_message(verdict, event_id,
                             "the measured-boot policy of this agent is no reference state for "
                             "the policy \"%s\": %s",
                             boot_rules_name(rules), boot_policy_problem(input->policy));
    } else if (rules == BOOT_RULES_REJECT_ALL) {
        check->failed = true;
        verdict_fail_message(verdict, event_id, "the policy \"reject-all\" accepts no boot");
    } else if (rules != BOOT_RULES_ACCEPT_ALL) {
        BootSubject subject = {.log = &check->log,
                               .bank = check->bank,
                               .strict = input->profile == BOOT_PROFILE_STRICT,
                               .rules = rules,
                               .reference = boot_policy_reference(input->policy),
                               .pcrs = relevant_pcrs(input->policy, input->pcrs),
                               .event_id = event_id};
        check->failed |= !boot_evaluate(&subject, verdict);
    }
}

void boot_check_evaluate(BootCheck *check, uint32_t used, uint32_t reset_count, BootState *state,
                         Verdict *verdict)
{
    if (!is_judged(check))
        return;
    if (check->input->evaluate == BOOT_EVALUATE_UNKNOWN) {
        check->failed = true;
        verdict_fail_message(verdict, EVENT_INVALID_EVALUATE,
                             "measured_boot_evaluate is neither \"once\" nor \"always\"");
        return;
    }
    const BootInput *input = check->input;
    uint32_t missing = relevant_pcrs(input->policy, input->pcrs) & ~used;
    if (input->profile == BOOT_PROFILE_STRICT) /* decision D60; upstream lets them be missing */
        missing |= compared_pcrs(input->policy, input->pcrs) &
                   ~pcr_values_in_bank(check->pcrs, check->bank);
    if (missing != 0) {
        fail_missing(check, missing, verdict);
        return;
    }
    uint8_t fingerprint[BOOT_FINGERPRINT_SIZE];
    bool known = boot_fingerprint(input, check->bank, reset_count, fingerprint);
    if (known && input->evaluate == BOOT_EVALUATE_ONCE && state->passed &&
        memcmp(state->fingerprint, fingerprint, sizeof fingerprint) == 0)
        return;
    evaluate(check, verdict);
    if (check->failed || !known)
        return;
    state->passed = true;
    memcpy(state->fingerprint, fingerprint, sizeof fingerprint);
}
