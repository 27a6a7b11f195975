/* SPDX-License-Identifier: Apache-2.0 */
/* TPM policy: what is accepted names PCRs with values that it then allows. */
#include "policy/tpm_policy.h"

#include "base/encoding.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_pcr(const TpmPolicy *policy, unsigned pcr)
{
    static const size_t sizes[] = {20, 32, 48, 64};
    unsigned allowed = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autofree char *list = tpm_policy_expected(policy, pcr, sizes[i]);
        g_auto(GStrv) values = g_strsplit(list, ", ", -1);
        for (char **value = values; *value; value++) {
            g_autoptr(GBytes) digest = hex_decode(*value);
            g_assert(digest && tpm_policy_allows(policy, pcr, bytes_of_gbytes(digest)));
            allowed++;
        }
    }
    g_assert((allowed > 0) == (tpm_policy_pcrs(policy) >> pcr & 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup(size > 0 ? (const char *)data : "", size);
    g_autoptr(GError) error = NULL;
    g_autoptr(TpmPolicy) policy = tpm_policy_parse(text, &error);
    g_assert((policy == NULL) == (error != NULL));
    for (unsigned pcr = 0; policy && pcr < 24; pcr++)
        check_pcr(policy, pcr);
    return 0;
}
