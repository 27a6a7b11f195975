/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/uefi/event_log.h"

#include "evidence/uefi/bank.h"
#include "evidence/uefi/event_data.h"

#include <string.h>

enum { HEADER_DIGEST_SIZE = 20, SIGNATURE_SIZE = 16, MIN_SPEC_ID_SIZE = 28 };

static const uint8_t spec_id_signature[SIGNATURE_SIZE] = "Spec ID Event03";

G_DEFINE_QUARK(uefi - log - error - quark, uefi_log_error)

const char *uefi_log_error_event_id(const GError *error)
{
    return g_error_matches(error, UEFI_LOG_ERROR, UEFI_LOG_ERROR_LIMIT)
               ? "measured_boot.parser.limit"
               : "measured_boot.parser.tpm2_eventlog.error";
}

/* --- header event (measured-boot §4.1) ---------------------------------------------------------*/

static size_t offset_of(const UefiLog *log, const Reader *reader)
{
    return log->bytes.size - reader->rest.size;
}

static bool G_GNUC_PRINTF(4, 5)
    refuse(GError **error, UefiLogError code, size_t offset, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *reason = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, UEFI_LOG_ERROR, code, "offset %zu: %s", offset, reason);
    return false;
}

#define refuse_syntax(error, offset, ...) refuse(error, UEFI_LOG_ERROR_SYNTAX, offset, __VA_ARGS__)

/* The legacy frame around the Spec ID: PCR 0, EV_NO_ACTION, a zero SHA-1 digest, the size. */
static bool read_header_frame(Reader *reader, UefiLog *log, GError **error)
{
    uint32_t pcr, type;
    Bytes digest;
    if (!reader_u32_le(reader, &pcr) || !reader_u32_le(reader, &type) ||
        !reader_take(reader, HEADER_DIGEST_SIZE, &digest) ||
        !reader_u32_le(reader, &log->header_size))
        return refuse_syntax(error, 0, "%zu bytes are too few for a header event", log->bytes.size);
    if (type != EV_NO_ACTION)
        return refuse_syntax(error, 4,
                             "no Spec ID header event: a SHA-1 log of the old form, or no log");
    if (pcr != 0)
        return refuse_syntax(error, 0, "the header event is in PCR %" G_GUINT32_FORMAT, pcr);
    if (!bytes_are_zero(digest))
        return refuse_syntax(error, 8, "the header event has a digest");
    if (log->header_size < MIN_SPEC_ID_SIZE || log->header_size > reader->rest.size)
        return refuse_syntax(error, 28,
                             "a header event of %" G_GUINT32_FORMAT " bytes, with %zu left",
                             log->header_size, reader->rest.size);
    return true;
}

static bool check_bank(const UefiLog *log, UefiBank bank, bool strict, size_t offset,
                       GError **error)
{
    size_t known = uefi_bank_digest_size(bank.algorithm);
    if (known == 0 && (bank.digest_size == 0 || bank.digest_size > TPM_MAX_DIGEST))
        return refuse_syntax(error, offset, "algorithm 0x%04x with digests of %u bytes",
                             bank.algorithm, bank.digest_size);
    if (!strict)
        return true;
    if (known != 0 && bank.digest_size != known)
        return refuse_syntax(error, offset, "digests of %s with %u bytes",
                             uefi_bank_name(bank.algorithm), bank.digest_size);
    if (uefi_log_bank_index(log, bank.algorithm) >= 0)
        return refuse_syntax(error, offset, "algorithm 0x%04x is declared twice", bank.algorithm);
    return true;
}

