/* SPDX-License-Identifier: Apache-2.0 */
#include "tpm/quote.h"

#include "tpm_readers.h"

#include <string.h>

/* Positives are read under rules that take all we can verify; negatives bring their own list. */
static const char *const every_hash[] = {"sha1", "sha256", "sha384", "sha512", NULL};

static TpmPublic *member_public(Json *entry, const char *name)
{
    g_autoptr(GBytes) tpm2b = member_bytes(entry, name);
    return tpm_public_from_tpm2b(bytes_of_gbytes(tpm2b), NULL);
}

static uint32_t required_pcrs(Json *entry)
{
    uint32_t pcrs = 0;
    for (size_t i = 0; i < array_length(entry, "required_pcrs"); i++)
        pcrs |= UINT32_C(1) << json_object_get_int(array_entry(entry, "required_pcrs", i));
    return pcrs;
}

static void check_clock(Json *parsed, const TpmClock *clock, Tally *tally)
{
    expect_number(tally, "clock", member_number(parsed, "clock"), clock->clock);
    expect_number(tally, "reset_count", member_number(parsed, "reset_count"), clock->reset_count);
    expect_number(tally, "restart_count", member_number(parsed, "restart_count"),
                  clock->restart_count);
    expect_number(tally, "safe", member_number(parsed, "safe"), clock->safe);
}

static void check_attest(Json *parsed, Bytes message, Tally *tally)
{
    TpmAttest attest;
    g_autoptr(GError) error = NULL;
    if (!tpm_attest_parse(message, &attest, &error)) {
        expect_text(tally, "attest structure", "read", error->message);
        return;
    }
    g_autoptr(GBytes) signer = member_bytes(parsed, "qualified_signer");
    check_clock(parsed, &attest.clock, tally);
    expect_bytes(tally, "qualified_signer", bytes_of_gbytes(signer), attest.qualified_signer);
    if (attest.type == TPM_ATTEST_CERTIFY) {
        g_autoptr(GBytes) name = member_bytes(parsed, "name");
        g_autoptr(GBytes) qualified = member_bytes(parsed, "qualified_name");
        expect_bytes(tally, "name", bytes_of_gbytes(name), attest.certified_name);
        expect_bytes(tally, "qualified_name", bytes_of_gbytes(qualified),
                     attest.certified_qualified_name);
    } else {
        g_autoptr(GBytes) digest = member_bytes(parsed, "pcr_digest");
        expect_number(tally, "firmware_version", member_number(parsed, "firmware_version"),
                      attest.firmware_version);
        expect_bytes(tally, "pcr_digest", bytes_of_gbytes(digest), attest.pcr_digest);
    }
}

/* Each value that the vector names is there, and no PCR beyond them. */
static void check_pcrs(Json *banks, const PcrValues *values, Tally *tally)
{
    size_t count = 0;
    json_object_object_foreach (banks, bank, pcrs) {
        uint16_t hash = tpm_hash_from_name(bank);
        uint32_t named = 0;
        json_object_object_foreach (pcrs, number, value) {
            unsigned pcr = (unsigned)g_ascii_strtoull(number, NULL, 10);
            g_autoptr(GBytes) expected = member_bytes(pcrs, number);
            g_autofree char *what = g_strdup_printf("PCR %s of %s", number, bank);
            expect_bytes(tally, what, bytes_of_gbytes(expected), pcr_values_get(values, hash, pcr));
            named |= value ? UINT32_C(1) << pcr : 0;
        }
        expect_number(tally, "PCRs of the bank", named, pcr_values_in_bank(values, hash));
        count++;
    }
    expect_number(tally, "banks", count, values->selection.count);
}

static void check_quote(Json *entry, const char *const *hashes, Tally *tally)
{
    g_autoptr(TpmPublic) ak = member_public(entry, "aik_tpm");
    g_autoptr(GBytes) message = member_bytes(entry, "message");
    g_autoptr(GBytes) signature = member_bytes(entry, "signature");
    g_autoptr(GBytes) blob = member_bytes(entry, "pcr_blob");
    g_autoptr(GBytes) nonce = member_bytes(entry, "nonce");
    g_autofree const char **schemes = json_member_texts(entry, "accept_signing_algs");
    QuoteInput input = {
        .ak = ak,
        .message = bytes_of_gbytes(message),
        .signature = bytes_of_gbytes(signature),
        .pcr_blob = bytes_of_gbytes(blob),
        .nonce = bytes_of_gbytes(nonce),
        .hash = tpm_hash_from_name(json_member_text(entry, "hash_algorithm")),
        .required_pcrs = required_pcrs(entry),
        .rules = {schemes, hashes},
    };
    g_autofree VerifiedQuote *quote = NULL;
    ProofResult result = quote_verify(&input, &quote);
    expect_verdict(tally, expected_verdict(entry), result == PROOF_VERIFIED,
                   proof_result_text(result));
    expect_number(tally, "values are reachable", result == PROOF_VERIFIED, quote != NULL);
    if (!quote || !json_member(entry, "parsed"))
        return;
    check_attest(json_member(entry, "parsed"), bytes_of_gbytes(message), tally);
    check_clock(json_member(entry, "parsed"), &quote->clock, tally);
    check_pcrs(json_member(entry, "pcrs"), &quote->pcrs, tally);
    g_autoptr(GBytes) written = pcr_blob_make(&quote->pcrs);
    expect_bytes(tally, "blob written again", bytes_of_gbytes(blob), bytes_of_gbytes(written));
}

