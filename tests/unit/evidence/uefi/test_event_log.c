/* SPDX-License-Identifier: Apache-2.0 */
/* Framing of event logs: what is read, what each rule refuses and with which words. */
#include "evidence/uefi/event_log.h"

#include "log_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const UefiLogRules strict = UEFI_LOG_RULES_STRICT, upstream = UEFI_LOG_RULES_UPSTREAM;
static const uint8_t zeros[4];

static void assert_refused(const GByteArray *log, const UefiLogRules *rules, UefiLogError code,
                           const char *message)
{
    UefiLog out;
    g_autoptr(GError) error = NULL;
    assert_false(uefi_log_parse(bytes_of_array(log), rules, &out, &error));
    assert_true(g_error_matches(error, UEFI_LOG_ERROR, (gint)code));
    assert_string_equal(error->message, message);
}

static void assert_accepted(const GByteArray *log, const UefiLogRules *rules, UefiLog *out)
{
    g_autoptr(GError) error = NULL;
    if (!uefi_log_parse(bytes_of_array(log), rules, out, &error))
        fail_msg("%s", error->message);
}

static void test_reads_header_and_events(void **state)
{
    g_autoptr(GByteArray) bytes = log_builder_new();
    log_builder_add(bytes, 4, EV_EFI_ACTION, bytes_of_text("Calling EFI Application"));
    log_builder_add(bytes, 7, EV_SEPARATOR, BYTES_OF_ARRAY(zeros));
    UefiLog log;
    assert_accepted(bytes, &strict, &log);
    assert_int_equal(log.bank_count, 2);
    assert_int_equal(log.version_major, 2);
    assert_int_equal(log.event_count, 2);
    UefiLogCursor cursor = uefi_log_begin(&log);
    UefiEvent event;
    assert_true(uefi_log_next(&cursor, &event));
    assert_int_equal(event.number, 1);
    assert_int_equal(event.offset, log.first_event);
    assert_int_equal(event.pcr, 4);
    assert_true(bytes_equal(event.data, bytes_of_text("Calling EFI Application")));
    assert_int_equal(uefi_event_digest(&event, TPM_ALG_SHA256).size, 32);
    assert_int_equal(uefi_event_digest(&event, TPM_ALG_SHA384).size, 0);
    assert_true(uefi_log_next(&cursor, &event));
    assert_int_equal(event.number, 2);
    assert_string_equal(uefi_event_type_name(event.type), "EV_SEPARATOR");
    assert_false(uefi_log_next(&cursor, &event));
    assert_false(uefi_log_next(&cursor, &event));
}

static void test_refuses_what_is_no_log(void **state)
{
    g_autoptr(GByteArray) empty = g_byte_array_new();
    assert_refused(empty, &strict, UEFI_LOG_ERROR_SYNTAX,
                   "offset 0: 0 bytes are too few for a header event");
    g_autoptr(GByteArray) bytes = log_builder_new();
    assert_refused(bytes, &strict, UEFI_LOG_ERROR_SYNTAX,
                   "offset 69: no measurement follows the header event");
    bytes->data[4] = EV_SEPARATOR;
    assert_refused(bytes, &upstream, UEFI_LOG_ERROR_SYNTAX,
                   "offset 4: no Spec ID header event: a SHA-1 log of the old form, or no log");
}

static void test_header_describes_itself(void **state)
{
    const uint16_t twice[] = {TPM_ALG_SHA256, TPM_ALG_SHA256};
    g_autoptr(GByteArray) bytes = log_builder_new_with(twice, 2);
    UefiLog log;
    assert_refused(bytes, &strict, UEFI_LOG_ERROR_SYNTAX,
                   "offset 64: algorithm 0x000b is declared twice");
    assert_accepted(bytes, &upstream, &log);
    uint16_t many[17];
    for (size_t i = 0; i < 17; i++)
        many[i] = TPM_ALG_SHA256;
    g_autoptr(GByteArray) long_header = log_builder_new_with(many, 17);
    assert_refused(long_header, &upstream, UEFI_LOG_ERROR_LIMIT,
                   "offset 56: 17 algorithms are declared; at most 16 are read");
    g_autoptr(GByteArray) signature = log_builder_new();
    signature->data[46] = '2';
    assert_refused(signature, &strict, UEFI_LOG_ERROR_SYNTAX,
                   "offset 32: the signature is not \"Spec ID Event03\"");
    assert_accepted(signature, &upstream, &log);
}

/* An event with the digests of `algorithms`. */
static GByteArray *log_with_digests(const uint16_t *algorithms, uint32_t count)
{
    GByteArray *bytes = log_builder_new();
    log_builder_add_frame(bytes, 7, EV_SEPARATOR, count);
    for (uint32_t i = 0; i < count; i++)
        log_builder_add_digest(bytes, algorithms[i], BYTES_OF_ARRAY(zeros));
    log_builder_add_data(bytes, BYTES_OF_ARRAY(zeros));
    return bytes;
}

