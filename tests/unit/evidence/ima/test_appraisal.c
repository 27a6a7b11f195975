/* SPDX-License-Identifier: Apache-2.0 */
/* Lists against policies: what passes, what fails and how it is told, what is remembered. */
#include "base/encoding.h"
#include "evidence/ima/report.h"
#include "made_list.h"

#include <openssl/ec.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define NOT_LISTED "ima.validation.ima-ng.not_in_allowlist"
#define OTHER_DIGEST "ima.validation.ima-ng.runtime_policy_hash"

static RuntimePolicy *policy_of(const char *path, uint8_t byte, const char *excludes)
{
    g_autofree char *digests = g_strdup_printf("\"%s\":[\"%s\"]", path, made_digest(byte));
    return made_policy(digests, excludes, "", "");
}

static void expect_events(const ImaInput *input, ImaState *state, const char *events)
{
    g_autoptr(Verdict) verdict = verdict_new();
    bool passed = ima_appraise(input, state, verdict, NULL);
    g_autofree char *got = events_of(verdict);
    assert_string_equal(got, events);
    assert_int_equal(passed, *events == '\0');
}

static MadeList *begun_list(void)
{
    MadeList *list = made_list_new();
    made_list_add_file(list, "boot_aggregate", 0xba);
    return list;
}

static void test_pass_moves_the_state(void **state)
{
    g_autoptr(MadeList) list = begun_list();
    g_autoptr(RuntimePolicy) policy = policy_of("/bin/a", 1, "");
    made_list_add_file(list, "/bin/a", 1);
    g_autoptr(ImaState) memory = ima_state_new();
    ImaInput input = made_list_input(list, policy);
    expect_events(&input, memory, "");
    assert_int_equal(memory->entries, 2);
    assert_int_equal(memory->bank, TPM_ALG_SHA256);
    assert_memory_equal(memory->pcr, list->pcr, 32);
    /* Nothing new, then one entry more. */
    input.list = BYTES_EMPTY;
    expect_events(&input, memory, "");
    assert_int_equal(memory->entries, 2);
    size_t before = list->text->len;
    made_list_add_file(list, "/bin/a", 1);
    input.list = bytes_of(list->text->str + before, list->text->len - before);
    expect_events(&input, memory, "");
    assert_int_equal(memory->entries, 3);
}

static void test_failure_is_told_and_moves_nothing(void **state)
{
    g_autoptr(MadeList) list = begun_list();
    g_autoptr(RuntimePolicy) policy = policy_of("/bin/a", 1, "");
    made_list_add_file(list, "/bin/\xff\x1b", 2);
    made_list_add_file(list, "/bin/a", 2);
    g_autoptr(ImaState) memory = ima_state_new();
    g_autoptr(Verdict) verdict = verdict_new();
    ImaInput input = made_list_input(list, policy);
    assert_false(ima_appraise(&input, memory, verdict, NULL));
    assert_int_equal(memory->entries, 0);
    g_autofree char *events = events_of(verdict);
    assert_string_equal(events, NOT_LISTED " " OTHER_DIGEST);
    Json *first = json_member(json_object_array_get_idx(verdict->failures, 0), "context");
    Json *second = json_member(json_object_array_get_idx(verdict->failures, 1), "context");
    gint64 entry;
    assert_true(json_member_int(first, "entry", false, &entry));
    assert_int_equal(entry, 2);
    assert_string_equal(json_member_text(first, "path"), "/bin/\\xff\\x1b");
    assert_string_equal(json_member_text(second, "message"),
                        "IMA entry 3: the digest of /bin/a is not one that the policy's digests "
                        "list");
    assert_string_equal(json_member_text(second, "rule"), "digests");
    assert_string_equal(json_member_text(second, "got"), made_digest(2));
    g_autofree const char **expected = json_member_texts(second, "expected");
    assert_string_equal(expected[0], made_digest(1));
    assert_null(expected[1]);
    g_autofree char *digest = g_strconcat("sha256:", made_digest(2), NULL);
    assert_string_equal(json_member_text(second, "digest"), digest);
}

