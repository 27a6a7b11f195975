/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/uefi/json_view.h"

#include "base/encoding.h"
#include "evidence/uefi/json_event.h"
#include "tpm/openssl.h"

static void append_value(GString *out, Json *value)
{
    g_autofree char *text = json_to_text(value);
    g_string_append(out, text);
    json_object_put(value);
}

static void append_events(GString *out, const UefiLog *log)
{
    UefiLogCursor cursor = uefi_log_begin(log);
    UefiEvent event;
    append_value(out, uefi_json_header(log));
    while (uefi_log_next(&cursor, &event)) {
        g_string_append_c(out, ',');
        append_value(out, uefi_json_event(&event));
    }
}

/* No JSON library has integers of this size. */
static void append_decimal(GString *out, Bytes value)
{
    g_autoptr(BIGNUM) number = BN_bin2bn(value.data, (int)value.size, NULL);
    char *text = BN_bn2dec(number);
    g_string_append(out, text);
    OPENSSL_free(text);
}

static void append_bank(GString *out, const UefiReplay *replay, uint16_t algorithm)
{
    const UefiReplayBank *bank = uefi_replay_bank(replay, algorithm);
    const char *separator = "";
    g_string_append_printf(out, "\"%s\":{", uefi_bank_name(algorithm));
    for (unsigned pcr = 0; pcr <= UEFI_LAST_PCR_UPSTREAM; pcr++) {
        if (!(bank->touched & UINT32_C(1) << pcr))
            continue;
        g_string_append_printf(out, "%s\"%u\":", separator, pcr);
        append_decimal(out, uefi_replay_pcr(replay, algorithm, pcr));
        separator = ",";
    }
    g_string_append_c(out, '}');
}

static void append_aggregates(GString *out, const UefiReplay *replay, uint16_t algorithm)
{
    uint8_t aggregate[UEFI_MAX_BOOT_AGGREGATES][TPM_MAX_DIGEST];
    size_t count = uefi_boot_aggregates(replay, algorithm, aggregate);
    g_string_append_printf(out, "\"%s\":[", uefi_bank_name(algorithm));
    for (size_t i = 0; i < count; i++) {
        g_autofree char *hex = hex_encode(bytes_of(aggregate[i], tpm_hash_size(algorithm)));
        g_string_append_printf(out, "%s\"%s\"", i > 0 ? "," : "", hex);
    }
    g_string_append_c(out, ']');
}

static void append_banks(GString *out, const UefiReplay *replay,
                         void (*append)(GString *, const UefiReplay *, uint16_t))
{
    const char *separator = "";
    g_string_append_c(out, '{');
    for (int i = 0; i < UEFI_BANK_COUNT; i++) {
        if (!uefi_replay_bank(replay, uefi_bank_at(i)))
            continue;
        g_string_append(out, separator);
        append(out, replay, uefi_bank_at(i));
        separator = ",";
    }
    g_string_append_c(out, '}');
}

char *uefi_json_view(const UefiLog *log, const UefiReplay *replay)
{
    GString *out = g_string_new("{\"version\":2,\"events\":[");
    append_events(out, log);
    g_string_append(out, "],\"pcrs\":");
    append_banks(out, replay, append_bank);
    g_string_append(out, ",\"boot_aggregates\":");
    append_banks(out, replay, append_aggregates);
    g_string_append_c(out, '}');
    return g_string_free(out, FALSE);
}
