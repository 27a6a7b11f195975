/* SPDX-License-Identifier: Apache-2.0 */
#include "base/encoding.h"
#include "evidence/uefi/replay.h"

#include "uefi_readers.h"

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

void check_event_log(Json *vector, Bytes bytes, Tally *tally)
{
    const UefiLogRules rules = UEFI_LOG_RULES_STRICT;
    const char *required = json_member_text(json_member(vector, "parse"), "required");
    UefiLog log;
    g_autoptr(GError) error = NULL;
    bool accepted = uefi_log_parse(bytes, &rules, &log, &error);
    if (g_strcmp0(required, "any") != 0)
        expect_verdict(tally, required, accepted, error ? error->message : NULL);
    if (!accepted || !json_member(vector, "pcrs"))
        return;
    check_banks(vector, &log, tally);
    g_autofree UefiReplay *replay = uefi_replay(&log);
    check_pcrs(json_member(vector, "pcrs"), replay, tally);
    check_boot_aggregates(json_member(vector, "boot_aggregates"), replay, tally);
}
