/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/pcr_check.h"

#include "base/encoding.h"
#include "evidence/pcr_failure.h"

#define EVENT_INVALID_PCR "pcr_validation.invalid_pcr_%u"
#define EVENT_MISSING_PCRS "pcr_validation.missing_pcrs"

static void fail_value(const PcrCheck *check, unsigned pcr, Bytes value, Verdict *verdict)
{
    g_autofree char *event = g_strdup_printf(EVENT_INVALID_PCR, pcr);
    g_autofree char *expected = tpm_policy_expected(check->tpm_policy, pcr, value.size);
    g_autofree char *got = hex_encode(value);
    g_autofree char *reason =
        *expected ? g_strdup_printf("expected %s, got %s", expected, got)
                  : g_strdup_printf("the TPM policy has no value of this bank, got %s", got);
    pcr_failure_value(verdict, event, pcr, check->bank, expected, value, reason);
}

/* Every PCR that the TPM policy names must be in the quote with one of its values; others do not
 * matter (decision D11). Returns the bits of the PCRs that it names. */
static uint32_t check_tpm_policy(const PcrCheck *check, Verdict *verdict)
{
    uint32_t named = tpm_policy_pcrs(check->tpm_policy);
    uint32_t quoted = pcr_values_in_bank(check->pcrs, check->bank);
    for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++) {
        if (!((named & quoted) >> pcr & 1))
            continue;
        Bytes value = pcr_values_get(check->pcrs, check->bank, pcr);
        if (!tpm_policy_allows(check->tpm_policy, pcr, value))
            fail_value(check, pcr, value, verdict);
    }
    if ((named & ~quoted) != 0)
        pcr_failure_missing(verdict, EVENT_MISSING_PCRS, named & ~quoted, check->bank,
                            "PCRs of the TPM policy are missing in the quote");
    return named & quoted;
}

void pcr_check(const PcrCheck *check, BootState *boot_state, Verdict *verdict)
{
    g_autoptr(BootCheck) boot = boot_check_begin(check->boot, check->pcrs, check->bank, verdict);
    if (check->ima)
        ima_check(check->ima, check->pcrs, check->bank, check->reset_count, boot_check_replay(boot),
                  verdict);
    uint32_t used = boot_check_compare(boot, verdict);
    if (check->tpm_policy)
        used |= check_tpm_policy(check, verdict);
    boot_check_policy(boot, verdict);
    boot_check_evaluate(boot, used, check->reset_count, boot_state, verdict);
}
