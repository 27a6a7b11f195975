/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/pcr_check.h"

#include "base/encoding.h"

#define EVENT_INVALID_PCR "pcr_validation.invalid_pcr_%u"
#define EVENT_MISSING_PCRS "pcr_validation.missing_pcrs"

static void fail_value(const PcrCheck *check, unsigned pcr, Bytes value, Verdict *verdict)
{
    const char *bank = tpm_algorithm_name(check->bank);
    g_autofree char *event = g_strdup_printf(EVENT_INVALID_PCR, pcr);
    g_autofree char *expected = tpm_policy_expected(check->tpm_policy, pcr, value.size);
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

static void fail_missing(const PcrCheck *check, uint32_t missing, Verdict *verdict)
{
    const char *bank = tpm_algorithm_name(check->bank);
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

/* Every PCR that the TPM policy names must be in the quote with one of its values; others do not
 * matter (decision D11). */
static void check_tpm_policy(const PcrCheck *check, Verdict *verdict)
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
        fail_missing(check, named & ~quoted, verdict);
}

void pcr_check(const PcrCheck *check, Verdict *verdict)
{
    if (check->tpm_policy)
        check_tpm_policy(check, verdict);
}
