/* SPDX-License-Identifier: Apache-2.0 */
/* Reference states: what is read, what is refused with which path, what is only noted. */
#include "policy/boot_policy.h"

#include "base/encoding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define D1 "\"0x1111111111111111111111111111111111111111111111111111111111111111\""
#define D2 "\"0x2222222222222222222222222222222222222222222222222222222222222222\""
#define OWNER "\"2994075c-f535-2f4a-adb7-e811ec24f440\""
#define KEY "{\"SignatureOwner\": " OWNER ", \"SignatureData\": \"0x3082\"}"
#define KERNEL                                                                                     \
    "{\"shim_authcode_sha256\": " D1 ", \"grub_authcode_sha256\": " D1                             \
    ", \"kernel_authcode_sha256\": " D1 ", \"initrd_plain_sha256\": " D2                           \
    ", \"kernel_cmdline\": \"/vmlinuz .*\"}"
#define FIRMWARE "{\"scrtm\": {\"sha256\": " D1 "}, \"platform_firmware\": [{\"sha256\": " D2 "}]}"
#define LISTS                                                                                      \
    "\"pk\": [" KEY "], \"kek\": [], \"db\": [" KEY ", " KEY "], \"dbx\": [],"                     \
    "\"mokdig\": [{\"sha256\": " D1 "}], \"mokxdig\": []"
#define WHOLE "{\"kernels\": [" KERNEL "], \"scrtm_and_bios\": [" FIRMWARE "], " LISTS "}"

static ReferenceState *parse(const char *text, bool real_hardware, GError **error)
{
    g_autoptr(Json) value = json_parse(bytes_of_text(text), NULL);
    assert_non_null(value);
    return reference_state_parse(value, real_hardware, error);
}

/* WHOLE with a part replaced. */
static char *with(const char *part, const char *replacement)
{
    g_auto(GStrv) pieces = g_strsplit(WHOLE, part, 2);
    assert_non_null(pieces[1]);
    return g_strdup_printf("%s%s%s", pieces[0], replacement, pieces[1]);
}

static void test_whole(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ReferenceState) reference = parse(WHOLE, false, &error);
    assert_null(error);
    assert_true(reference->secure_boot);
    assert_int_equal(reference->kernels->len, 1);
    const ReferenceKernel *kernel = g_ptr_array_index(reference->kernels, 0);
    assert_true(kernel->shim.given && kernel->grub.given && kernel->kernel.given);
    assert_true(kernel->initrd.given);
    assert_false(kernel->vmlinuz.given);
    assert_int_equal(kernel->initrd.digest.value[0], 0x22);
    assert_string_equal(text_pattern_text(kernel->cmdline), "kernel_cmdline: /vmlinuz .*");
    const ReferenceFirmware *firmware = g_ptr_array_index(reference->firmware, 0);
    assert_int_equal(firmware->scrtm->len, 1);
    assert_int_equal(firmware->blobs->len, 1);
    assert_int_equal(g_hash_table_size(reference->db), 1); /* twice the same key */
    g_autoptr(GString) text = g_string_new(NULL);
    reference_key(text, "2994075c-f535-2f4a-adb7-e811ec24f440", "3082");
    assert_true(g_hash_table_contains(reference->pk, text->str));
    assert_false(g_hash_table_contains(reference->kek, text->str));
    assert_true(reference->expects_mok);
    assert_false(reference->expects_mokx);
    assert_int_equal(reference->notes->len, 0);
}

static void test_digests(void **state)
{
    g_autoptr(ReferenceState) reference = parse(WHOLE, false, NULL);
    uint8_t value[32];
    memset(value, 0x11, sizeof value);
    assert_true(reference_digests_hold(reference->mok, TPM_ALG_SHA256, BYTES_OF_ARRAY(value)));
    assert_false(reference_digests_hold(reference->mok, TPM_ALG_SM3_256, BYTES_OF_ARRAY(value)));
    assert_false(reference_digests_hold(reference->mok, TPM_ALG_SHA256, BYTES_EMPTY));
    value[31] ^= 1;
    assert_false(reference_digests_hold(reference->mok, TPM_ALG_SHA256, BYTES_OF_ARRAY(value)));
    const ReferenceDigest none = {0};
    assert_false(reference_digest_equals(&none, 0, BYTES_EMPTY));
}

