/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/appraisal.h"

#include <string.h>

/* Upstream's event id, misspelling included (verifier-push-api §7.2). */
#define EVENT_QUOTE "qoute_validation.quote_validation"

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
    if (!same_key(state, ak))
        state->boot = (BootState){0};
    state->known = true;
    memcpy(state->ak_name, ak->name, ak->name_size);
    state->ak_name_size = ak->name_size;
    state->clock = quote->clock;
    state->firmware_version = quote->firmware_version;
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

    PcrCheck check = {
        .pcrs = &verified->pcrs,
        .bank = verified->hash,
        .reset_count = verified->clock.reset_count,
        .tpm_policy = input->tpm_policy,
        .boot = input->boot,
        .ima = input->ima,
    };
    pcr_check(&check, &state->boot, verdict);
    if (quote)
        *quote = g_steal_pointer(&verified);
    return g_steal_pointer(&verdict);
}