static void test_entries_are_numbered_in_the_whole_list(void **state)
{
    g_autoptr(MadeList) list = begun_list();
    g_autoptr(RuntimePolicy) policy = policy_of("/bin/a", 1, "");
    g_autoptr(ImaState) memory = ima_state_new();
    ImaInput input = made_list_input(list, policy);
    expect_events(&input, memory, "");
    size_t before = list->text->len;
    made_list_add_file(list, "/bin/other", 1);
    input.list = bytes_of(list->text->str + before, list->text->len - before);
    g_autoptr(Verdict) verdict = verdict_new();
    ima_appraise(&input, memory, verdict, NULL);
    gint64 entry;
    assert_true(
        json_member_int(json_member(json_object_array_get_idx(verdict->failures, 0), "context"),
                        "entry", false, &entry));
    assert_int_equal(entry, 2);
}

static void test_list_must_begin_with_boot_aggregate(void **state)
{
    g_autoptr(MadeList) list = made_list_new();
    g_autoptr(RuntimePolicy) policy = policy_of("/bin/a", 1, "");
    ImaInput input = made_list_input(list, policy);
    expect_events(&input, NULL, "ima.pcr_mismatch"); /* PCR 10 of zeros, no list */
    made_list_add_file(list, "/bin/a", 1);
    input = made_list_input(list, policy);
    expect_events(&input, NULL, NOT_LISTED);
    input.rules.require_boot_aggregate = false;
    expect_events(&input, NULL, "");
    /* Zeros are quoted: no entry is covered. */
    uint8_t zeros[32] = {0};
    input.quoted = BYTES_OF_ARRAY(zeros);
    expect_events(&input, NULL, "");
    input.rules.require_boot_aggregate = true;
    expect_events(&input, NULL, NOT_LISTED " ima.pcr_mismatch");
}

static void test_excluded_names(void **state)
{
    g_autoptr(MadeList) list = begun_list();
    g_autoptr(RuntimePolicy) policy = policy_of("/bin/a", 1, "\"/tmp/.*\"");
    made_list_add_file(list, "/tmp/x", 9);
    made_list_add(list, "ima-sig sha1:1111111111111111111111111111111111111111 /tmp/y ");
    ImaInput input = made_list_input(list, policy);
    expect_events(&input, NULL, "");
}

static void test_violations(void **state)
{
    g_autoptr(MadeList) list = begun_list();
    g_autoptr(RuntimePolicy) policy = policy_of("/bin/a", 1, "\"/tmp/.*\"");
    made_list_add_violation(list, "/bin/a");
    made_list_add_violation(list, "/tmp/x");
    made_list_add_violation(list, "boot_aggregate");
    ImaInput input = made_list_input(list, policy);
    expect_events(&input, NULL, "");
    input.rules.violations = IMA_VIOLATIONS_FAIL;
    expect_events(&input, NULL,
                  "ima.validation.tomtou ima.validation.tomtou ima.validation.tomtou");
    made_list_add_violation(list, "/bin/hidden");
    input = made_list_input(list, policy);
    expect_events(&input, NULL, NOT_LISTED);
    input.rules.violations = IMA_VIOLATIONS_IGNORE;
    expect_events(&input, NULL, "");
}

/* The second column is no way around the rules: only zeros of its own length mark a violation. */
static void test_column_of_ones(void **state)
{
    g_autoptr(MadeList) list = begun_list();
    g_autoptr(RuntimePolicy) policy = policy_of("/bin/a", 1, "");
    size_t before = list->text->len;
    made_list_add_file(list, "/bin/other", 1);
    memset(list->text->str + before + 3, 'f', 40);
    ImaInput input = made_list_input(list, policy);
    for (int i = 0; i < 2; i++) {
        expect_events(&input, NULL, "ima.validation.ima_hash");
        input.rules = ima_rules_upstream;
    }
    input.rules.violations = IMA_VIOLATIONS_FAIL;
    expect_events(&input, NULL, "ima.validation.tomtou");
}

/* Told by the number of the entry whose place the blank line takes, also before the first one. */
static void test_blank_lines_are_numbered(void **state)
{
    g_autoptr(RuntimePolicy) policy = policy_of("/bin/a", 1, "");
    g_autoptr(MadeList) list = begun_list();
    g_autofree char *text = g_strconcat("\n", list->text->str, "\n", NULL);
    ImaInput input = made_list_input(list, policy);
    input.list = bytes_of_text(text);
    g_autoptr(Verdict) verdict = verdict_new();
    ima_appraise(&input, NULL, verdict, NULL);
    assert_int_equal(verdict->failure_count, 2);
    for (size_t i = 0; i < 2; i++) {
        Json *failure = json_object_array_get_idx(verdict->failures, i);
        gint64 entry;
        assert_true(json_member_int(json_member(failure, "context"), "entry", false, &entry));
        assert_int_equal(entry, i + 1);
    }
}

