/* SPDX-License-Identifier: Apache-2.0 */
/* Signed envelopes: nothing that a fuzzer makes is signed by a key that it does not know. */
#include "policy/dsse.h"

#include <openssl/ec.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static EVP_PKEY *key;
    if (!key)
        key = EVP_EC_gen("P-256");
    g_autoptr(Json) object = json_parse(bytes_of(data, size), NULL);
    if (!dsse_is_envelope(object))
        return 0;
    const DsseRules *rules[] = {&dsse_rules_upstream, &dsse_rules_default};
    for (size_t i = 0; i < G_N_ELEMENTS(rules); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) payload = dsse_payload(object, rules[i], &error);
        g_assert((payload == NULL) == (error != NULL));
        g_assert(!dsse_verify(object, key, rules[i], NULL));
    }
    return 0;
}