static bool read_banks(Reader *reader, UefiLog *log, bool strict, GError **error)
{
    uint32_t count;
    size_t offset = offset_of(log, reader);
    if (!reader_u32_le(reader, &count) || count == 0 || count > reader->rest.size / 4)
        return refuse_syntax(error, offset, "the number of algorithms is 0 or does not fit");
    if (count > UEFI_LOG_MAX_BANKS)
        return refuse(error, UEFI_LOG_ERROR_LIMIT, offset,
                      "%" G_GUINT32_FORMAT " algorithms are declared; at most %d are read", count,
                      UEFI_LOG_MAX_BANKS);
    for (; count > 0; count--) {
        UefiBank bank;
        offset = offset_of(log, reader);
        if (!reader_u16_le(reader, &bank.algorithm) || !reader_u16_le(reader, &bank.digest_size))
            return refuse_syntax(error, offset, "the algorithms do not fit");
        if (!check_bank(log, bank, strict, offset, error))
            return false;
        log->bank[log->bank_count++] = bank;
    }
    return true;
}

static bool read_header(Reader *reader, UefiLog *log, bool strict, GError **error)
{
    if (!read_header_frame(reader, log, error))
        return false;
    size_t start = offset_of(log, reader);
    if (!reader_take(reader, SIGNATURE_SIZE, &log->signature) ||
        !reader_u32_le(reader, &log->platform_class) || !reader_u8(reader, &log->version_minor) ||
        !reader_u8(reader, &log->version_major) || !reader_u8(reader, &log->errata) ||
        !reader_u8(reader, &log->uintn_size))
        return refuse_syntax(error, start, "the Spec ID does not fit");
    if (strict && !bytes_equal(log->signature, BYTES_OF_ARRAY(spec_id_signature)))
        return refuse_syntax(error, start, "the signature is not \"Spec ID Event03\"");
    if (!read_banks(reader, log, strict, error))
        return false;
    uint8_t size;
    size_t offset = offset_of(log, reader);
    if (!reader_u8(reader, &size) || !reader_take(reader, size, &log->vendor_info))
        return refuse_syntax(error, offset, "the vendor information does not fit");
    log->first_event = offset_of(log, reader);
    if (strict && log->first_event - start != log->header_size)
        return refuse_syntax(
            error, 28, "a header event of %" G_GUINT32_FORMAT " bytes whose content takes %zu",
            log->header_size, log->first_event - start);
    return true;
}

/* --- measurement events (measured-boot §4.2) ---------------------------------------------------*/

/* Upstream goes by its own table, so a known algorithm has its known size whatever the header
 * says; others have the size that the header declares. 0 when neither knows it. */
static size_t digest_size(const UefiLog *log, uint16_t algorithm)
{
    size_t known = uefi_bank_digest_size(algorithm);
    int bank = known ? -1 : uefi_log_bank_index(log, algorithm);
    return bank < 0 ? known : log->bank[bank].digest_size;
}

static const char *take_digests(const UefiLog *log, Reader *reader, size_t count, UefiEvent *event)
{
    for (size_t i = 0; i < count; i++) {
        UefiDigest *digest = &event->digest[i];
        if (!reader_u16_le(reader, &digest->algorithm))
            return "the digests do not fit";
        size_t size = digest_size(log, digest->algorithm);
        if (size == 0)
            return "a digest of an algorithm that the header does not declare";
        if (!reader_take(reader, size, &digest->value))
            return "the digests do not fit";
    }
    event->digest_count = count;
    return NULL;
}

/* One event's frame. NULL, or why there is none; the reader then stands anywhere. */
static const char *take_event(const UefiLog *log, Reader *reader, UefiEvent *event,
                              UefiLogError *code)
{
    uint32_t count, size;
    *code = UEFI_LOG_ERROR_SYNTAX;
    event->offset = offset_of(log, reader);
    if (!reader_u32_le(reader, &event->pcr) || !reader_u32_le(reader, &event->type) ||
        !reader_u32_le(reader, &count))
        return "too few bytes are left for an event";
    if (count > reader->rest.size / 2)
        return "the digests do not fit";
    if (count > UEFI_EVENT_MAX_DIGESTS) {
        *code = UEFI_LOG_ERROR_LIMIT;
        return "more digests than are read for one event";
    }
    const char *problem = take_digests(log, reader, count, event);
    if (problem)
        return problem;
    if (!reader_u32_le(reader, &size) || !reader_take(reader, size, &event->data))
        return "the event's data do not fit";
    return NULL;
}

