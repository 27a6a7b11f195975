/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/uefi/boot_evaluation.h"

#include "base/encoding.h"
#include "evidence/uefi/bank.h"
#include "evidence/uefi/text.h"

#include <string.h>

/* After so many failures nobody reads on, and a hostile log must not cost more. */
#define MAX_FAILURES 32
/* Bytes of a text from a log that a failure shows. */
#define MAX_SHOWN 400

/* --- failures ------------------------------------------------------------------------------ */

/* Texts from a log as an operator may see them in a terminal: one line, no control characters. */
static char *shown(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, (gssize)strnlen(text, MAX_SHOWN));
    g_autoptr(GString) line = g_string_new(NULL);
    for (const char *at = valid; *at; at = g_utf8_next_char(at)) {
        gunichar character = g_utf8_get_char(at);
        if (g_unichar_iscntrl(character))
            g_string_append_printf(line, "\\x%02x", character);
        else
            g_string_append_unichar(line, character);
    }
    if (strlen(text) > MAX_SHOWN)
        g_string_append(line, "...");
    return g_string_free(g_steal_pointer(&line), FALSE);
}

static void add_failure(BootEvaluation *evaluation, Json *context, const char *expected,
                        const char *got)
{
    g_autofree char *expected_shown = expected ? shown(expected) : NULL;
    g_autofree char *got_shown = got ? shown(got) : NULL;
    json_add_text(context, "expected", expected_shown);
    json_add_text(context, "got", got_shown);
    verdict_fail(evaluation->verdict, evaluation->subject->event_id, context);
    evaluation->abandoned = ++evaluation->failures >= MAX_FAILURES;
}

void boot_fail(BootEvaluation *evaluation, const UefiEvent *event, const char *expected,
               const char *got, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *reason = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_autofree char *reason_shown = shown(reason);
    const char *type = uefi_event_type_name(event->type);
    g_autofree char *number = uefi_event_type_is_known(event->type)
                                  ? g_strdup("")
                                  : g_strdup_printf(" 0x%x", event->type);
    g_autofree char *message = g_strdup_printf("event %zu (PCR %u, %s%s): %s", event->number,
                                               event->pcr, type, number, reason_shown);
    Json *context = json_object_new_object();
    json_add_text(context, "message", message);
    json_add_int(context, "event", (gint64)event->number);
    json_add_int(context, "pcr", event->pcr);
    json_add_text(context, "event_type", type);
    add_failure(evaluation, context, expected, got);
}

void boot_fail_pcr(BootEvaluation *evaluation, unsigned pcr, const char *expected, const char *got,
                   const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *reason = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_autofree char *message = g_strdup_printf("PCR %u: %s", pcr, reason);
    Json *context = json_object_new_object();
    json_add_text(context, "message", message);
    json_add_int(context, "pcr", pcr);
    add_failure(evaluation, context, expected, got);
}

/* --- events -------------------------------------------------------------------------------- */

void boot_collect(BootEvaluation *evaluation, BootCollection collection, const UefiEvent *event)
{
    BootPlace place = {event->number, event->offset};
    g_array_append_val(evaluation->collected[collection], place);
}

void boot_event_at(const BootEvaluation *evaluation, BootPlace place, UefiEvent *event)
{
    UefiLogCursor cursor = {evaluation->subject->log, place.offset, place.number - 1};
    if (!uefi_log_next(&cursor, event))
        g_assert_not_reached(); /* it was read there before */
}

GString *boot_ipl_text(const UefiEvent *event)
{
    return uefi_text_is_utf8(event->data) ? uefi_text_transform(event->data) : NULL;
}

char *boot_ipl_shown(const UefiEvent *event)
{
    g_autoptr(GString) text = boot_ipl_text(event);
    return utf8_escape(text ? bytes_of(text->str, text->len) : event->data);
}

/* --- digests ------------------------------------------------------------------------------- */

/* The digests of an event that prove something: in the strict profile the one of the quoted bank
 * (rule P2), else all. Calls `matches` for each until one does. */
typedef bool (*DigestTest)(uint16_t algorithm, Bytes digest, const void *data);

static bool any_digest(const BootEvaluation *evaluation, const UefiEvent *event, DigestTest matches,
                       const void *data)
{
    const BootSubject *subject = evaluation->subject;
    if (subject->strict) {
        Bytes digest = uefi_event_digest(event, subject->bank);
        return digest.size > 0 && matches(subject->bank, digest, data);
    }
    for (size_t i = 0; i < event->digest_count; i++)
        if (matches(event->digest[i].algorithm, event->digest[i].value, data))
            return true;
    return false;
}

static bool equals_digest(uint16_t algorithm, Bytes digest, const void *data)
{
    return reference_digest_equals(data, algorithm, digest);
}

bool boot_event_has_digest(const BootEvaluation *evaluation, const UefiEvent *event,
                           const ReferenceDigest *digest)
{
    return any_digest(evaluation, event, equals_digest, digest);
}

static bool is_among(uint16_t algorithm, Bytes digest, const void *data)
{
    return reference_digests_hold(data, algorithm, digest);
}

bool boot_event_has_digest_of(const BootEvaluation *evaluation, const UefiEvent *event,
                              const GArray *digests)
{
    return any_digest(evaluation, event, is_among, digests);
}

static bool is_hash(uint16_t algorithm, Bytes digest, const void *data)
{
    const Bytes *bytes = data;
    const EVP_MD *md = uefi_bank_md(algorithm);
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned size;
    return md && EVP_Digest(bytes->data, bytes->size, hash, &size, md, NULL) == 1 &&
           bytes_equal(bytes_of(hash, size), digest);
}

bool boot_event_hashes(const BootEvaluation *evaluation, const UefiEvent *event, Bytes bytes)
{
    return any_digest(evaluation, event, is_hash, &bytes);
}

/* --- digests as texts ---------------------------------------------------------------------- */

char *boot_event_digest_text(const BootEvaluation *evaluation, const UefiEvent *event)
{
    uint16_t bank = evaluation->subject->bank;
    g_autofree char *hex = hex_encode(uefi_event_digest(event, bank));
    return g_strdup_printf("%s:%s", uefi_bank_name(bank), hex);
}

char *boot_digests_text(const BootEvaluation *evaluation, const ReferenceDigest *digests,
                        size_t count)
{
    uint16_t bank = evaluation->subject->bank;
    g_autoptr(GString) text = g_string_new(NULL);
    for (size_t i = 0; i < count; i++) {
        if (digests[i].size == 0 || (evaluation->subject->strict && digests[i].algorithm != bank))
            continue;
        g_autofree char *hex = hex_encode(bytes_of(digests[i].value, digests[i].size));
        g_string_append_printf(text, "%s%s:%s", text->len > 0 ? " or " : "",
                               uefi_bank_name(digests[i].algorithm), hex);
    }
    if (text->len == 0)
        g_string_printf(text, "no digest of the quoted bank %s is in the reference state",
                        uefi_bank_name(bank));
    return g_string_free(g_steal_pointer(&text), FALSE);
}
