/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/ima_check.h"

/* Every aggregate that the event log gives may stand in the list, whatever the bank (ima §5.5). */
static GPtrArray *aggregates_of(const UefiReplay *replay)
{
    static const uint16_t banks[] = {TPM_ALG_SHA1, TPM_ALG_SHA256, TPM_ALG_SHA384, TPM_ALG_SHA512};
    GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    for (unsigned i = 0; replay && i < G_N_ELEMENTS(banks); i++) {
        uint8_t digests[UEFI_MAX_BOOT_AGGREGATES][TPM_MAX_DIGEST];
        size_t count = uefi_boot_aggregates(replay, banks[i], digests);
        for (size_t j = 0; j < count; j++)
            g_ptr_array_add(all, g_bytes_new(digests[j], tpm_hash_size(banks[i])));
    }
    return all;
}

void ima_check(ImaCheck *check, const PcrValues *pcrs, uint16_t bank, uint32_t reset_count,
               const UefiReplay *replay, Verdict *verdict)
{
    g_autoptr(GPtrArray) aggregates = aggregates_of(replay);
    guint failures = verdict->failure_count;
    check->list.bank = bank;
    check->list.quoted = pcr_values_get(pcrs, bank, IMA_PCR);
    check->list.boot_aggregates = aggregates;
    check->round.reset_count = reset_count;
    check->result = ima_push_appraise(&check->list, &check->round, check->state, verdict);
    check->list.boot_aggregates = NULL;
    check->passed = verdict->failure_count == failures;
}
