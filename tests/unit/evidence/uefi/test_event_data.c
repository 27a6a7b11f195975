/* SPDX-License-Identifier: Apache-2.0 */
/* Structures inside events: what is read, and what makes a log malformed. */
#include "evidence/uefi/event_data.h"

#include "evidence/uefi/gpt.h"
#include "evidence/uefi/guid.h"
#include "evidence/uefi/signature_list.h"
#include "evidence/uefi/text.h"
#include "evidence/uefi/variable.h"

#include "log_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define GLOBAL_HEX "61dfe48bca93d211aa0d00e098032b8c"

/* What a log with this one event is refused for; NULL when it is accepted. */
static char *problem_of(uint32_t type, Bytes data)
{
    const UefiLogRules rules = UEFI_LOG_RULES_UPSTREAM;
    g_autoptr(GByteArray) bytes = log_builder_new();
    log_builder_add(bytes, 7, type, data);
    UefiLog log;
    g_autoptr(GError) error = NULL;
    if (uefi_log_parse(bytes_of_array(bytes), &rules, &log, &error))
        return NULL;
    return g_strdup(strstr(error->message, ": ") + 2);
}

static void assert_problem(uint32_t type, Bytes data, const char *expected)
{
    g_autofree char *problem = problem_of(type, data);
    if (!expected)
        assert_null(problem);
    else
        assert_string_equal(problem, expected);
}

static void assert_variable(uint32_t type, const char *name, Bytes data, const char *expected)
{
    g_autoptr(GByteArray) variable = log_builder_variable(GLOBAL_HEX, name, data);
    assert_problem(type, bytes_of_array(variable), expected);
}

static void test_variable(void **state)
{
    static const uint8_t one[1] = {1};
    g_autoptr(GByteArray) bytes =
        log_builder_variable(GLOBAL_HEX, "SecureBoot", BYTES_OF_ARRAY(one));
    UefiVariable variable;
    assert_true(uefi_variable_parse(bytes_of_array(bytes), &variable));
    assert_true(uefi_guid_is(variable.guid, "8be4df61-93ca-11d2-aa0d-00e098032b8c"));
    assert_true(uefi_variable_is_named(&variable, "SecureBoot"));
    assert_false(uefi_variable_is_named(&variable, "SecureBoo"));
    assert_false(uefi_variable_is_named(&variable, "SecureBoot2"));
    assert_false(uefi_variable_is_named(&variable, "secureboot"));
    assert_true(uefi_variable_flag(variable.data));
    for (size_t size = 0; size < bytes->len; size++)
        assert_false(uefi_variable_parse(bytes_of(bytes->data, size), &variable));
    /* 2^63 units: twice that is 0 in 64 bits. */
    memset(bytes->data + 16, 0, 8);
    bytes->data[23] = 0x80;
    assert_false(uefi_variable_parse(bytes_of_array(bytes), &variable));
}

static void test_variables_that_are_refused(void **state)
{
    static const uint8_t zeros[15];
    static const uint8_t endless[10] = {1, 0, 0, 0, 0, 0, 'a', 0, 'b', 0};
    assert_variable(EV_EFI_VARIABLE_DRIVER_CONFIG, "SecureBoot", bytes_of(zeros, 2),
                    "a flag has more than one byte");
    assert_variable(EV_EFI_VARIABLE_DRIVER_CONFIG, "secureboot", bytes_of(zeros, 2), NULL);
    assert_variable(EV_EFI_VARIABLE_AUTHORITY, "db", bytes_of(zeros, 15),
                    "a signature is shorter than its owner");
    assert_variable(EV_EFI_VARIABLE_BOOT, "BootOrder", bytes_of(zeros, 3),
                    "BootOrder has an odd length");
    assert_variable(EV_EFI_VARIABLE_BOOT, "Boot00aF", BYTES_OF_ARRAY(endless),
                    "a load option's description has no end");
    assert_variable(EV_EFI_VARIABLE_BOOT, "Boot00aF", bytes_of(zeros, 8), NULL);
    assert_variable(EV_EFI_VARIABLE_BOOT, "Boot00aFF", BYTES_OF_ARRAY(endless), NULL);
}

static void test_other_structures_that_are_refused(void **state)
{
    static const uint8_t zeros[228];
    uint8_t gpt[228] = {0};
    assert_problem(EV_EFI_VARIABLE_BOOT2, bytes_of(zeros, 31),
                   "the lengths of a UEFI variable do not fit its event");
    assert_problem(EV_EFI_PLATFORM_FIRMWARE_BLOB, bytes_of(zeros, 15),
                   "a firmware blob is too short");
    assert_problem(EV_POST_CODE, bytes_of(zeros, 15), NULL);
    assert_problem(EV_EFI_PLATFORM_FIRMWARE_BLOB2, bytes_of("\x01xxxxxxxxyyyyyyyy", 17),
                   "a firmware blob's description does not fit its event");
    assert_problem(EV_EFI_PLATFORM_FIRMWARE_BLOB2, bytes_of(zeros, 17), NULL);
    assert_problem(EV_EFI_BOOT_SERVICES_DRIVER, bytes_of(zeros, 31), "an image load is too short");
    assert_problem(EV_EFI_HCRTM_EVENT, bytes_of_text("HCRTN"), "an H-CRTM event is not \"HCRTM\"");
    assert_problem(EV_EFI_GPT_EVENT, bytes_of(zeros, 99),
                   "a partition table's size does not fit its number of partitions");
    assert_problem(EV_EFI_GPT_EVENT, bytes_of(zeros, 100), NULL);
    gpt[92] = 1;
    assert_problem(EV_EFI_GPT_EVENT, BYTES_OF_ARRAY(gpt), NULL);
    gpt[99] = 1; /* 2^56 + 1 partitions: their bytes wrap to those of one */
    assert_problem(EV_EFI_GPT_EVENT, BYTES_OF_ARRAY(gpt),
                   "a partition table's size does not fit its number of partitions");
    assert_problem(0x800000E1, bytes_of(zeros, 3), NULL);
}

