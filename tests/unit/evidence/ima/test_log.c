/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of measurement lists: what is read, what is refused, and how lines are counted. */
#include "evidence/ima/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SHA1_TEXT "1111111111111111111111111111111111111111"
#define SHA256_TEXT "2222222222222222222222222222222222222222222222222222222222222222"

typedef struct {
    uint8_t memory[4096];
    ImaEntry entry;
} Parsed;

static const char *parse(Parsed *parsed, const char *line)
{
    assert_true(ima_entry_memory(strlen(line)) <= sizeof parsed->memory);
    return ima_entry_parse(bytes_of_text(line), true, parsed->memory, &parsed->entry);
}

static void assert_text(Bytes got, const char *expected)
{
    assert_int_equal(got.size, strlen(expected));
    if (got.size > 0)
        assert_memory_equal(got.data, expected, got.size);
}

static void test_ima_ng(void **state)
{
    Parsed parsed;
    assert_null(parse(&parsed, "10 " SHA1_TEXT " ima-ng sha256:" SHA256_TEXT " /usr/bin/a b"));
    assert_text(parsed.entry.pcr, "10");
    assert_int_equal(parsed.entry.template, IMA_TEMPLATE_NG);
    assert_int_equal(parsed.entry.template_hash.size, 20);
    assert_text(parsed.entry.algorithm, "sha256");
    assert_int_equal(parsed.entry.digest.size, 32);
    assert_int_equal(parsed.entry.digest.data[31], 0x22);
    assert_text(parsed.entry.name, "/usr/bin/a b");
    assert_int_equal(parsed.entry.signature.size, 0);
}

static void test_name_may_be_empty_and_algorithm_odd(void **state)
{
    Parsed parsed;
    assert_null(parse(&parsed, "x 00 ima-ng :00 "));
    assert_text(parsed.entry.pcr, "x");
    assert_text(parsed.entry.algorithm, "");
    assert_text(parsed.entry.name, "");
    assert_null(parse(&parsed, "10 00 ima-ng md5: /x"));
    assert_int_equal(parsed.entry.digest.size, 0);
}

static void test_signature_must_fit_its_length(void **state)
{
    Parsed parsed;
    assert_null(parse(&parsed, "10 00 ima-sig sha1:00 /x 030204aabbccdd0002ee01"));
    assert_int_equal(parsed.entry.signature.size, 11);
    static const char *const malformed[] = {"", "0302", "030204aabbccdd0003ee01", "zz",
                                            "030204aabbccdd0002ee0"};
    for (size_t i = 0; i < G_N_ELEMENTS(malformed); i++) {
        g_autofree char *line = g_strdup_printf("10 00 ima-sig sha1:00 /x %s", malformed[i]);
        assert_null(parse(&parsed, line));
        assert_int_equal(parsed.entry.signature.size, 0);
    }
}

static void test_white_space_in_hexadecimal(void **state)
{
    Parsed parsed;
    assert_null(parse(&parsed, "10 00 ima-buf sha1:00 n 01 02\t03\r"));
    assert_int_equal(parsed.entry.buffer.size, 3);
    assert_non_null(parse(&parsed, "10 00 ima-buf sha1:00 n 0 102"));
}

static void test_typed_digests(void **state)
{
    Parsed parsed;
    assert_null(parse(&parsed, "10 00 ima-ngv2 verity:sha256:" SHA256_TEXT " /x"));
    assert_int_equal(parsed.entry.digest_type, IMA_DIGEST_OF_VERITY);
    assert_text(parsed.entry.algorithm, "sha256");
    assert_null(parse(&parsed, "10 00 ima-sigv2 ima:sha1:" SHA1_TEXT " /x "));
    assert_int_equal(parsed.entry.digest_type, IMA_DIGEST_OF_FILE);
    static const char *const refused[] = {
        "10 00 ima-ngv2 sha1:" SHA1_TEXT " /x",       "10 00 ima-ngv2 " SHA1_TEXT " /x",
        "10 00 ima-ngv2 evm:sha1:" SHA1_TEXT " /x",   "10 00 ima-ngv2 :sha1:" SHA1_TEXT " /x",
        "10 00 ima-ngv2 ima:a:sha1:" SHA1_TEXT " /x", "10 00 ima-ng ima:sha1:" SHA1_TEXT " /x"};
    for (size_t i = 0; i < G_N_ELEMENTS(refused); i++)
        assert_non_null(parse(&parsed, refused[i]));
}

static void test_appended_signature(void **state)
{
    Parsed parsed;
    assert_null(parse(&parsed, "10 00 ima-modsig sha1:" SHA1_TEXT " /x   "));
    assert_int_equal(parsed.entry.field_count, 5);
    assert_null(parse(&parsed, "10 00 ima-modsig sha1:" SHA1_TEXT
                               " /x 030204aabbccdd0001ee sha1:" SHA1_TEXT " 0a0b"));
    assert_int_equal(parsed.entry.signature.size, 10);
    assert_int_equal(parsed.entry.field[4].value.size, 2);
    assert_non_null(parse(&parsed, "10 00 ima-modsig sha1:" SHA1_TEXT " /x  "));
}