void read_quote(Json *document, Tally *tally)
{
    FOR_EACH_CASE(document, "vectors", entry, i)
    {
        case_begin(tally, entry, i);
        check_quote(entry, every_hash, tally);
        case_end(tally);
    }
    FOR_EACH_CASE(document, "negatives", entry, i)
    {
        case_begin(tally, entry, i);
        check_quote(entry, NULL, tally);
        case_end(tally);
    }
}

static ProofResult verify_possession(Json *entry, const char *key, const ProofRules *rules)
{
    g_autoptr(TpmPublic) ak = member_public(entry, key);
    g_autoptr(GBytes) message = member_bytes(entry, "message");
    g_autoptr(GBytes) signature = member_bytes(entry, "signature");
    g_autoptr(GBytes) challenge = member_bytes(entry, "challenge");
    return certify_verify_possession(ak, bytes_of_gbytes(message), bytes_of_gbytes(signature),
                                     bytes_of_gbytes(challenge), rules);
}

static void check_possession(Json *entry, Tally *tally)
{
    const char *schemes[] = {json_member_text(entry, "signing_scheme"), NULL};
    const char *hashes[] = {json_member_text(entry, "hash_algorithm"), NULL};
    const ProofRules rules = {schemes, hashes};
    /* Object and signer are one key in a proof of possession; a vector that names two holds only if
     * it does for whichever of them is enrolled. */
    ProofResult result = verify_possession(entry, "aik_tpm", &rules);
    if (result == PROOF_VERIFIED && json_member(entry, "signer_tpm"))
        result = verify_possession(entry, "signer_tpm", &rules);
    expect_verdict(tally, expected_verdict(entry), result == PROOF_VERIFIED,
                   proof_result_text(result));
    if (json_member(entry, "parsed")) {
        g_autoptr(GBytes) message = member_bytes(entry, "message");
        check_attest(json_member(entry, "parsed"), bytes_of_gbytes(message), tally);
    }
}

static void check_iak(Json *entry, Tally *tally)
{
    g_autoptr(TpmPublic) iak = member_public(entry, "iak_tpm");
    g_autoptr(TpmPublic) ak = member_public(entry, "aik_tpm");
    g_autoptr(GBytes) message = member_bytes(entry, "iak_attest");
    g_autoptr(GBytes) signature = member_bytes(entry, "iak_sign");
    ProofResult result =
        certify_verify_iak(iak, ak, bytes_of_gbytes(message), bytes_of_gbytes(signature),
                           json_member_text(entry, "agent_id"));
    expect_verdict(tally, expected_verdict(entry), result == PROOF_VERIFIED,
                   proof_result_text(result));
}

static void read_lists(Json *document, Tally *tally, void (*check)(Json *, Tally *))
{
    static const char *const lists[] = {"vectors", "negatives"};
    for (size_t list = 0; list < G_N_ELEMENTS(lists); list++)
        FOR_EACH_CASE(document, lists[list], entry, i)
        {
            case_begin(tally, entry, i);
            check(entry, tally);
            case_end(tally);
        }
}

void read_certify_pop(Json *document, Tally *tally)
{
    read_lists(document, tally, check_possession);
}

void read_certify_iak(Json *document, Tally *tally)
{
    read_lists(document, tally, check_iak);
}

static TpmClock member_clock(Json *entry, const char *name)
{
    Json *clock = json_member(entry, name);
    return (TpmClock){
        .clock = member_number(clock, "clock"),
        .reset_count = (uint32_t)member_number(clock, "reset_count"),
        .restart_count = (uint32_t)member_number(clock, "restart_count"),
        .safe = member_number(clock, "safe") == 1,
    };
}

static void check_continuity(Json *entry, Tally *tally)
{
    TpmClock previous = member_clock(entry, "previous");
    TpmClock current = member_clock(entry, "current");
    ClockResult result = clock_compare(&previous, &current);
    const char *expected = expected_verdict(entry);
    /* "reject unless policy allows an unsafe clock": ours does unless require_safe_clock is set,
     * and then these two results are the ones that say so. */
    if (expected && strcmp(expected, "reject unless policy allows an unsafe clock") == 0) {
        bool told = result == CLOCK_UNSAFE || result == CLOCK_UNSAFE_NEW_BOOT;
        expect_number(tally, "told to be unsafe", true, told);
        return;
    }
    expect_verdict(tally, expected, clock_is_acceptable(result), clock_result_text(result));
}

void read_clock(Json *document, Tally *tally)
{
    read_lists(document, tally, check_continuity);
}
