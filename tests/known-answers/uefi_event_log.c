/* SPDX-License-Identifier: Apache-2.0 */
#include "base/encoding.h"
#include "evidence/uefi/json_view.h"

#include "uefi_readers.h"

#include <string.h>

static void check_banks(Json *vector, const UefiLog *log, Tally *tally)
{
    expect_number(tally, "algorithms", array_length(vector, "algorithms"), log->bank_count);
    for (size_t i = 0; i < log->bank_count; i++)
        expect_text(tally, "algorithm", json_text(array_entry(vector, "algorithms", i)),
                    uefi_bank_name(log->bank[i].algorithm));
    expect_number(tally, "measurement_events", member_number(vector, "measurement_events"),
                  log->event_count);
}

/* Each value that the vector names, and no PCR beyond them. */
static void check_pcrs(Json *banks, const UefiReplay *replay, Tally *tally)
{
    for (int i = 0; i < UEFI_BANK_COUNT; i++) {
        uint16_t algorithm = uefi_bank_at(i);
        Json *pcrs = json_member(banks, uefi_bank_name(algorithm));
        uint32_t named = 0;
        for (unsigned pcr = 0; pcr <= UEFI_LAST_PCR_UPSTREAM; pcr++) {
            g_autofree char *number = g_strdup_printf("%u", pcr);
            if (!json_member(pcrs, number))
                continue;
            g_autoptr(GBytes) expected = member_bytes(pcrs, number);
            g_autofree char *what = g_strdup_printf("PCR %u of %s", pcr, uefi_bank_name(algorithm));
            expect_bytes(tally, what, bytes_of_gbytes(expected),
                         uefi_replay_pcr(replay, algorithm, pcr));
            named |= UINT32_C(1) << pcr;
        }
        expect_number(tally, "touched PCRs", named, replay->bank[i].touched);
    }
}

static void check_boot_aggregates(Json *banks, const UefiReplay *replay, Tally *tally)
{
    for (int i = 0; i < UEFI_BANK_COUNT; i++) {
        uint16_t algorithm = uefi_bank_at(i);
        uint8_t aggregate[UEFI_MAX_BOOT_AGGREGATES][TPM_MAX_DIGEST];
        size_t count = uefi_boot_aggregates(replay, algorithm, aggregate);
        expect_number(tally, "boot aggregates", array_length(banks, uefi_bank_name(algorithm)),
                      count);
        for (size_t k = 0; k < count; k++) {
            g_autofree char *hex = hex_encode(bytes_of(aggregate[k], tpm_hash_size(algorithm)));
            expect_text(tally, "boot aggregate",
                        json_text(array_entry(banks, uefi_bank_name(algorithm), k)), hex);
        }
    }
}

/* The file holds upstream's compact form: equal in every byte. Only logs that upstream accepts have
 * one, and some of those break the strict rules. */
static void check_json_view(Json *vector, Bytes bytes, Tally *tally)
{
    const UefiLogRules rules = UEFI_LOG_RULES_UPSTREAM;
    const char *file = json_member_text(vector, "parsed");
    UefiLog log;
    if (!file || !uefi_log_parse(bytes, &rules, &log, NULL))
        return;
    g_autoptr(GBytes) content = read_vector_file(tally, file);
    Bytes expected = bytes_of_gbytes(content);
    g_autofree UefiReplay *replay = uefi_replay(&log);
    g_autofree char *view = uefi_json_view(&log, replay);
    if (bytes_equal(expected, bytes_of_text(view)))
        return;
    g_autofree char *text = g_strndup((const char *)expected.data, expected.size);
    size_t same = 0;
    while (text[same] && text[same] == view[same])
        same++;
    size_t from = same > 60 ? same - 60 : 0;
    text[MIN(from + 120, expected.size)] = '\0';
    view[MIN(from + 120, strlen(view))] = '\0';
    expect_text(tally, "JSON view", text + from, view + from);
}

void check_event_log(Json *vector, Bytes bytes, Tally *tally)
{
    const UefiLogRules rules = UEFI_LOG_RULES_STRICT;
    const char *required = json_member_text(json_member(vector, "parse"), "required");
    UefiLog log;
    g_autoptr(GError) error = NULL;
    bool accepted = uefi_log_parse(bytes, &rules, &log, &error);
    if (g_strcmp0(required, "any") != 0)
        expect_verdict(tally, required, accepted, error ? error->message : NULL);
    check_json_view(vector, bytes, tally);
    if (!accepted || !json_member(vector, "pcrs"))
        return;
    check_banks(vector, &log, tally);
    g_autofree UefiReplay *replay = uefi_replay(&log);
    check_pcrs(json_member(vector, "pcrs"), replay, tally);
    check_boot_aggregates(json_member(vector, "boot_aggregates"), replay, tally);
}