static GByteArray *signature_list(uint32_t list_size, uint32_t header_size, uint32_t entry_size,
                                  size_t present)
{
    static const uint8_t zeros[512];
    GByteArray *list = g_byte_array_new();
    bytes_append(list, bytes_of(zeros, 16));
    append_u32_le(list, list_size);
    append_u32_le(list, header_size);
    append_u32_le(list, entry_size);
    bytes_append(list, bytes_of(zeros, present));
    return list;
}

static size_t entries_of(const GByteArray *bytes, size_t *lists)
{
    Reader reader = reader_of(bytes_of_array(bytes));
    UefiSignatureList list;
    UefiSignature signature;
    size_t count = 0;
    for (*lists = 0; uefi_signature_list_next(&reader, &list); (*lists)++)
        while (uefi_signature_next(&list, &signature))
            count++;
    return count;
}

static void test_signature_lists(void **state)
{
    static const struct {
        uint32_t list_size, header_size, entry_size;
        size_t present, lists, entries;
        bool fits;
    } cases[] = {
        {28 + 96, 0, 48, 96, 1, 2, true},      /* two hashes */
        {28 + 8 + 48, 8, 48, 56, 1, 1, true},  /* with a header */
        {28 + 96, 0, 48, 48, 1, 0, false},     /* two are claimed, one is there */
        {28 + 95, 0, 48, 96, 1, 0, true},      /* not a multiple */
        {8, 0, 48, 96, 1, 0, true},            /* smaller than its head */
        {G_MAXUINT32, 0, 48, 96, 1, 0, true},  /* no int holds it */
        {28, 0, 8, 96, 0, 0, true},            /* entries without an owner */
        {28, G_MAXUINT32, 48, 96, 1, 0, true}, /* an endless header */
        {28 + 96, 0, 48, 47, 1, 0, true},      /* not even the first entry */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        size_t lists;
        g_autoptr(GByteArray) list = signature_list(cases[i].list_size, cases[i].header_size,
                                                    cases[i].entry_size, cases[i].present);
        assert_int_equal(entries_of(list, &lists), cases[i].entries);
        assert_int_equal(lists, cases[i].lists);
        assert_int_equal(uefi_signature_lists_fit(bytes_of_array(list)), cases[i].fits);
    }
}

static void assert_transformed(const char *in, size_t in_size, const char *out, size_t out_size)
{
    g_autoptr(GString) text = uefi_text_transform(bytes_of(in, in_size));
    assert_int_equal(text->len, out_size);
    assert_memory_equal(text->str, out, out_size);
}

#define ASSERT_TRANSFORMED(in, out) assert_transformed(in, sizeof in - 1, out, sizeof out - 1)

static void test_text_transform(void **state)
{
    ASSERT_TRANSFORMED("", "");
    ASSERT_TRANSFORMED("MokList\0", "MokList");
    ASSERT_TRANSFORMED("MokList\0\0", "MokList\0");
    ASSERT_TRANSFORMED("a\\tb\\\\c\\n\\'d\\", "a\tb\\c\\n'd\\");
    /* The pairs are taken wherever they stand, `\\` last of all. */
    ASSERT_TRANSFORMED("\\\\t", "\\\t");
    ASSERT_TRANSFORMED("\\\\\\\\", "\\\\");
    ASSERT_TRANSFORMED("x\\0", "x");
    ASSERT_TRANSFORMED("\\\\'", "\\'");
    ASSERT_TRANSFORMED("\\EFI\\fedora\\e", "\\EFI\fedora\x1b");
}

static void test_utf8_and_utf16(void **state)
{
    static const uint8_t pair[] = {'a', 0, 0x3d, 0xd8, 0x00, 0xde, 0x3d, 0xd8, 0, 0, 'b', 0};
    g_autofree char *text = uefi_text_from_utf16(BYTES_OF_ARRAY(pair));
    assert_string_equal(text, "a\xf0\x9f\x98\x80\xef\xbf\xbd");
    g_autofree char *odd = uefi_text_from_utf16(bytes_of(pair, 3));
    assert_string_equal(odd, "a");
    assert_true(uefi_text_is_utf8(bytes_of("a\0\xc3\xa4\0", 5)));
    assert_false(uefi_text_is_utf8(bytes_of("a\0\xc3", 3)));
    assert_true(uefi_text_is_utf8(BYTES_EMPTY));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_variable),
        cmocka_unit_test(test_variables_that_are_refused),
        cmocka_unit_test(test_other_structures_that_are_refused),
        cmocka_unit_test(test_signature_lists),
        cmocka_unit_test(test_text_transform),
        cmocka_unit_test(test_utf8_and_utf16),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