static void test_evm_signature(void **state)
{
    Parsed parsed;
    assert_null(parse(&parsed, "10 00 evm-sig sha1:" SHA1_TEXT
                               " /x 05 security.ima|security.evm 0102 aabb 0 4294967295 33261"));
    assert_int_equal(parsed.entry.field_count, 9);
    assert_int_equal(parsed.entry.field[7].value.size, 4);
    assert_int_equal(parsed.entry.field[8].value.size, 2);
    static const char *const numbers[] = {"0 0",    "0 0 65536", "4294967296 0 0",
                                          "-1 0 0", "0 0 ",      "0x1 0 0"};
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
        g_autofree char *line =
            g_strdup_printf("10 00 evm-sig sha1:" SHA1_TEXT " /x    %s", numbers[i]);
        assert_non_null(parse(&parsed, line));
    }
}

static void test_refused_lines(void **state)
{
    static const char *const lines[] = {
        "",
        " ",
        "10",
        "10 00",
        "10 00 ima-ng",
        "10 00 ima-ng sha1:00",
        "10 zz ima-ng sha1:00 /x",
        "10 0 ima-ng sha1:00 /x",
        "10 00 ima-xx sha1:00 /x",
        "10 00 IMA-NG sha1:00 /x",
        "10  00 ima-ng sha1:00 /x",
        "10\t00\tima-ng\tsha1:00\t/x",
        "10 00 ima-ng sha1:0 /x",
        "10 00 ima-ng sha1:a:00 /x",
        "10 00 ima-ng " SHA256_TEXT " /x",
        "10 00 ima 00 /x",
        "10 00 ima-sig sha1:00 /x",
        "10 00 ima-buf sha1:00 x",
        "10 00 ima-buf sha1:00 x zz",
    };
    Parsed parsed;
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++)
        assert_non_null(parse(&parsed, lines[i]));
}

static void test_legacy_name_has_255_bytes(void **state)
{
    Parsed parsed;
    g_autofree char *name = g_strnfill(255, 'y');
    g_autofree char *fits = g_strdup_printf("10 00 ima " SHA1_TEXT " %s", name);
    g_autofree char *longer = g_strconcat(fits, "y", NULL);
    assert_null(parse(&parsed, fits));
    assert_non_null(parse(&parsed, longer));
}

static void test_only_the_known_four(void **state)
{
    uint8_t memory[256];
    ImaEntry entry;
    Bytes line = bytes_of_text("10 00 ima-ngv2 ima:sha1:00 /x");
    assert_null(ima_entry_parse(line, true, memory, &entry));
    assert_string_equal(ima_entry_parse(line, false, memory, &entry), "the template is unknown");
}

static void test_lines_are_counted(void **state)
{
    static const struct {
        const char *text;
        ImaLogItem items[6];
    } cases[] = {
        {"", {IMA_LOG_END}},
        {"\n", {IMA_LOG_BLANK}},
        {"10 00 ima-ng sha1:00 /x", {IMA_LOG_ENTRY}},
        {"10 00 ima-ng sha1:00 /x\n", {IMA_LOG_ENTRY}},
        {"\n10 00 ima-ng sha1:00 /x\n\n \n",
         {IMA_LOG_BLANK, IMA_LOG_ENTRY, IMA_LOG_BLANK, IMA_LOG_BROKEN}},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(ImaLog) log;
        ima_log_init(&log, bytes_of_text(cases[i].text), true);
        guint64 lines = 0, entries = 0;
        for (const ImaLogItem *item = cases[i].items; *item != IMA_LOG_END; item++) {
            ImaEntry entry;
            const char *reason;
            assert_int_equal(ima_log_next(&log, &entry, &reason), *item);
            assert_int_equal(log.line, ++lines);
            entries += *item != IMA_LOG_BLANK;
            assert_int_equal(log.entry, entries);
        }
        ImaEntry entry;
        const char *reason;
        assert_int_equal(ima_log_next(&log, &entry, &reason), IMA_LOG_END);
    }
    assert_int_equal(ima_log_count(bytes_of_text("a\n\nb")), 2);
    assert_int_equal(ima_log_count(BYTES_EMPTY), 0);
}

/* Memory stays that of the longest line, and the time is that of one pass. */
static void test_many_short_lines(void **state)
{
    enum { LINES = 1000000 };
    g_autofree char *text = g_malloc(2 * LINES);
    for (size_t i = 0; i < LINES; i++)
        memcpy(text + 2 * i, "a\n", 2);
    g_auto(ImaLog) log;
    ima_log_init(&log, bytes_of(text, 2 * LINES), true);
    ImaEntry entry;
    const char *reason;
    while (ima_log_next(&log, &entry, &reason) == IMA_LOG_BROKEN)
        continue;
    assert_int_equal(log.line, LINES);
    assert_true(log.memory_size < 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ima_ng),
        cmocka_unit_test(test_name_may_be_empty_and_algorithm_odd),
        cmocka_unit_test(test_signature_must_fit_its_length),
        cmocka_unit_test(test_white_space_in_hexadecimal),
        cmocka_unit_test(test_typed_digests),
        cmocka_unit_test(test_appended_signature),
        cmocka_unit_test(test_evm_signature),
        cmocka_unit_test(test_refused_lines),
        cmocka_unit_test(test_legacy_name_has_255_bytes),
        cmocka_unit_test(test_only_the_known_four),
        cmocka_unit_test(test_lines_are_counted),
        cmocka_unit_test(test_many_short_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
