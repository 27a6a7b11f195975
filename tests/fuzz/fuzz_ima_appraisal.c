/* SPDX-License-Identifier: Apache-2.0 */
/* Whole lists against a small policy: a list that passes was covered by its quote, and says the
 * same when it comes in two parts. */
#include "evidence/ima/appraisal.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char policy_text[] =
    "{\"meta\":{\"version\":1,\"generator\":3},\"release\":0,\"digests\":{\"boot_aggregate\":["
    "\"2222222222222222222222222222222222222222222222222222222222222222\"],\"/usr/bin/tool\":["
    "\"1111111111111111111111111111111111111111\"]},\"excludes\":[\"/tmp/.*\"],\"keyrings\":{"
    "\".ima\":[\"1111111111111111111111111111111111111111\"]},\"ima\":{\"ignored_keyrings\":["
    "\".evm\"],\"log_hash_alg\":\"sha1\",\"dm_policy\":{\"version\":1,\"match_on\":\"name\","
    "\"rules\":{}}},\"ima-buf\":{},\"verification-keys\":\"\"}";

static const RuntimePolicy *small_policy(void)
{
    static RuntimePolicy *policy;
    if (!policy)
        policy =
            runtime_policy_parse(bytes_of_text(policy_text), &runtime_policy_rules_default, NULL);
    g_assert(policy);
    return policy;
}

static ImaInput input_of(Bytes list, uint8_t choice)
{
    static const uint16_t banks[] = {TPM_ALG_SHA1, TPM_ALG_SHA256, TPM_ALG_SHA384, TPM_ALG_SHA512};
    ImaInput input = {.list = list,
                      .policy = (choice & 4) != 0 ? NULL : small_policy(),
                      .bank = banks[choice % 4],
                      .rules = (choice & 8) != 0 ? ima_rules_upstream : ima_rules_default,
                      .without_keyrings = (choice & 16) != 0};
    input.rules.violations = (ImaViolations)(choice / 32 % 3);
    return input;
}

/* Quoted where the replay ends; the state after it is stored and read again. */
static void quote_the_end(ImaInput input, const ImaOutcome *whole)
{
    g_autoptr(ImaState) state = ima_state_new();
    g_autoptr(Verdict) verdict = verdict_new();
    g_auto(ImaOutcome) outcome = {0};
    input.quoted = bytes_of(whole->pcr, whole->pcr_size);
    bool passed = ima_appraise(&input, state, verdict, &outcome);
    g_assert(memcmp(outcome.pcr, whole->pcr, whole->pcr_size) == 0);
    g_assert(passed == (verdict->evaluation == EVALUATION_PASS));
    g_assert(passed || state->entries == 0);
    g_assert(!passed || outcome.matched);
    g_autofree char *text = ima_state_to_text(state);
    g_autoptr(ImaState) again = ima_state_from_text(bytes_of_text(text), NULL);
    g_assert(again);
    g_autofree char *twice = ima_state_to_text(again);
    g_assert(strcmp(text, twice) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    ImaInput input = input_of(bytes_of(data + 1, size - 1), data[0]);
    g_autoptr(Verdict) verdict = verdict_new();
    g_auto(ImaOutcome) outcome = {0};
    ima_appraise(&input, NULL, verdict, &outcome);
    g_assert(outcome.entries <= outcome.lines && !outcome.matched);
    quote_the_end(input, &outcome);
    return 0;
}