/* Rule P1 for one event: each declared bank once, and none else. */
static const char *check_strict(const UefiLog *log, const UefiEvent *event)
{
    uint32_t seen = 0;
    bool measured = event->type != EV_NO_ACTION;
    if (measured ? event->digest_count != log->bank_count : event->digest_count > log->bank_count)
        return "the number of digests is not that of the header";
    for (size_t i = 0; i < event->digest_count; i++) {
        int bank = uefi_log_bank_index(log, event->digest[i].algorithm);
        if (bank < 0)
            return "a digest of an algorithm that the header does not declare";
        if (seen & UINT32_C(1) << bank)
            return "two digests of one algorithm";
        seen |= UINT32_C(1) << bank;
    }
    return NULL;
}

static const char *check_event(const UefiLog *log, const UefiEvent *event, bool strict)
{
    uint32_t last = strict ? UEFI_LAST_PCR : UEFI_LAST_PCR_UPSTREAM;
    if (event->type != EV_NO_ACTION && event->pcr > last)
        return "there is no such PCR";
    const char *problem = strict ? check_strict(log, event) : NULL;
    return problem ? problem : uefi_event_data_check(event);
}

static bool refuse_event(GError **error, UefiLogError code, const UefiEvent *event,
                         const char *reason)
{
    g_set_error(error, UEFI_LOG_ERROR, code, "event %zu at offset %zu: %s", event->number,
                event->offset, reason);
    return false;
}

static bool check_events(UefiLog *log, Reader reader, const UefiLogRules *rules, GError **error)
{
    UefiEvent event;
    while (!reader_at_end(&reader)) {
        UefiLogError code;
        event.number = log->event_count + 1;
        const char *problem = take_event(log, &reader, &event, &code);
        if (problem)
            return refuse_event(error, code, &event, problem);
        if (event.number > rules->max_events)
            return refuse_event(error, UEFI_LOG_ERROR_LIMIT, &event,
                                "more events than the limit allows");
        problem = check_event(log, &event, rules->strict);
        if (problem)
            return refuse_event(error, UEFI_LOG_ERROR_SYNTAX, &event, problem);
        log->event_count++;
    }
    return true;
}

bool uefi_log_parse(Bytes bytes, const UefiLogRules *rules, UefiLog *log, GError **error)
{
    *log = (UefiLog){.bytes = bytes};
    if (bytes.size > rules->max_size)
        return refuse(error, UEFI_LOG_ERROR_LIMIT, rules->max_size,
                      "the log has %zu bytes, more than the limit of %zu", bytes.size,
                      rules->max_size);
    Reader reader = reader_of(bytes);
    if (!read_header(&reader, log, rules->strict, error) ||
        !check_events(log, reader, rules, error))
        return false;
    if (rules->strict && log->event_count == 0)
        return refuse_syntax(error, bytes.size, "no measurement follows the header event");
    return true;
}

/* --- walking -----------------------------------------------------------------------------------*/

UefiLogCursor uefi_log_begin(const UefiLog *log)
{
    return (UefiLogCursor){log, log->first_event, 0};
}

bool uefi_log_next(UefiLogCursor *cursor, UefiEvent *event)
{
    const UefiLog *log = cursor->log;
    UefiLogError code;
    Reader reader =
        reader_of(bytes_of(log->bytes.data + cursor->offset, log->bytes.size - cursor->offset));
    if (reader_at_end(&reader) || take_event(log, &reader, event, &code))
        return false;
    event->number = ++cursor->number;
    cursor->offset = offset_of(log, &reader);
    return true;
}

Bytes uefi_event_digest(const UefiEvent *event, uint16_t algorithm)
{
    for (size_t i = 0; i < event->digest_count; i++)
        if (event->digest[i].algorithm == algorithm)
            return event->digest[i].value;
    return BYTES_EMPTY;
}

int uefi_log_bank_index(const UefiLog *log, uint16_t algorithm)
{
    for (size_t i = 0; i < log->bank_count; i++)
        if (log->bank[i].algorithm == algorithm)
            return (int)i;
    return -1;
}
