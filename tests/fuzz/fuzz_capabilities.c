/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities of an agent, read and negotiated: whatever the bytes, what is chosen was offered. */
#include "verifier/attestation/negotiation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An AK that is never the offered one, except by `server_identifier`. */
static const TpmPublic *attestation_key(void)
{
    static TpmPublic ak = {.type = TPM_ALG_RSA,
                           .key_bits = 2048,
                           .scheme = TPM_ALG_RSASSA,
                           .scheme_hash = TPM_ALG_SHA256,
                           .name_size = 34};
    if (!ak.tpmt)
        ak.tpmt = g_bytes_new_static("tpmt", 4);
    return &ak;
}

static void check(const Capabilities *capabilities)
{
    static const char *const hashes[] = {"sha256", "sha1", NULL};
    static const char *const keys[] = {"rsa", NULL};
    static const char *const schemes[] = {"rsassa", NULL};
    NegotiationTerms terms = {attestation_key(), {hashes, keys, schemes}, 0};
    g_autoptr(GPtrArray) errors = api_errors_new();
    Negotiated negotiated;
    if (!negotiate(capabilities, &terms, &negotiated, errors)) {
        g_assert(errors->len > 0);
        return;
    }
    g_assert(negotiated.pcrs != 0 && negotiated.key < negotiated.quote->key_count);
    g_assert(negotiated.scheme == TPM_ALG_RSASSA && negotiated.hash == TPM_ALG_SHA256);
    g_autofree char *text = offered_quote_store(negotiated.quote);
    g_autoptr(Json) stored = json_parse(bytes_of_text(text), NULL);
    g_autoptr(Json) shown = offered_quote_stored_capabilities(stored);
    g_autoptr(Json) key = offered_quote_stored_key(stored, negotiated.key);
    g_assert(shown && key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(Json) attributes = json_parse(bytes_of(data, size), NULL);
    g_autoptr(GPtrArray) errors = api_errors_new();
    g_autoptr(Capabilities) capabilities = capabilities_read(attributes, errors);
    g_assert((capabilities != NULL) == (errors->len == 0));
    if (capabilities)
        check(capabilities);
    return 0;
}
