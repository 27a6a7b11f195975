/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/appraisal.h"

#include "base/encoding.h"

#include <string.h>

/* Upstream's event ids, misspelling included (verifier-push-api §7.2, measured-boot §11). */
#define EVENT_QUOTE "qoute_validation.quote_validation"
#define EVENT_MISSING_PCRS "pcr_validation.missing_pcrs"
#define EVENT_INVALID_PCR "pcr_validation.invalid_pcr_%u"

static bool same_key(const AppraisalState *state, const TpmPublic *ak)
{
    return state->known &&
           bytes_equal(bytes_of(state->ak_name, state->ak_name_size), tpm_public_name(ak));
}

/* Safe flag and continuity of the clock (tpm-formats §10, decision D12). */
static bool appraise_clock(const AppraisalInput *input, const AppraisalState *state,
                           const TpmClock *clock, Verdict *verdict)
{
    if (same_key(state, input->quote.ak)) {
        ClockResult result = clock_compare(&state->clock, clock);
        if (!clock_is_acceptable(result)) {
            verdict_fail_message(verdict, EVENT_QUOTE, "quote: %s", clock_result_text(result));
            return false;
        }
    }
    if (clock->safe)
        return true;
    if (input->require_safe_clock) {
        verdict_fail_message(verdict, EVENT_QUOTE,
                             "quote: the TPM's clock is not safe after an unorderly loss of power, "
                             "and require_safe_clock is set");
        return false;
    }
    verdict_warn(verdict, "the TPM's clock is not safe after an unorderly loss of power");
    return true;
}

static void remember(AppraisalState *state, const TpmPublic *ak, const VerifiedQuote *quote)
{
    state->known = true;
    memcpy(state->ak_name, ak->name, ak->name_size);
    state->ak_name_size = ak->name_size;
    state->clock = quote->clock;
    state->firmware_version = quote->firmware_version;
}

static void fail_pcr(Verdict *verdict, const TpmPolicy *policy, unsigned pcr, const char *bank,
                     Bytes value)
{
    g_autofree char *event = g_strdup_printf(EVENT_INVALID_PCR, pcr);
    g_autofree char *expected = tpm_policy_expected(policy, pcr, value.size);
    g_autofree char *got = hex_encode(value);
    g_autofree char *message =
        *expected ? g_strdup_printf("PCR %u (%s): expected %s, got %s", pcr, bank, expected, got)
                  : g_strdup_printf("PCR %u (%s): the TPM policy has no value of this bank, got %s",
                                    pcr, bank, got);
    Json *context = json_object_new_object();
    json_add_text(context, "message", message);
    json_add_int(context, "pcr", pcr);
    json_add_text(context, "bank", bank);
    json_add_text(context, "expected", expected);
    json_add_text(context, "got", got);
    verdict_fail(verdict, event, context);
}

static void fail_missing(Verdict *verdict, uint32_t missing, const char *bank)
{
    g_autoptr(GString) list = g_string_new(NULL);
    Json *data = json_object_new_array();
    for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++) {
        if (!(missing >> pcr & 1))
            continue;
        g_string_append_printf(list, "%s%u", list->len > 0 ? ", " : "", pcr);
        json_object_array_add(data, json_object_new_int((int)pcr));
    }
    g_autofree char *message = g_strdup_printf(
        "PCRs of the TPM policy are missing in the quote (%s): %s", bank, list->str);
    Json *context = json_object_new_object();
    json_add_text(context, "message", message);
    json_add_text(context, "bank", bank);
    json_add(context, "data", data);
    verdict_fail(verdict, EVENT_MISSING_PCRS, context);
}

/* Every PCR the policy names must be in the quote with one of its values; others do not matter
 * (decision D11). */
static void appraise_pcrs(const TpmPolicy *policy, const PcrValues *pcrs, uint16_t bank,
                          Verdict *verdict)
{
    const char *name = tpm_algorithm_name(bank);
    uint32_t named = tpm_policy_pcrs(policy);
    uint32_t quoted = pcr_values_in_bank(pcrs, bank);
    for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++) {
        if (!((named & quoted) >> pcr & 1))
            continue;
        Bytes value = pcr_values_get(pcrs, bank, pcr);
        if (!tpm_policy_allows(policy, pcr, value))
            fail_pcr(verdict, policy, pcr, name, value);
    }
    if ((named & ~quoted) != 0)
        fail_missing(verdict, named & ~quoted, name);
}

Verdict *appraise(const AppraisalInput *input, AppraisalState *state, VerifiedQuote **quote)
{
    g_autoptr(Verdict) verdict = verdict_new();
    g_autofree VerifiedQuote *verified = NULL;
    if (quote)
        *quote = NULL;

    ProofResult result = quote_verify(&input->quote, &verified);
    if (result != PROOF_VERIFIED) {
        verdict_fail_message(verdict, EVENT_QUOTE, "quote: %s", proof_result_text(result));
        return g_steal_pointer(&verdict);
    }
    if (!appraise_clock(input, state, &verified->clock, verdict))
        return g_steal_pointer(&verdict);
    remember(state, input->quote.ak, verified);

    if (input->tpm_policy)
        appraise_pcrs(input->tpm_policy, &verified->pcrs, verified->hash, verdict);
    if (quote)
        *quote = g_steal_pointer(&verified);
    return g_steal_pointer(&verdict);
}