static void test_each_bank_once(void **state)
{
    const uint16_t doubled[] = {TPM_ALG_SHA256, TPM_ALG_SHA256};
    const uint16_t foreign[] = {TPM_ALG_SHA1, TPM_ALG_SHA384};
    g_autoptr(GByteArray) one = log_with_digests(doubled, 1);
    g_autoptr(GByteArray) two = log_with_digests(doubled, 2);
    g_autoptr(GByteArray) other = log_with_digests(foreign, 2);
    UefiLog log;
    assert_refused(one, &strict, UEFI_LOG_ERROR_SYNTAX,
                   "event 1 at offset 69: the number of digests is not that of the header");
    assert_refused(two, &strict, UEFI_LOG_ERROR_SYNTAX,
                   "event 1 at offset 69: two digests of one algorithm");
    assert_refused(other, &strict, UEFI_LOG_ERROR_SYNTAX,
                   "event 1 at offset 69: a digest of an algorithm that the header does not "
                   "declare");
    assert_accepted(one, &upstream, &log);
    assert_accepted(two, &upstream, &log);
    assert_accepted(other, &upstream, &log);
}

static void test_hostile_counts_and_sizes(void **state)
{
    g_autoptr(GByteArray) count = log_builder_new();
    log_builder_add_frame(count, 7, EV_SEPARATOR, G_MAXUINT32);
    assert_refused(count, &upstream, UEFI_LOG_ERROR_SYNTAX,
                   "event 1 at offset 69: the digests do not fit");
    g_autoptr(GByteArray) digests = log_builder_new();
    log_builder_add_frame(digests, 7, EV_SEPARATOR, UEFI_EVENT_MAX_DIGESTS + 1);
    for (unsigned i = 0; i <= UEFI_EVENT_MAX_DIGESTS; i++)
        log_builder_add_digest(digests, TPM_ALG_SHA1, BYTES_OF_ARRAY(zeros));
    log_builder_add_data(digests, BYTES_EMPTY);
    assert_refused(digests, &upstream, UEFI_LOG_ERROR_LIMIT,
                   "event 1 at offset 69: more digests than are read for one event");
    g_autoptr(GByteArray) size = log_builder_new();
    log_builder_add_frame(size, 7, EV_SEPARATOR, 0);
    append_u32_le(size, G_MAXUINT32);
    assert_refused(size, &upstream, UEFI_LOG_ERROR_SYNTAX,
                   "event 1 at offset 69: the event's data do not fit");
}

static void test_limits(void **state)
{
    g_autoptr(GByteArray) bytes = log_builder_new();
    log_builder_add(bytes, 7, EV_SEPARATOR, BYTES_OF_ARRAY(zeros));
    log_builder_add(bytes, 6, EV_SEPARATOR, BYTES_OF_ARRAY(zeros));
    UefiLogRules few = {UEFI_LOG_MAX_SIZE, 1, true}, small = {100, 10, true};
    assert_refused(bytes, &few, UEFI_LOG_ERROR_LIMIT,
                   "event 2 at offset 145: more events than the limit allows");
    assert_refused(bytes, &small, UEFI_LOG_ERROR_LIMIT,
                   "offset 100: the log has 221 bytes, more than the limit of 100");
    UefiLog log;
    g_autoptr(GError) error = NULL;
    uefi_log_parse(bytes_of_array(bytes), &few, &log, &error);
    assert_string_equal(uefi_log_error_event_id(error), "measured_boot.parser.limit");
}

static void test_pcr_numbers(void **state)
{
    UefiLog log;
    g_autoptr(GByteArray) high = log_builder_new();
    log_builder_add(high, 24, EV_IPL, BYTES_OF_ARRAY(zeros));
    assert_refused(high, &strict, UEFI_LOG_ERROR_SYNTAX,
                   "event 1 at offset 69: there is no such PCR");
    assert_accepted(high, &upstream, &log);
    /* Windows writes an EV_NO_ACTION into PCR 0xFFFFFFFF. */
    g_autoptr(GByteArray) none = log_builder_new();
    log_builder_add(none, G_MAXUINT32, EV_NO_ACTION, BYTES_OF_ARRAY(zeros));
    assert_accepted(none, &strict, &log);
}

static void test_every_cut_is_refused(void **state)
{
    g_autoptr(GByteArray) bytes = log_builder_new();
    log_builder_add(bytes, 7, EV_SEPARATOR, BYTES_OF_ARRAY(zeros));
    for (size_t size = 0; size < bytes->len; size++) {
        g_autofree uint8_t *copy = g_memdup2(bytes->data, size);
        UefiLog log;
        g_autoptr(GError) error = NULL;
        assert_false(uefi_log_parse(bytes_of(copy, size), &strict, &log, &error));
        assert_string_equal(uefi_log_error_event_id(error),
                            "measured_boot.parser.tpm2_eventlog.error");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_header_and_events),
        cmocka_unit_test(test_refuses_what_is_no_log),
        cmocka_unit_test(test_header_describes_itself),
        cmocka_unit_test(test_each_bank_once),
        cmocka_unit_test(test_hostile_counts_and_sizes),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_pcr_numbers),
        cmocka_unit_test(test_every_cut_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