static void test_refused(void **state)
{
    static const struct {
        const char *part, *replacement, *message;
    } cases[] = {
        {"\"kernels\"", "\"other\"", "kernels is missing"},
        {"\"kernels\": [" KERNEL "]", "\"kernels\": {}", "kernels must be a list"},
        {"\"kernels\": [" KERNEL "]", "\"kernels\": [1]", "kernels[0] must be an object"},
        {"\"kernel_authcode_sha256\": " D1, "\"x\": 1",
         "kernels[0].kernel_authcode_sha256 is missing"},
        {"\"initrd_plain_sha256\": " D2, "\"initrd_plain_sha256\": 5",
         "kernels[0].initrd_plain_sha256 must be a text"},
        {"\"initrd_plain_sha256\": " D2, "\"initrd_plain_sha256\": \"0xAB\"", "lower-case"},
        {"\"initrd_plain_sha256\": " D2, "\"initrd_plain_sha256\": \"0x\"", "lower-case"},
        {"\"initrd_plain_sha256\": " D2, "\"x\": 1", "kernels[0].initrd_plain_sha256 is missing"},
        {"\"/vmlinuz .*\"", "\"(\"", "kernels[0].kernel_cmdline is no usable regular expression"},
        {"\"/vmlinuz .*\"", "null", "kernels[0].kernel_cmdline must be a regular expression"},
        {"\"scrtm_and_bios\"", "\"other\"", "scrtm_and_bios is missing"},
        {"{\"scrtm\"", "{\"other\"", "scrtm_and_bios[0].scrtm is missing"},
        {"\"platform_firmware\": [", "\"platform_firmware\": [[], ",
         "scrtm_and_bios[0].platform_firmware[0] must be an object of digests"},
        {"\"pk\": [" KEY "]", "\"pk\": null", "pk must be a list"},
        {"\"pk\": [" KEY "]", "\"pk\": [{}]", "pk[0] must have the texts"},
        {"\"0x3082\"", "\"3082\"", "pk[0] must have a SignatureData that begins with \"0x\""},
        {"\"dbx\"", "\"other\"", "dbx is missing"},
        {"\"mokxdig\"", "\"other\"", "mokxdig is missing"},
        {"\"mokdig\": [", "\"mokdig\": [7, ", "mokdig[0] must be an object of digests"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = with(cases[i].part, cases[i].replacement);
        g_autoptr(GError) error = NULL;
        g_autoptr(ReferenceState) reference = parse(text, false, &error);
        assert_null(reference);
        if (!strstr(error->message, cases[i].message))
            fail_msg("expected \"%s\", got \"%s\"", cases[i].message, error->message);
        assert_true(g_str_has_prefix(error->message, "mb_policy: "));
    }
    g_autoptr(GError) error = NULL;
    assert_null(parse("[1]", false, &error));
    assert_non_null(strstr(error->message, "must be an object"));
}

static void test_without_secure_boot(void **state)
{
    g_autofree char *text = with("\"kernels\"", "\"has_secureboot\": 0, \"kernels\"");
    g_autoptr(GError) error = NULL;
    assert_null(parse(text, false, &error));
    assert_non_null(strstr(error->message, "kernels[0].vmlinuz_plain_sha256 is missing"));

    g_auto(GStrv) pieces = g_strsplit(text, "kernel_authcode", 2);
    g_autofree char *plain = g_strjoinv("vmlinuz_plain", pieces);
    g_auto(GStrv) nulled = g_strsplit(plain, "\"pk\": [" KEY "]", 2);
    g_autofree char *without_pk = g_strjoinv("\"pk\": null", nulled);
    g_autoptr(ReferenceState) reference = parse(without_pk, false, NULL);
    assert_non_null(reference);
    assert_false(reference->secure_boot);
    const ReferenceKernel *kernel = g_ptr_array_index(reference->kernels, 0);
    assert_true(kernel->vmlinuz.given);
    assert_false(kernel->kernel.given);
    assert_int_equal(g_hash_table_size(reference->pk), 0);
}

static void test_real_hardware(void **state)
{
    static const struct {
        const char *part, *replacement;
    } absent[] = {
        {"\"initrd_plain_sha256\": " D2, "\"x\": 1"},
        {"\"kernel_cmdline\": \"/vmlinuz .*\"", "\"x\": 1"},
        {"{\"scrtm\"", "{\"x\""},
        {"\"kernels\"", "\"x\""},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(absent); i++) {
        g_autofree char *text = with(absent[i].part, absent[i].replacement);
        g_autoptr(ReferenceState) exact = parse(text, false, NULL);
        g_autoptr(ReferenceState) reference = parse(text, true, NULL);
        assert_null(exact);
        assert_non_null(reference);
        assert_int_equal(reference->kernels == NULL, i == 3);
        assert_int_equal(reference->notes->len, i == 3 ? 1 : 0);
    }
}

static void test_notes(void **state)
{
    static const struct {
        const char *part, *replacement, *note;
    } cases[] = {
        {"{\"sha256\": " D1 "}]", "{\"sha256\": \"0xab\"}]", "mokdig[0].sha256 is no digest"},
        {"{\"sha256\": " D1 "}]", "{\"md5\": \"0xab\"}]", "mokdig[0].md5 is no digest of a known"},
        {"2994075c-f", "2994075C-F", "pk[0] is not written as in a log"},
        {"0x3082", "0x308", "pk[0] is not written as in a log"},
        {"\"kernels\": [" KERNEL "]", "\"kernels\": []", "kernels is empty"},
        {"\"scrtm_and_bios\": [" FIRMWARE "]", "\"scrtm_and_bios\": []", "scrtm_and_bios is empty"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = with(cases[i].part, cases[i].replacement);
        g_autoptr(ReferenceState) reference = parse(text, false, NULL);
        assert_non_null(reference);
        assert_int_equal(reference->notes->len, 1);
        const char *note = g_ptr_array_index(reference->notes, 0);
        if (!g_str_has_prefix(note, cases[i].note))
            fail_msg("expected \"%s\", got \"%s\"", cases[i].note, note);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),         cmocka_unit_test(test_digests),
        cmocka_unit_test(test_refused),       cmocka_unit_test(test_without_secure_boot),
        cmocka_unit_test(test_real_hardware), cmocka_unit_test(test_notes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
