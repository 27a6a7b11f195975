/* SPDX-License-Identifier: Apache-2.0 */
#include "base/encoding.h"
#include "evidence/ima/signature.h"
#include "evidence/ima/template.h"
#include "evidence/uefi/replay.h"

#include "ima_readers.h"

#include <string.h>

static Bytes text_member(Json *entry, const char *name)
{
    Json *text = json_member_of_type(entry, name, json_type_string);
    return text ? bytes_of(json_object_get_string(text), (size_t)json_object_get_string_len(text))
                : BYTES_EMPTY;
}

static void expect_hex_member(Tally *tally, Json *entry, const char *name, Bytes got)
{
    g_autoptr(GBytes) expected = member_bytes(entry, name);
    expect_bytes(tally, name, bytes_of_gbytes(expected), got);
}

static void check_extended(Json *entry, const ImaEntry *parsed, Tally *tally)
{
    static const uint8_t ones[TPM_MAX_DIGEST] = {[0 ... TPM_MAX_DIGEST - 1] = 0xff};
    bool violation;
    json_member_bool(entry, "violation", &violation);
    /* Violations are told by SHA-1's size here: the file's log_hash_alg. */
    expect_number(tally, "violation", violation,
                  parsed->template_hash.size == 20 && bytes_are_zero(parsed->template_hash));
    json_object_object_foreach (json_member(entry, "extended"), bank, value) {
        uint16_t algorithm = tpm_hash_from_name(bank);
        g_autoptr(ImaHasher) hasher = ima_hasher_new(TPM_ALG_SHA1, algorithm);
        ImaTemplateDigests digests;
        g_autoptr(GBytes) expected = hex_decode(json_text(value));
        g_assert(hasher && ima_hasher_entry(hasher, parsed, &digests));
        expect_bytes(tally, bank, bytes_of_gbytes(expected),
                     bytes_of(violation ? ones : digests.extended, tpm_hash_size(algorithm)));
    }
}

static void check_template(Json *entry, Tally *tally)
{
    Bytes line = text_member(entry, "line");
    g_autofree uint8_t *memory = g_malloc(ima_entry_memory(line.size));
    ImaEntry parsed;
    const char *reason = ima_entry_parse(line, false, memory, &parsed);
    bool parses;
    json_member_bool(entry, "parses", &parses);
    expect_verdict(tally, parses ? "accept" : "reject", reason == NULL, reason);
    if (reason || !parses)
        return;
    g_autoptr(GByteArray) data = g_byte_array_new();
    ima_template_append(&parsed, data);
    expect_text(tally, "template", json_member_text(entry, "template"),
                ima_template_name(parsed.template));
    expect_bytes(tally, "pcr", text_member(entry, "pcr"), parsed.pcr);
    expect_bytes(tally, "algorithm", text_member(entry, "digest_algorithm"), parsed.algorithm);
    expect_bytes(tally, "name", text_member(entry, "name"), parsed.name);
    expect_hex_member(tally, entry, "digest", parsed.digest);
    expect_hex_member(tally, entry, "signature", parsed.signature);
    expect_hex_member(tally, entry, "buffer", parsed.buffer);
    expect_hex_member(tally, entry, "template_data", bytes_of_array(data));
    check_extended(entry, &parsed, tally);
}

void read_templates(Json *document, Tally *tally)
{
    FOR_EACH_CASE(document, "entries", entry, position)
    {
        case_begin(tally, entry, position);
        check_template(entry, tally);
        case_end(tally);
    }
}

static ImaKeyrings *rings_of_case(Json *entry)
{
    g_autoptr(GBytes) der = base64_decode(json_member_text(entry, "key"));
    g_autoptr(ImaKey) key = ima_key_parse_public(bytes_of_gbytes(der), NULL);
    ImaKeyrings *rings = ima_keyrings_new();
    g_assert(key);
    ima_keyrings_add(rings, bytes_of_text(IMA_TENANT_KEYRING), key);
    return rings;
}

static void check_signature(Json *entry, Tally *tally)
{
    g_autoptr(ImaKeyrings) rings = rings_of_case(entry);
    g_autoptr(ImaSignatureCache) cache = ima_signature_cache_new(64);
    g_autoptr(GBytes) digest = member_bytes(entry, "digest");
    g_autoptr(GBytes) field = member_bytes(entry, "signature");
    ImaSignature signature = {.field = bytes_of_gbytes(field),
                              .algorithm = text_member(entry, "digest_algorithm"),
                              .digest = bytes_of_gbytes(digest)};
    bool verifies = false;
    json_member_bool(entry, "expect", &verifies); /* an exception is no "true" */
    expect_number(tally, "verifies", verifies, ima_signature_verify(&signature, rings, NULL));
    /* The cache answers as the key does, when it is new to it and when it is not. */
    expect_number(tally, "new to the cache", verifies,
                  ima_signature_verify(&signature, rings, cache));
    expect_number(tally, "known to the cache", verifies,
                  ima_signature_verify(&signature, rings, cache));
    expect_number(tally, "hits", verifies, ima_signature_cache_use(cache).hits);
}

void read_signatures(Json *document, Tally *tally)
{
    FOR_EACH_CASE(document, "cases", entry, position)
    {
        case_begin(tally, entry, position);
        check_signature(entry, tally);
        case_end(tally);
    }
}

static void set_pcrs(UefiReplayBank *bank, Json *values)
{
    json_object_object_foreach (values, number, value) {
        unsigned pcr = (unsigned)g_ascii_strtoull(number, NULL, 10);
        g_assert(pcr <= UEFI_LAST_PCR_UPSTREAM);
        bank->touched |= UINT32_C(1) << pcr;
        g_assert(hex_decode_to(bytes_of_text(json_text(value)), bank->value[pcr]));
    }
}

static void check_aggregates(const UefiReplay *replay, const char *bank, Json *expected,
                             Tally *tally)
{
    uint16_t algorithm = tpm_hash_from_name(bank);
    uint8_t got[UEFI_MAX_BOOT_AGGREGATES][TPM_MAX_DIGEST];
    size_t count = uefi_boot_aggregates(replay, algorithm, got);
    expect_number(tally, bank, json_object_array_length(expected), count);
    for (size_t i = 0; i < MIN(count, json_object_array_length(expected)); i++) {
        g_autofree char *hex = hex_encode(bytes_of(got[i], tpm_hash_size(algorithm)));
        expect_text(tally, bank, json_text(json_object_array_get_idx(expected, i)), hex);
    }
}

void read_boot_aggregates(Json *document, Tally *tally)
{
    FOR_EACH_CASE(document, "cases", entry, position)
    {
        case_begin(tally, entry, position);
        g_autofree UefiReplay *replay = g_new0(UefiReplay, 1);
        json_object_object_foreach (json_member(entry, "pcrs"), bank, values) {
            int at = uefi_bank_position(tpm_hash_from_name(bank));
            if (at >= 0)
                set_pcrs(&replay->bank[at], values);
        }
        json_object_object_foreach (json_member(entry, "boot_aggregates"), name, expected)
            check_aggregates(replay, name, expected, tally);
        case_end(tally);
    }
}