static void test_blank_lines(void **state)
{
    g_autoptr(MadeList) list = begun_list();
    g_autoptr(RuntimePolicy) policy = policy_of("/bin/a", 1, "");
    g_string_append(list->text, "\n\n");
    made_list_add_file(list, "/bin/a", 1);
    ImaInput input = made_list_input(list, policy);
    expect_events(&input, NULL, "ima.parser.entry ima.parser.entry");
    g_autoptr(ImaState) skipped = ima_state_new();
    input.rules.blank_lines = IMA_BLANK_LINES_SKIP;
    expect_events(&input, skipped, "");
    assert_int_equal(skipped->entries, 2);
    g_autoptr(ImaState) counted = ima_state_new();
    input.rules.blank_lines = IMA_BLANK_LINES_COUNT;
    expect_events(&input, counted, "");
    assert_int_equal(counted->entries, 4);
}

static void test_aggregates_of_the_event_log(void **state)
{
    g_autoptr(MadeList) list = made_list_new();
    made_list_add_file(list, "boot_aggregate", 0xbb);
    g_autoptr(RuntimePolicy) policy = policy_of("/bin/a", 1, "");
    g_autoptr(GPtrArray) aggregates = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    ImaInput input = made_list_input(list, policy);
    input.boot_aggregates = aggregates;
    expect_events(&input, NULL, OTHER_DIGEST);
    g_ptr_array_add(aggregates, hex_decode(made_digest(0xbb)));
    expect_events(&input, NULL, "");
}

static void test_buffers(void **state)
{
    static const char text[] = "root=/dev/sda1";
    g_autoptr(MadeList) list = begun_list();
    made_list_add_buffer(list, "kexec-cmdline", bytes_of_text(text));
    g_autoptr(RuntimePolicy) policy = made_policy("", "\"kexec.*\"", "", "");
    ImaInput input = made_list_input(list, policy);
    expect_events(&input, NULL, "");
    g_autoptr(RuntimePolicy) strict = made_policy("", "", "", "");
    input.policy = strict;
    expect_events(&input, NULL, NOT_LISTED);
    /* Excluded or not: a digest that is not the buffer's vouches for nothing. */
    g_autofree char *other = g_strdup_printf("ima-buf sha256:%s kexec-cmdline 00", made_digest(7));
    made_list_add(list, other);
    input = made_list_input(list, policy);
    expect_events(&input, NULL, "ima.validation.ima-buf.invalid_data");
}

/* A file with a key in its signature field has the template data of a key's entry, except that its
 * digest is not the key's: no ignored keyring lets it pass. */
static void test_ignored_keyrings(void **state)
{
    static const char policy_text[] =
        "{\"meta\":{\"version\":1,\"generator\":3},\"release\":0,\"digests\":{},\"excludes\":"
        "[\"boot_aggregate\"],\"keyrings\":{},\"ima\":{\"ignored_keyrings\":[\"*\"],"
        "\"log_hash_alg\":\"sha1\",\"dm_policy\":null},\"ima-buf\":{},\"verification-keys\":\"\"}";
    g_autoptr(RuntimePolicy) policy =
        runtime_policy_parse(bytes_of_text(policy_text), &runtime_policy_rules_default, NULL);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    uint8_t *der = NULL;
    int size = i2d_PUBKEY(key, &der);
    Bytes buffer = bytes_of(der, (size_t)size);
    g_autoptr(MadeList) list = begun_list();
    made_list_add_buffer(list, ".any", buffer);
    ImaInput input = made_list_input(list, policy);
    expect_events(&input, NULL, "");
    g_autofree char *hex = hex_encode(buffer);
    g_autofree char *file =
        g_strdup_printf("ima-buf sha256:%s /bin/unknown %s", made_digest(7), hex);
    made_list_add(list, file);
    input = made_list_input(list, policy);
    expect_events(&input, NULL, "ima.validation.ima-buf.invalid_data");
    OPENSSL_free(der);
    EVP_PKEY_free(key);
}

/* They are judged although the quote does not cover them, and stay to be asked for again (ima §4).
 */
