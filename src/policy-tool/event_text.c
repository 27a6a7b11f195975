/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-tool/event_text.h"

#include "base/encoding.h"
#include "evidence/uefi/data_digest.h"
#include "evidence/uefi/json_event.h"
#include "policy-tool/event_meaning.h"

#include <string.h>

static const char *binding_text(UefiDataBinding binding)
{
    switch (binding) {
    case UEFI_DATA_BOUND:
        return "the data hash to it";
    case UEFI_DATA_FALSE:
        return "THE DATA DO NOT HASH TO IT";
    case UEFI_DATA_UNBOUND:
        break;
    }
    return "of content that is not in the log";
}

/* The digest that a quote will most likely cover: SHA-256, or else the first one. */
static const UefiDigest *shown_digest(const UefiEvent *event)
{
    for (size_t i = 0; i < event->digest_count; i++)
        if (event->digest[i].algorithm == TPM_ALG_SHA256)
            return &event->digest[i];
    return event->digest_count > 0 ? &event->digest[0] : NULL;
}

static void append_digest(const UefiEvent *event, const UefiDigest *digest, GString *out)
{
    g_autofree char *name = uefi_json_algorithm(digest->algorithm);
    g_autofree char *hex = hex_encode(digest->value);
    g_string_append_printf(out, "      %s %s", name, hex);
    if (event->type == EV_NO_ACTION)
        g_string_append(out, " (extends nothing)\n");
    else
        g_string_append_printf(out, " (%s)\n",
                               binding_text(uefi_data_binding(event, digest->algorithm)));
}

/* The digest shown, and those of other banks that do not agree with the data. */
static void append_digests(const UefiEvent *event, GString *out)
{
    const UefiDigest *shown = shown_digest(event);
    for (size_t i = 0; i < event->digest_count; i++) {
        const UefiDigest *digest = &event->digest[i];
        bool known = uefi_bank_md(digest->algorithm) != NULL;
        if (digest == shown || (known && event->type != EV_NO_ACTION &&
                                uefi_data_binding(event, digest->algorithm) == UEFI_DATA_FALSE))
            append_digest(event, digest, out);
    }
}

static void append_event(const UefiEvent *event, GString *out)
{
    const char *name = uefi_event_type_name(event->type);
    g_autofree char *meaning = event_meaning(event);
    g_auto(GStrv) lines = g_strsplit(meaning, "\n", -1);
    g_string_append_printf(out, "%4zu  PCR %-2" G_GUINT32_FORMAT "  %s", event->number, event->pcr,
                           name);
    if (strncmp(name, "EV_", 3) != 0)
        g_string_append_printf(out, " 0x%08" G_GINT32_MODIFIER "x", event->type);
    g_string_append_c(out, '\n');
    for (char **line = lines; *line; line++)
        g_string_append_printf(out, "      %s\n", *line);
    append_digests(event, out);
}

static void append_header(const UefiLog *log, GString *out)
{
    g_string_append_printf(
        out, "Event log of TCG PC Client %u.%u errata %u, %zu bytes, %zu events, banks",
        log->version_major, log->version_minor, log->errata, log->bytes.size, log->event_count);
    for (size_t i = 0; i < log->bank_count; i++) {
        g_autofree char *name = uefi_json_algorithm(log->bank[i].algorithm);
        g_string_append_printf(out, " %s", name);
    }
    g_string_append(out, "\n\n");
}

static void append_bank(const UefiReplay *replay, uint16_t algorithm, GString *out)
{
    const UefiReplayBank *bank = uefi_replay_bank(replay, algorithm);
    if (!bank)
        return;
    g_string_append_printf(out, "\nPCRs of %s after these events\n", uefi_bank_name(algorithm));
    for (unsigned pcr = 0; pcr <= UEFI_LAST_PCR_UPSTREAM; pcr++) {
        if (!(bank->touched & UINT32_C(1) << pcr))
            continue;
        g_autofree char *hex = hex_encode(uefi_replay_pcr(replay, algorithm, pcr));
        g_string_append_printf(out, "%4u  %s\n", pcr, hex);
    }
}

char *event_log_text(const UefiLog *log, const UefiReplay *replay)
{
    GString *out = g_string_new(NULL);
    UefiLogCursor cursor = uefi_log_begin(log);
    UefiEvent event;
    append_header(log, out);
    while (uefi_log_next(&cursor, &event))
        append_event(&event, out);
    for (int i = 0; i < UEFI_BANK_COUNT; i++)
        append_bank(replay, uefi_bank_at(i), out);
    return g_string_free(out, FALSE);
}
