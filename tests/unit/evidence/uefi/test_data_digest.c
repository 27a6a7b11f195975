/* SPDX-License-Identifier: Apache-2.0 */
/* Which data must hash to their digest, and how. */
#include "evidence/uefi/data_digest.h"

#include "log_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define GLOBAL_HEX "61dfe48bca93d211aa0d00e098032b8c"

/* The binding of an event with these data, whose digest covers `measured`. */
static UefiDataBinding binding_of(uint32_t pcr, uint32_t type, Bytes data, Bytes measured)
{
    const UefiLogRules rules = UEFI_LOG_RULES_STRICT;
    g_autoptr(GByteArray) bytes = log_builder_new();
    log_builder_add_measuring(bytes, pcr, type, data, measured);
    UefiLog log;
    g_autoptr(GError) error = NULL;
    if (!uefi_log_parse(bytes_of_array(bytes), &rules, &log, &error))
        fail_msg("%s", error->message);
    UefiLogCursor cursor = uefi_log_begin(&log);
    UefiEvent event;
    assert_true(uefi_log_next(&cursor, &event));
    assert_int_equal(uefi_data_binding(&event, TPM_ALG_SHA1),
                     uefi_data_binding(&event, TPM_ALG_SHA256));
    assert_int_equal(uefi_data_binding(&event, TPM_ALG_SHA384),
                     type == EV_NO_ACTION ? UEFI_DATA_UNBOUND : UEFI_DATA_FALSE);
    return uefi_data_binding(&event, TPM_ALG_SHA256);
}

static UefiDataBinding text_binding(uint32_t pcr, uint32_t type, const char *data,
                                    const char *measured)
{
    return binding_of(pcr, type, bytes_of_text(data), bytes_of_text(measured));
}

static void test_whole_event(void **state)
{
    assert_int_equal(text_binding(4, EV_EFI_ACTION, "Calling", "Calling"), UEFI_DATA_BOUND);
    assert_int_equal(text_binding(4, EV_EFI_ACTION, "Calling", "calling"), UEFI_DATA_FALSE);
    assert_int_equal(text_binding(0, EV_SEPARATOR, "0000", "0000"), UEFI_DATA_BOUND);
    assert_int_equal(text_binding(0, EV_S_CRTM_VERSION, "1", "2"), UEFI_DATA_FALSE);
    assert_int_equal(text_binding(12, EV_IPL, "quiet", "splash"), UEFI_DATA_FALSE);
}

static void test_content_that_is_not_logged(void **state)
{
    assert_int_equal(text_binding(9, EV_IPL, "/vmlinuz", "kernel"), UEFI_DATA_UNBOUND);
    assert_int_equal(text_binding(14, EV_IPL, "MokList", "keys"), UEFI_DATA_UNBOUND);
    assert_int_equal(text_binding(0, EV_POST_CODE, "ACPI DATA", "code"), UEFI_DATA_UNBOUND);
    assert_int_equal(text_binding(0, EV_NO_ACTION, "x", "x"), UEFI_DATA_UNBOUND);
    assert_int_equal(text_binding(13, EV_EVENT_TAG, "a", "b"), UEFI_DATA_UNBOUND);
    assert_int_equal(text_binding(13, EV_EVENT_TAG, "a", "a"), UEFI_DATA_BOUND);
}

static void test_commands_of_grub(void **state)
{
    Bytes logged = bytes_of("kernel_cmdline: /vmlinuz ro\0", 28);
    assert_int_equal(binding_of(8, EV_IPL, logged, bytes_of_text("/vmlinuz ro")), UEFI_DATA_BOUND);
    assert_int_equal(binding_of(8, EV_IPL, logged, bytes_of("/vmlinuz ro\0", 12)), UEFI_DATA_BOUND);
    assert_int_equal(binding_of(8, EV_IPL, logged, logged), UEFI_DATA_FALSE);
    assert_int_equal(text_binding(8, EV_IPL, "nospace", "nospace"), UEFI_DATA_FALSE);
    assert_int_equal(text_binding(8, EV_IPL, "grub_cmd: a", "b"), UEFI_DATA_FALSE);
    /* Old systemd-boot. */
    assert_int_equal(binding_of(8, EV_IPL, bytes_of("a\0 \0b\0", 6), bytes_of("a\0 \0b\0\0", 7)),
                     UEFI_DATA_BOUND);
    assert_int_equal(binding_of(8, EV_IPL, bytes_of("a\0 \0b\0", 6), bytes_of("\0b\0", 3)),
                     UEFI_DATA_FALSE);
}

static void test_mok_list_trusted(void **state)
{
    Bytes logged = bytes_of("MokListTrusted\0", 15);
    assert_int_equal(binding_of(14, EV_IPL, logged, bytes_of("\1", 1)), UEFI_DATA_BOUND);
    assert_int_equal(binding_of(14, EV_IPL, logged, bytes_of("\0", 1)), UEFI_DATA_BOUND);
    assert_int_equal(binding_of(14, EV_IPL, logged, bytes_of_text("a MokList")), UEFI_DATA_FALSE);
}

static void test_variables(void **state)
{
    static const uint8_t value[20] = {1, 2, 3};
    static const struct {
        uint32_t type;
        const char *name;
        UefiDataBinding value_alone, other;
    } cases[] = {
        {EV_EFI_VARIABLE_DRIVER_CONFIG, "dbt", UEFI_DATA_FALSE, UEFI_DATA_FALSE},
        {EV_EFI_VARIABLE_BOOT, "Other", UEFI_DATA_BOUND, UEFI_DATA_UNBOUND},
        {EV_EFI_VARIABLE_AUTHORITY, "SbatLevel", UEFI_DATA_FALSE, UEFI_DATA_FALSE},
        {EV_EFI_VARIABLE_AUTHORITY, "vendor_db", UEFI_DATA_FALSE, UEFI_DATA_FALSE},
        {EV_EFI_VARIABLE_AUTHORITY, "Shim", UEFI_DATA_UNBOUND, UEFI_DATA_UNBOUND},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GByteArray) variable =
            log_builder_variable(GLOBAL_HEX, cases[i].name, BYTES_OF_ARRAY(value));
        Bytes data = bytes_of_array(variable);
        assert_int_equal(binding_of(7, cases[i].type, data, data), UEFI_DATA_BOUND);
        assert_int_equal(binding_of(7, cases[i].type, data, BYTES_OF_ARRAY(value)),
                         cases[i].value_alone);
        assert_int_equal(binding_of(7, cases[i].type, data, bytes_of_text("other")),
                         cases[i].other);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_event),      cmocka_unit_test(test_content_that_is_not_logged),
        cmocka_unit_test(test_commands_of_grub), cmocka_unit_test(test_mok_list_trusted),
        cmocka_unit_test(test_variables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
