/* SPDX-License-Identifier: Apache-2.0 */
/* Runtime policies: what is accepted answers every question, and what our rules accept upstream's
 * do too, device-mapper policies apart. */
#include "policy/runtime_policy.h"

#include "base/encoding.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const RuntimePolicy *policy)
{
    static const uint8_t digest[32] = {0xaa};
    Bytes name = bytes_of_text("/usr/bin/tool");
    g_autoptr(ExcludeScratch) scratch = exclude_scratch_new();
    for (int map = 0; map < RUNTIME_POLICY_MAPS; map++) {
        g_auto(GStrv) expected = runtime_policy_expected(policy, map, name, 4);
        RuntimePolicyMatch other = runtime_policy_match(policy, map, name, BYTES_OF_ARRAY(digest));
        g_assert(!expected[0] || other != RUNTIME_POLICY_NO_SUCH_NAME);
        for (char **text = expected; *text; text++) {
            g_autoptr(GBytes) listed = hex_decode(*text);
            g_assert(runtime_policy_match(policy, map, name, bytes_of_gbytes(listed)) ==
                     RUNTIME_POLICY_MATCH);
        }
    }
    runtime_policy_is_excluded(policy, scratch, name);
    runtime_policy_ignores_keyring(policy, bytes_of_text(".ima"));
    g_assert(tpm_hash_size(runtime_policy_log_hash_alg(policy)) > 0);
    g_assert(strlen(runtime_policy_checksum(policy)) == 64);
    g_assert(runtime_policy_generator(policy) <= 1 || runtime_policy_wants_ima(policy));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    Bytes text = bytes_of(data, size);
    g_autoptr(RuntimePolicy) policy =
        runtime_policy_parse(text, &runtime_policy_rules_default, &error);
    g_assert((policy == NULL) == (error != NULL));
    g_autoptr(RuntimePolicy) upstream =
        runtime_policy_parse(text, &runtime_policy_rules_upstream, NULL);
    g_assert(!policy || upstream || runtime_policy_dm_policy(policy));
    if (policy)
        ask(policy);
    if (upstream)
        ask(upstream);
    return 0;
}
