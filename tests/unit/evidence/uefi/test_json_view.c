/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON view where the vectors have no example: odd texts, unknown banks, empty events. */
#include "evidence/uefi/json_view.h"

#include "base/json.h"
#include "evidence/uefi/json_event.h"
#include "log_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Text of the first event's member `Event`; NULL when it is absent. */
static char *event_text_of(uint32_t pcr, uint32_t type, Bytes data)
{
    const UefiLogRules rules = UEFI_LOG_RULES_STRICT;
    g_autoptr(GByteArray) bytes = log_builder_new();
    log_builder_add(bytes, pcr, type, data);
    UefiLog log;
    g_autoptr(GError) error = NULL;
    if (!uefi_log_parse(bytes_of_array(bytes), &rules, &log, &error))
        fail_msg("%s", error->message);
    UefiLogCursor cursor = uefi_log_begin(&log);
    UefiEvent event;
    assert_true(uefi_log_next(&cursor, &event));
    g_autoptr(Json) object = uefi_json_event(&event);
    Json *member = json_member(object, "Event");
    return member ? json_to_text(member) : NULL;
}

static void assert_event(uint32_t type, Bytes data, const char *expected)
{
    g_autofree char *text = event_text_of(8, type, data);
    if (expected)
        assert_string_equal(text, expected);
    else
        assert_null(text);
}

static void test_texts(void **state)
{
    assert_event(EV_IPL, bytes_of("a\0b\xff", 4), "{\"String\":\"a\\u0000b\xef\xbf\xbd\"}");
    assert_event(EV_IPL, bytes_of_text("say \"hi\""), "{\"String\":\"say \\\"hi\\\"\"}");
    assert_event(EV_EFI_ACTION, bytes_of("one\nevents:\0two", 15), "\"one\\nevents:\"");
    assert_event(EV_POST_CODE, bytes_of("ACPI DATA\0", 10), "\"ACPI DATA\"");
    assert_event(EV_IPL, BYTES_EMPTY, NULL);
}

static void test_bytes_are_cut(void **state)
{
    static const uint8_t zeros[2000];
    g_autofree char *text = event_text_of(1, EV_EFI_HANDOFF_TABLES, BYTES_OF_ARRAY(zeros));
    assert_int_equal(strlen(text), 2 + 2 * 1024);
    assert_event(EV_SEPARATOR, bytes_of(zeros, 4), "\"00000000\"");
}

static void test_unknown_bank(void **state)
{
    static const uint8_t digest[16] = {1};
    const UefiLogRules rules = UEFI_LOG_RULES_STRICT;
    const uint16_t algorithms[] = {0x0050};
    g_autoptr(GByteArray) bytes = log_builder_new_with(algorithms, 1);
    bytes->data[62] = sizeof digest; /* the header declares the size of what nobody knows */
    log_builder_add_frame(bytes, 7, EV_SEPARATOR, 1);
    append_u16_le(bytes, 0x0050);
    bytes_append(bytes, BYTES_OF_ARRAY(digest));
    log_builder_add_data(bytes, BYTES_EMPTY);
    UefiLog log;
    g_autoptr(GError) error = NULL;
    if (!uefi_log_parse(bytes_of_array(bytes), &rules, &log, &error))
        fail_msg("%s", error->message);
    g_autofree UefiReplay *replay = uefi_replay(&log);
    g_autofree char *view = uefi_json_view(&log, replay);
    assert_non_null(strstr(view, "\"AlgorithmId\":\"0x0050\",\"Digest\":\"0100000000000000"));
    assert_true(g_str_has_suffix(view, ",\"pcrs\":{},\"boot_aggregates\":{}}"));
}

static void test_numbers_beyond_64_bits(void **state)
{
    const UefiLogRules rules = UEFI_LOG_RULES_STRICT;
    const uint16_t algorithms[] = {TPM_ALG_SHA1};
    g_autoptr(GByteArray) bytes = log_builder_new_with(algorithms, 1);
    log_builder_add_frame(bytes, 7, EV_SEPARATOR, 1);
    log_builder_add_digest(bytes, TPM_ALG_SHA1, BYTES_EMPTY);
    log_builder_add_data(bytes, BYTES_EMPTY);
    UefiLog log;
    assert_true(uefi_log_parse(bytes_of_array(bytes), &rules, &log, NULL));
    g_autofree UefiReplay *replay = uefi_replay(&log);
    g_autofree char *view = uefi_json_view(&log, replay);
    /* SHA-1 of twenty zeros and the SHA-1 of nothing, as a number. */
    assert_non_null(strstr(
        view, "\"pcrs\":{\"sha1\":{\"7\":283372459103385605701588534366860289615261464400}}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_bytes_are_cut),
        cmocka_unit_test(test_unknown_bank),
        cmocka_unit_test(test_numbers_beyond_64_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