static void test_entries_beyond_the_quote(void **state)
{
    g_autoptr(MadeList) list = begun_list();
    g_autoptr(RuntimePolicy) policy = policy_of("/bin/a", 1, "");
    g_autoptr(ImaState) memory = ima_state_new();
    ImaInput input = made_list_input(list, policy);
    expect_events(&input, memory, "");
    uint8_t quoted[32];
    memcpy(quoted, list->pcr, 32);
    input.quoted = BYTES_OF_ARRAY(quoted);
    size_t before = list->text->len;
    made_list_add_file(list, "/bin/a", 1);
    input.list = bytes_of(list->text->str + before, list->text->len - before);
    expect_events(&input, memory, ""); /* the quote matches before the first line */
    assert_int_equal(memory->entries, 1);
    made_list_add_file(list, "/bin/other", 1);
    g_autoptr(ImaState) anew = ima_state_new();
    input.list = bytes_of(list->text->str, list->text->len);
    expect_events(&input, anew, NOT_LISTED);
    assert_int_equal(anew->entries, 0);
}

static void test_quote_must_catch_up(void **state)
{
    g_autoptr(MadeList) list = begun_list();
    g_autoptr(RuntimePolicy) policy = policy_of("/bin/a", 1, "");
    ImaInput input = made_list_input(list, policy);
    uint8_t first[32];
    memcpy(first, list->pcr, 32);
    for (int i = 0; i < 3; i++)
        made_list_add_file(list, "/bin/a", 1);
    g_autoptr(ImaState) memory = ima_state_new();
    input = made_list_input(list, policy);
    input.quoted = BYTES_OF_ARRAY(first);
    expect_events(&input, memory, ""); /* three entries beyond the quote */
    assert_int_equal(memory->entries, 1);
    size_t begins = strcspn(list->text->str, "\n") + 1;
    input.list = bytes_of(list->text->str + begins, list->text->len - begins);
    expect_events(&input, memory, "ima.quote_progress");
    input.quoted = bytes_of(list->pcr, 32);
    expect_events(&input, memory, "");
    assert_int_equal(memory->entries, 4);
}

static void test_other_bank_than_before(void **state)
{
    g_autoptr(MadeList) list = begun_list();
    g_autoptr(RuntimePolicy) policy = policy_of("/bin/a", 1, "");
    g_autoptr(ImaState) memory = ima_state_new();
    ImaInput input = made_list_input(list, policy);
    expect_events(&input, memory, "");
    input.bank = TPM_ALG_SHA1;
    expect_events(&input, memory, "ima.pcr_mismatch");
    input.bank = TPM_ALG_SM3_256;
    expect_events(&input, NULL, "ima.pcr_mismatch");
}

static void test_more_failures_than_are_kept(void **state)
{
    g_autoptr(MadeList) list = begun_list();
    g_autoptr(RuntimePolicy) policy = policy_of("/bin/a", 1, "");
    for (int i = 0; i < 2000; i++)
        g_string_append(list->text, "a\n");
    ImaInput input = made_list_input(list, policy);
    input.quoted = bytes_of_text("another");
    g_autoptr(Verdict) verdict = verdict_new();
    g_auto(ImaOutcome) outcome = {0};
    assert_false(ima_appraise(&input, NULL, verdict, &outcome));
    assert_int_equal(verdict->failure_count, 2001);
    assert_int_equal(outcome.lines, 2001);
    assert_string_equal(verdict_failure_reason(verdict), "broken_evidence_chain");
    Json *last = json_object_array_get_idx(verdict->failures, VERDICT_MAX_FAILURES - 1);
    assert_string_equal(json_member_text(last, "event_id"), "ima.pcr_mismatch");
}

/* What is told is bounded: of a long name its beginning, of many digests the first. */
static void test_long_reports(void **state)
{
    g_autofree char *name = g_strnfill(5000, 'n');
    g_autoptr(GString) digests = g_string_new("\"/bin/a\":[");
    for (uint8_t i = 10; i < 100; i++)
        g_string_append_printf(digests, "%s\"%s\"", i > 10 ? "," : "", made_digest(i));
    g_string_append_c(digests, ']');
    g_autoptr(RuntimePolicy) policy = made_policy(digests->str, "", "", "");
    g_autoptr(MadeList) list = begun_list();
    made_list_add_file(list, name, 1);
    made_list_add_file(list, "/bin/a", 1);
    g_string_append_printf(list->text, "%s\n", name);
    ImaInput input = made_list_input(list, policy);
    g_autoptr(Verdict) verdict = verdict_new();
    assert_false(ima_appraise(&input, NULL, verdict, NULL));
    assert_int_equal(verdict->failure_count, 3);
    Json *contexts[3];
    for (size_t i = 0; i < 3; i++)
        contexts[i] = json_member(json_object_array_get_idx(verdict->failures, i), "context");
    assert_int_equal(strlen(json_member_text(contexts[0], "path")), IMA_REPORT_MAX_TEXT + 3);
    assert_true(g_str_has_suffix(json_member_text(contexts[0], "path"), "n..."));
    assert_int_equal(json_object_array_length(json_member(contexts[1], "expected")),
                     IMA_REPORT_MAX_EXPECTED);
    assert_int_equal(strlen(json_member_text(contexts[2], "line")), IMA_REPORT_MAX_TEXT + 3);
}

