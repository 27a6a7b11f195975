/* SPDX-License-Identifier: Apache-2.0 */
#include "verifier/verify/compound_quote.h"

#include "base/encoding.h"
#include "tpm/attest.h"
#include "verifier/attestation/evidence_message.h"

#include <string.h>

#define PARTS 3
/* Bytes of a hash's name in a failure. */
#define SHOWN_HASH_MAX 64

/* Upstream's event ids, misspelling included (tenant-and-management-api §8.2). */
#define EVENT_QUOTE "qoute_validation.invalid_quote"
#define EVENT_HASH "qoute_validation.invalid_hash_alg"

static GBytes *decode_part(const char *text, size_t limit)
{
    g_autoptr(GBytes) part = base64_decode(text);
    bool fits = part && g_bytes_get_size(part) > 0 && g_bytes_get_size(part) <= limit;
    return fits ? g_steal_pointer(&part) : NULL;
}

/* NULL when the text is a quote, else why it is none. */
static const char *read_parts(const char *text, CompoundQuote *out)
{
    if (text[0] != 'r')
        return "a quote begins with 'r'";
    g_auto(GStrv) parts = g_strsplit(text + 1, ":", PARTS + 1);
    if (g_strv_length(parts) != PARTS)
        return "a quote has three parts with colons between: message, signature, PCR values";
    out->message = decode_part(parts[0], EVIDENCE_MAX_MESSAGE);
    out->signature = decode_part(parts[1], EVIDENCE_MAX_SIGNATURE);
    out->pcr_blob = decode_part(parts[2], EVIDENCE_MAX_PCR_BLOB);
    bool whole = out->message && out->signature && out->pcr_blob;
    return whole ? NULL : "the parts of a quote are base64 of what tpm2_quote writes";
}

void compound_quote_fail(Verdict *verdict, const char *reason)
{
    verdict_fail_message(verdict, EVENT_QUOTE, "Quote validation failed: %s", reason);
}

bool compound_quote_parse(const char *text, CompoundQuote *out, Verdict *verdict)
{
    *out = (CompoundQuote){0};
    const char *reason = read_parts(text, out);
    if (!reason)
        return true;
    compound_quote_clear(out);
    compound_quote_fail(verdict, reason);
    return false;
}

void compound_quote_clear(CompoundQuote *quote)
{
    g_clear_pointer(&quote->message, g_bytes_unref);
    g_clear_pointer(&quote->signature, g_bytes_unref);
    g_clear_pointer(&quote->pcr_blob, g_bytes_unref);
}

GBytes *compound_quote_nonce(const CompoundQuote *quote, const char *nonce)
{
    TpmAttest attest;
    g_autoptr(GBytes) decoded = base64_decode(nonce);
    bool encoded = decoded && tpm_attest_parse(bytes_of_gbytes(quote->message), &attest, NULL) &&
                   bytes_equal(attest.extra_data, bytes_of_gbytes(decoded));
    return encoded ? g_steal_pointer(&decoded) : g_bytes_new(nonce, strlen(nonce));
}

uint16_t compound_quote_bank(const char *hash_alg, Verdict *verdict)
{
    uint16_t bank = tpm_hash_from_name(hash_alg);
    if (bank != 0)
        return bank;
    g_autofree char *shown = utf8_escape(bytes_of(hash_alg, strnlen(hash_alg, SHOWN_HASH_MAX)));
    g_autofree char *message =
        g_strdup_printf("TPM Quote is using an unrecognized hash algorithm: %s", shown);
    Json *context = json_object_new_object();
    json_add_text(context, "message", message);
    json_add_text(context, "data", shown);
    verdict_fail(verdict, EVENT_HASH, context);
    return 0;
}
