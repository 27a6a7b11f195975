/* SPDX-License-Identifier: Apache-2.0 */
/* Reference states from logs, where the vectors have no example: gaps, repetitions, odd names. */
#include "policy-tool/boot_reference.h"

#include "log_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define GLOBAL_HEX "61dfe48bca93d211aa0d00e098032b8c"

static void add_variable(GByteArray *log, uint32_t type, const char *name, Bytes data)
{
    g_autoptr(GByteArray) variable = log_builder_variable(GLOBAL_HEX, name, data);
    log_builder_add(log, 7, type, bytes_of_array(variable));
}

static void add_secure_boot(GByteArray *log, uint8_t value)
{
    add_variable(log, EV_EFI_VARIABLE_DRIVER_CONFIG, "SecureBoot", bytes_of(&value, 1));
}

/* A list with one entry whose data are `letters`. */
static void add_keys(GByteArray *log, const char *name, const char *letters)
{
    static const uint8_t zeros[16];
    uint32_t size = 16 + (uint32_t)strlen(letters);
    g_autoptr(GByteArray) list = g_byte_array_new();
    bytes_append(list, BYTES_OF_ARRAY(zeros));
    append_u32_le(list, 28 + size);
    append_u32_le(list, 0);
    append_u32_le(list, size);
    bytes_append(list, BYTES_OF_ARRAY(zeros));
    bytes_append(list, bytes_of_text(letters));
    add_variable(log, EV_EFI_VARIABLE_DRIVER_CONFIG, name, bytes_of_array(list));
}

static void add_application(GByteArray *log)
{
    static const uint8_t image[32];
    log_builder_add(log, 4, EV_EFI_BOOT_SERVICES_APPLICATION, BYTES_OF_ARRAY(image));
}

/* The reference state as text, or what was said against it; `warnings` may be NULL. */
static char *create(const GByteArray *bytes, bool without_secureboot, GPtrArray *warnings)
{
    const UefiLogRules rules = UEFI_LOG_RULES_STRICT;
    g_autoptr(GPtrArray) own = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;
    UefiLog log;
    if (!uefi_log_parse(bytes_of_array(bytes), &rules, &log, &error))
        fail_msg("%s", error->message);
    g_autoptr(Json) reference =
        boot_reference_create(&log, without_secureboot, warnings ? warnings : own, &error);
    assert_true((reference == NULL) == (error != NULL));
    return reference ? json_to_text(reference) : g_strdup(error->message);
}

static void assert_warned(const GPtrArray *warnings, const char *words)
{
    for (guint i = 0; i < warnings->len; i++)
        if (strstr(g_ptr_array_index(warnings, i), words))
            return;
    fail_msg("no warning says: %s", words);
}

static void test_secure_boot(void **state)
{
    g_autoptr(GByteArray) off = log_builder_new();
    g_autoptr(GByteArray) on = log_builder_new();
    add_secure_boot(off, 0);
    add_secure_boot(off, 1); /* the first one counts */
    g_autofree char *refused = create(off, false, NULL);
    assert_non_null(strstr(refused, "Secure Boot is off"));
    g_autofree char *allowed = create(off, true, NULL);
    assert_true(g_str_has_prefix(allowed, "{\"has_secureboot\":false,"));
    add_secure_boot(on, 1);
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *accepted = create(on, true, warnings);
    assert_true(g_str_has_prefix(accepted, "{\"has_secureboot\":true,"));
    assert_warned(warnings, "has no effect");
}

static void test_keys(void **state)
{
    g_autoptr(GByteArray) log = log_builder_new();
    add_secure_boot(log, 1);
    add_keys(log, "PK", "first");
    add_keys(log, "pK", "last"); /* case does not matter, and the last event counts */
    add_variable(log, EV_EFI_VARIABLE_DRIVER_CONFIG, "dbx", BYTES_EMPTY);
    g_autofree char *text = create(log, false, NULL);
    assert_non_null(strstr(text, "\"pk\":[{\"SignatureOwner\":\"00000000-0000-0000-0000-"
                                 "000000000000\",\"SignatureData\":\"0x6c617374\"}],\"kek\":[],"
                                 "\"db\":[],\"dbx\":[],\"vendor_db\":[]"));
}

static void test_list_without_keys(void **state)
{
    static const uint8_t list[28] = {[16] = 28, [24] = 48};
    g_autoptr(GByteArray) log = log_builder_new();
    add_secure_boot(log, 1);
    add_variable(log, EV_EFI_VARIABLE_DRIVER_CONFIG, "KEK", BYTES_OF_ARRAY(list));
    g_autofree char *text = create(log, false, NULL);
    assert_string_equal(text, "a signature list of PK, KEK, db or dbx holds no keys");
}

static void test_gaps_are_told(void **state)
{
    g_autoptr(GByteArray) log = log_builder_new();
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    add_application(log);
    g_autofree char *one = create(log, true, warnings);
    assert_null(strstr(one, "\"kernels\""));
    assert_warned(warnings, "no SecureBoot variable");
    assert_warned(warnings, "no EV_S_CRTM_VERSION");
    assert_warned(warnings, "1 boot applications instead of 2");
    add_application(log);
    g_autofree char *two = create(log, true, warnings);
    assert_non_null(strstr(two, "\"kernels\":[{\"shim_authcode_sha256\":\"0x"));
    assert_warned(warnings, "no initrd in PCR 9");
    assert_warned(warnings, "no vmlinuz in PCR 9");
    assert_warned(warnings, "no kernel_cmdline in PCR 8");
}

static void test_command_line_is_a_pattern(void **state)
{
    g_autoptr(GByteArray) log = log_builder_new();
    add_application(log);
    add_application(log);
    log_builder_add(log, 8, EV_IPL, bytes_of_text("kernel_cmdline: a.b c_d=\xc3\xa4|/*"));
    log_builder_add(log, 8, EV_IPL, bytes_of_text("kernel_cmdline: another"));
    g_autofree char *text = create(log, true, NULL);
    assert_non_null(strstr(text, "\"kernel_cmdline\":\"a\\\\.b\\\\ c_d=\xc3\xa4\\\\|/\\\\*\""));
    g_autoptr(GByteArray) wrong = log_builder_new();
    add_application(wrong);
    add_application(wrong);
    log_builder_add(wrong, 8, EV_IPL, bytes_of_text("kernel_cmdline: \xff"));
    g_autofree char *problem = create(wrong, true, NULL);
    assert_string_equal(problem, "the kernel command line is not UTF-8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secure_boot),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_list_without_keys),
        cmocka_unit_test(test_gaps_are_told),
        cmocka_unit_test(test_command_line_is_a_pattern),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