/* Each template that upstream cannot read is replayed and judged; unknown ones are not. */
static void test_templates(void **state)
{
    static const char *const rests[] = {
        "ima-ngv2 verity:sha256:%s /bin/a", "ima-sigv2 ima:sha256:%s /bin/a ",
        "ima-modsig sha256:%s /bin/a   ", "evm-sig sha256:%s /bin/a     0 0 33261"};
    g_autoptr(MadeList) list = begun_list();
    g_autoptr(RuntimePolicy) policy = policy_of("/bin/a", 1, "");
    for (size_t i = 0; i < G_N_ELEMENTS(rests); i++) {
        g_auto(GStrv) parts = g_strsplit(rests[i], "%s", 2);
        g_autofree char *rest = g_strconcat(parts[0], made_digest(1), parts[1], NULL);
        made_list_add(list, rest);
    }
    ImaInput input = made_list_input(list, policy);
    expect_events(&input, NULL, "");
    input.rules.all_templates = false;
    expect_events(&input, NULL,
                  "ima.parser.entry ima.parser.entry ima.parser.entry ima.parser.entry "
                  "ima.pcr_mismatch");
}

static void test_state_text(void **state)
{
    g_autoptr(MadeList) list = begun_list();
    g_autoptr(RuntimePolicy) policy = policy_of("/bin/a", 1, "");
    g_autoptr(ImaState) memory = ima_state_new();
    ImaInput input = made_list_input(list, policy);
    expect_events(&input, memory, "");
    g_autofree char *text = ima_state_to_text(memory);
    g_autoptr(ImaState) again = ima_state_from_text(bytes_of_text(text), NULL);
    g_autofree char *twice = ima_state_to_text(again);
    assert_string_equal(text, twice);
    static const char *const refused[] = {
        "",
        "[]",
        "{}",
        "{\"version\":2,\"entries\":0,\"keyrings\":{},\"device_mapper\":{}}",
        "{\"version\":1,\"entries\":-1,\"keyrings\":{},\"device_mapper\":{}}",
        "{\"version\":1,\"entries\":1,\"keyrings\":{},\"device_mapper\":{}}",
        "{\"version\":1,\"entries\":0,\"keyrings\":[],\"device_mapper\":{}}",
        "{\"version\":1,\"entries\":0,\"keyrings\":{}}",
        "{\"version\":1,\"entries\":0,\"keyrings\":{},\"device_mapper\":{\"a\":1}}",
        "{\"version\":1,\"entries\":0,\"bank\":\"sha1\",\"pcr10\":\"00\",\"keyrings\":{},"
        "\"device_mapper\":{}}",
        "{\"version\":1,\"entries\":0,\"progress\":[1],\"keyrings\":{},\"device_mapper\":{}}",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autoptr(GError) error = NULL;
        assert_null(ima_state_from_text(bytes_of_text(refused[i]), &error));
        assert_non_null(error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pass_moves_the_state),
        cmocka_unit_test(test_failure_is_told_and_moves_nothing),
        cmocka_unit_test(test_entries_are_numbered_in_the_whole_list),
        cmocka_unit_test(test_list_must_begin_with_boot_aggregate),
        cmocka_unit_test(test_excluded_names),
        cmocka_unit_test(test_violations),
        cmocka_unit_test(test_column_of_ones),
        cmocka_unit_test(test_blank_lines),
        cmocka_unit_test(test_blank_lines_are_numbered),
        cmocka_unit_test(test_aggregates_of_the_event_log),
        cmocka_unit_test(test_buffers),
        cmocka_unit_test(test_ignored_keyrings),
        cmocka_unit_test(test_entries_beyond_the_quote),
        cmocka_unit_test(test_quote_must_catch_up),
        cmocka_unit_test(test_other_bank_than_before),
        cmocka_unit_test(test_more_failures_than_are_kept),
        cmocka_unit_test(test_long_reports),
        cmocka_unit_test(test_templates),
        cmocka_unit_test(test_state_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
