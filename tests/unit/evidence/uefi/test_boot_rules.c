/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policies `example` and `hardware`, rule by rule: a good boot with one change, and the one
 * failure that it causes.
 */
#include "boot_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const StoryCheck example = {.rules = BOOT_RULES_EXAMPLE};
static const StoryCheck believing = {.rules = BOOT_RULES_EXAMPLE, .profile = BOOT_PROFILE_UPSTREAM};
static const StoryCheck hardware = {.rules = BOOT_RULES_HARDWARE};

/* Some failure of the verdict says this. */
static void assert_says(const Verdict *verdict, const char *wanted)
{
    for (size_t i = 0; i < json_object_array_length(verdict->failures); i++) {
        Json *failure = json_object_array_get_idx(verdict->failures, i);
        const char *message = json_member_text(json_member(failure, "context"), "message");
        if (strstr(message, wanted))
            return;
    }
    g_autofree char *summary = verdict_summary(verdict);
    fail_msg("no failure says \"%s\": %s", wanted, summary);
}

/* Whatever fails, an operator is told where, what was expected and what was there. */
static void assert_explained(const Verdict *verdict)
{
    for (size_t i = 0; i < json_object_array_length(verdict->failures); i++) {
        Json *failure = json_object_array_get_idx(verdict->failures, i);
        Json *context = json_member(failure, "context");
        gint64 number;
        assert_true(json_member_int(context, "pcr", false, &number));
        assert_non_null(json_member_text(context, "expected"));
        assert_non_null(json_member_text(context, "got"));
        assert_int_equal(json_member_int(context, "event", false, &number),
                         json_member_text(context, "event_type") != NULL);
    }
}

static void assert_rejects(const Story *story, Json *reference, const StoryCheck *check,
                           const char *wanted)
{
    g_autoptr(Verdict) verdict = story_check(story, reference, check);
    assert_int_equal(verdict->evaluation, EVALUATION_FAIL);
    assert_says(verdict, wanted);
    assert_explained(verdict);
}

static void assert_accepts(const Story *story, Json *reference, const StoryCheck *check)
{
    g_autoptr(Verdict) verdict = story_check(story, reference, check);
    g_autofree char *summary = verdict_summary(verdict);
    if (verdict->evaluation != EVALUATION_PASS)
        fail_msg("%s", summary);
}

typedef struct {
    Story *story;
    Json *reference;
} Fixture;

static int set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);
    fixture->story = story_new();
    fixture->reference = story_reference();
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    g_ptr_array_unref(fixture->story);
    json_unref(fixture->reference);
    g_free(fixture);
    return 0;
}

#define STORY (((Fixture *)*state)->story)
#define REFERENCE (((Fixture *)*state)->reference)
#define TEXT(text) bytes_of(text, sizeof text - 1)

static Json *first_of(Json *reference, const char *list)
{
    return json_object_array_get_idx(json_member(reference, list), 0);
}

/* --- the whole ------------------------------------------------------------------------------- */

static void test_good_boot(void **state)
{
    assert_accepts(STORY, REFERENCE, &example);
    assert_accepts(STORY, REFERENCE, &believing);
    assert_accepts(STORY, REFERENCE, &hardware);
}

static void test_context(void **state)
{
    story_measure(STORY, "grub", "other");
    g_autoptr(Verdict) verdict = story_check(STORY, REFERENCE, &example);
    assert_int_equal(verdict->failure_count, 1);
    Json *failure = json_object_array_get_idx(verdict->failures, 0);
    assert_string_equal(json_member_text(failure, "event_id"), "measured_boot.policy_example");
    Json *context = json_member(failure, "context");
    gint64 event, pcr;
    assert_true(json_member_int(context, "event", false, &event));
    assert_true(json_member_int(context, "pcr", false, &pcr));
    assert_int_equal(event, 25);
    assert_int_equal(pcr, 4);
    assert_string_equal(json_member_text(context, "event_type"),
                        "EV_EFI_BOOT_SERVICES_APPLICATION");
    g_autofree char *expected = story_digest("grub");
    g_autofree char *got = story_digest("other");
    assert_string_equal(json_member_text(context, "expected") + strlen("sha256:"), expected + 2);
    assert_string_equal(json_member_text(context, "got") + strlen("sha256:"), got + 2);
    assert_says(verdict, "kernels[0].grub_authcode_sha256");
    assert_string_equal(verdict_failure_reason(verdict), "policy_violation");
}

static void test_context_of_an_unknown_type(void **state)
{
    story_insert(STORY, "calling", 8, EV_ACTION, TEXT("x"));
    g_autoptr(Verdict) verdict = story_check(STORY, REFERENCE, &example);
    Json *context = json_member(json_object_array_get_idx(verdict->failures, 0), "context");
    assert_string_equal(json_member_text(context, "expected"), "EV_IPL");
    assert_string_equal(json_member_text(context, "got"), "EV_ACTION");
    story_find(STORY, "inserted")->pcr = 13;
    g_autoptr(Verdict) other = story_check(STORY, REFERENCE, &example);
    context = json_member(json_object_array_get_idx(other->failures, 0), "context");
    assert_string_equal(json_member_text(context, "expected"), "no event in this PCR");
}

static void test_failures_are_limited(void **state)
{
    for (unsigned i = 0; i < 1000; i++)
        story_insert(STORY, NULL, 3, EV_ACTION, TEXT("x"));
    g_autoptr(Verdict) verdict = story_check(STORY, REFERENCE, &example);
    assert_int_equal(verdict->failure_count, 32);
}

static void test_texts_are_data(void **state)
{
    story_say(STORY, "exit", TEXT("Exit\n- events:\x1b[1m"), false);
    assert_rejects(STORY, REFERENCE, &example, "unknown action \"Exit\\x0a- events:\\x1b[1m\"");
}

/* --- events by PCR and type --------------------------------------------------------------------
 */

static void test_unknown_event(void **state)
{
    story_insert(STORY, "calling", 4, EV_ACTION, TEXT("x"));
    assert_rejects(STORY, REFERENCE, &example,
                   "event 18 (PCR 4, EV_ACTION): the policy \"example\" has no rule");
    assert_rejects(STORY, REFERENCE, &hardware, "the policy \"hardware\" has no rule");
}

static void test_information_events(void **state)
{
    story_insert(STORY, NULL, 0, EV_NO_ACTION, TEXT("StartupLocality\0\3"));
    assert_rejects(STORY, REFERENCE, &example, "knows no further information event");
    assert_accepts(STORY, REFERENCE, &hardware);
}

static void test_separator(void **state)
{
    story_say(STORY, "separator 2", TEXT("\1\0\0\0"), false);
    assert_rejects(STORY, REFERENCE, &example, "another value than 00000000");
    story_say(STORY, "separator 2", TEXT("\xff\xff\xff\xff"), false);
    assert_rejects(STORY, REFERENCE, &example, "another value than 00000000");
    assert_accepts(STORY, REFERENCE, &hardware);
    story_say(STORY, "separator 2", TEXT("\0\0\0\0"), true);
    assert_rejects(STORY, REFERENCE, &believing, "the separator's digest is of something else");
    assert_rejects(STORY, REFERENCE, &example, "do not hash to its digest");
}

static void test_separators_are_counted(void **state)
{
    story_drop(STORY, "separator 3");
    assert_rejects(STORY, REFERENCE, &example, "PCR 3: the log has 0 good separators");
    assert_accepts(STORY, REFERENCE, &believing);
    story_insert(STORY, "separator 2", 2, EV_SEPARATOR, TEXT("\0\0\0\0"));
    assert_rejects(STORY, REFERENCE, &hardware, "PCR 2: the log has 2 good separators");
}

static void test_events_that_occur_once(void **state)
{
    static const uint8_t gpt[100];
    story_insert(STORY, "gpt", 5, EV_EFI_GPT_EVENT, BYTES_OF_ARRAY(gpt));
    assert_rejects(STORY, REFERENCE, &example, "at most 1 such event");
    assert_accepts(STORY, REFERENCE, &hardware);
}

static void test_configuration_flags(void **state)
{
    for (unsigned i = 0; i < 4; i++)
        story_insert(STORY, "version", 1, EV_PLATFORM_CONFIG_FLAGS, TEXT("x"));
    assert_accepts(STORY, REFERENCE, &example);
    story_insert(STORY, "version", 1, EV_PLATFORM_CONFIG_FLAGS, TEXT("x"));
    assert_rejects(STORY, REFERENCE, &example, "at most 4 such event");
}

static void test_action(void **state)
{
    story_say(STORY, "exit", TEXT("Calling EFI Application from Boot Option"), false);
    assert_rejects(STORY, REFERENCE, &example, "unknown action");
    assert_accepts(STORY, REFERENCE, &hardware);
    story_say(STORY, "exit", TEXT("Exit Boot Services Returned with Success"), true);
    assert_rejects(STORY, REFERENCE, &believing, "the action's digest is of something else");
    assert_rejects(STORY, REFERENCE, &hardware, "do not hash to its digest");
}

static void test_actions_of_secure_boot(void **state)
{
    story_insert(STORY, "version", 7, EV_EFI_ACTION, TEXT("UEFI Debug Mode"));
    assert_rejects(STORY, REFERENCE, &hardware, "(PCR 7, EV_EFI_ACTION): the policy");
    story_find(STORY, "inserted")->pcr = 6;
    assert_accepts(STORY, REFERENCE, &hardware);
    assert_rejects(STORY, REFERENCE, &example, "(PCR 6, EV_EFI_ACTION): the policy");
}

static void test_boot_variable(void **state)
{
    static const struct {
        const char *guid, *name;
        bool good;
    } cases[] = {
        {GLOBAL_HEX, "BootOrder", true},    {GLOBAL_HEX, "BootX", false},
        {GLOBAL_HEX, "Boot", false},        {GLOBAL_HEX, "BootNext", false},
        {SECURITY_HEX, "BootOrder", false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GPtrArray) story = story_new();
        story_insert_variable(story, "version", EV_EFI_VARIABLE_BOOT, cases[i].guid, cases[i].name,
                              TEXT("\0\0"));
        story_find(story, "inserted")->pcr = 1;
        if (cases[i].good)
            assert_accepts(story, REFERENCE, &example);
        else
            assert_rejects(story, REFERENCE, &example, "unexpected boot variable");
    }
}

static void test_forged_data(void **state)
{
    story_say(STORY, "command line", TEXT("kernel_cmdline: /vmlinuz ro\0"), true);
    story_measure(STORY, "command line", "/vmlinuz ro init=/bin/sh");
    assert_accepts(STORY, REFERENCE, &believing);
    assert_rejects(STORY, REFERENCE, &example, "do not hash to its digest");
    assert_rejects(STORY, REFERENCE, &hardware, "do not hash to its digest");
}

/* --- variables of Secure Boot ------------------------------------------------------------------
 */

static void test_secure_boot_state(void **state)
{
    story_set_variable(STORY, "SecureBoot", GLOBAL_HEX, TEXT("\0"));
    assert_rejects(STORY, REFERENCE, &example,
                   "Secure Boot is off; the reference state wants it on");
    assert_rejects(STORY, REFERENCE, &hardware, "Secure Boot is off");
}

static void test_allowed_keys(void **state)
{
    static const struct {
        const char *label, *guid;
    } variables[] = {{"PK", GLOBAL_HEX}, {"KEK", GLOBAL_HEX}, {"db", SECURITY_HEX}};
    for (size_t i = 0; i < G_N_ELEMENTS(variables); i++) {
        g_autoptr(GPtrArray) story = story_new();
        g_autoptr(GByteArray) foreign = story_keys(X509_HEX, (const char *const[]){"x", NULL});
        story_set_variable(story, variables[i].label, variables[i].guid, bytes_of_array(foreign));
        assert_rejects(story, REFERENCE, &example, "is not in the reference state: owner 00000000");
        assert_rejects(story, REFERENCE, &hardware, "1 bytes with SHA-256 2d711642b726b044");
        story_set_variable(story, variables[i].label, variables[i].guid, BYTES_EMPTY);
        assert_rejects(story, REFERENCE, &example, "holds no keys");
        assert_accepts(story, REFERENCE, &hardware);
    }
}

static void test_types_of_keys(void **state)
{
    g_autoptr(GByteArray) keys =
        story_keys(SHA256_HEX, (const char *const[]){"platform key", NULL});
    story_set_variable(STORY, "PK", GLOBAL_HEX, bytes_of_array(keys));
    assert_rejects(STORY, REFERENCE, &example, "keys of an unexpected type");
    /* db may hold hashes beside certificates. */
    g_autoptr(GPtrArray) story = story_new();
    g_autoptr(GByteArray) allowed =
        story_keys(SHA256_HEX, (const char *const[]){"allowed key", NULL});
    story_set_variable(story, "db", SECURITY_HEX, bytes_of_array(allowed));
    assert_accepts(story, REFERENCE, &example);
}

static void test_forbidden_keys(void **state)
{
    static const char known[] = "a hash of thirty-two bytes......";
    static const char other[] = "another hash of as many bytes...";
    g_autoptr(GByteArray) more = story_keys(SHA256_HEX, (const char *const[]){other, known, NULL});
    story_set_variable(STORY, "dbx", SECURITY_HEX, bytes_of_array(more));
    assert_accepts(STORY, REFERENCE, &example);
    g_autoptr(GByteArray) twice = story_keys(SHA256_HEX, (const char *const[]){other, other, NULL});
    story_set_variable(STORY, "dbx", SECURITY_HEX, bytes_of_array(twice));
    assert_rejects(STORY, REFERENCE, &example, "dbx lacks 1 of the forbidden keys");
    assert_rejects(STORY, REFERENCE, &hardware, "dbx lacks 1 of the forbidden keys");
    g_autoptr(GByteArray) second = story_keys(SHA256_HEX, (const char *const[]){known, NULL});
    bytes_append(twice, bytes_of_array(second));
    story_set_variable(STORY, "dbx", SECURITY_HEX, bytes_of_array(twice));
    assert_rejects(STORY, REFERENCE, &example, "dbx is not one list");
    assert_accepts(STORY, REFERENCE, &hardware);
}

static void test_empty_dbx(void **state)
{
    story_set_variable(STORY, "dbx", SECURITY_HEX, BYTES_EMPTY);
    json_add(REFERENCE, "dbx", json_object_new_array());
    assert_rejects(STORY, REFERENCE, &example, "dbx is not one list");
    assert_accepts(STORY, REFERENCE, &hardware);
}

static void test_unknown_variables(void **state)
{
    story_insert_variable(STORY, "dbx", EV_EFI_VARIABLE_DRIVER_CONFIG, GLOBAL_HEX, "DeployedMode",
                          TEXT("\0"));
    assert_rejects(STORY, REFERENCE, &example, "no rule for the variable \"DeployedMode\"");
    assert_accepts(STORY, REFERENCE, &hardware);
    g_autoptr(GPtrArray) story = story_new();
    story_insert_variable(story, "SbatLevel", EV_EFI_VARIABLE_AUTHORITY, SHIM_HEX, "MokListRT",
                          BYTES_EMPTY);
    assert_rejects(story, REFERENCE, &example, "\"MokListRT\" without a value");
}

static void test_variable_of_another_vendor(void **state)
{
    story_set_variable(STORY, "PK", SECURITY_HEX, TEXT("x"));
    assert_rejects(STORY, REFERENCE, &example, "no rule for the variable \"PK\"");
    assert_rejects(STORY, REFERENCE, &hardware, "0 good measurements of the variable \"PK\"");
}

static void test_vendor_db(void **state)
{
    static const uint8_t owner[16];
    g_autoptr(GByteArray) key = g_byte_array_new();
    bytes_append(key, BYTES_OF_ARRAY(owner));
    bytes_append(key, TEXT("allowed key"));
    story_insert_variable(STORY, "SbatLevel", EV_EFI_VARIABLE_AUTHORITY, SECURITY_HEX, "vendor_db",
                          bytes_of_array(key));
    assert_rejects(STORY, REFERENCE, &example, "a key of vendor_db is not in the reference state");
    assert_rejects(STORY, REFERENCE, &hardware, "a key of vendor_db");
    json_add(REFERENCE, "vendor_db", json_object_get(json_member(REFERENCE, "db")));
    assert_accepts(STORY, REFERENCE, &example);
    story_insert_variable(STORY, "dbx", EV_EFI_VARIABLE_DRIVER_CONFIG, SECURITY_HEX, "vendor_db",
                          bytes_of_array(key));
    assert_rejects(STORY, REFERENCE, &example, "vendor_db of the firmware cannot be judged");
}

static void test_order_of_pcr_7(void **state)
{
    StoryEvent *late = g_ptr_array_steal_index(STORY, 5); /* db */
    assert_string_equal(late->label, "db");
    g_ptr_array_add(STORY, late);
    assert_rejects(STORY, REFERENCE, &example, "db is measured after the separator");
    assert_accepts(STORY, REFERENCE, &believing);
    g_autoptr(GPtrArray) story = story_new();
    story_insert_variable(story, "dbx", EV_EFI_VARIABLE_AUTHORITY, SHIM_HEX, "MokListRT",
                          TEXT("x"));
    assert_rejects(story, REFERENCE, &hardware,
                   "the authority \"MokListRT\" is measured before the separator");
}

static void test_variables_are_counted(void **state)
{
    story_drop(STORY, "SecureBoot");
    assert_rejects(STORY, REFERENCE, &example,
                   "0 good measurements of the variable \"SecureBoot\"");
    assert_accepts(STORY, REFERENCE, &believing);
    g_autoptr(GPtrArray) story = story_new();
    story_insert_variable(story, "dbx", EV_EFI_VARIABLE_DRIVER_CONFIG, GLOBAL_HEX, "SecureBoot",
                          TEXT("\1"));
    assert_rejects(story, REFERENCE, &example,
                   "2 good measurements of the variable \"SecureBoot\"");
    g_autoptr(GPtrArray) twice = story_new();
    story_insert_variable(twice, "dbx", EV_EFI_VARIABLE_DRIVER_CONFIG, SECURITY_HEX, "dbx",
                          TEXT("x"));
    assert_rejects(twice, REFERENCE, &believing, "\"dbx\" is measured more than once");
}

static void test_without_secure_boot(void **state)
{
    static const char *const lists[] = {"pk", "kek", "db", "dbx"};
    story_set_variable(STORY, "SecureBoot", GLOBAL_HEX, TEXT("\0"));
    story_drop(STORY, "kernel");
    json_add_bool(REFERENCE, "has_secureboot", false);
    g_autofree char *plain = story_digest("vmlinuz");
    json_add_text(first_of(REFERENCE, "kernels"), "vmlinuz_plain_sha256", plain);
    assert_accepts(STORY, REFERENCE, &example);
    g_autoptr(GByteArray) foreign = story_keys(X509_HEX, (const char *const[]){"x", NULL});
    story_set_variable(STORY, "PK", GLOBAL_HEX, bytes_of_array(foreign));
    story_set_variable(STORY, "dbx", SECURITY_HEX, BYTES_EMPTY);
    assert_rejects(STORY, REFERENCE, &example, "a key of pk");
    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++)
        json_add(REFERENCE, lists[i], json_object_new_array());
    assert_accepts(STORY, REFERENCE, &example);
    story_measure(STORY, "vmlinuz", "other");
    assert_rejects(STORY, REFERENCE, &example, "kernels[0].vmlinuz_plain_sha256");
}

/* --- shim and grub -----------------------------------------------------------------------------
 */

static void test_mok_lists(void **state)
{
    story_measure(STORY, "MokList", "other");
    assert_rejects(STORY, REFERENCE, &example, "none of those in \"mokdig\"");
    assert_rejects(STORY, REFERENCE, &hardware, "none of those in \"mokdig\"");
    story_measure(STORY, "MokList", "MokList");
    story_measure(STORY, "MokListX", "other");
    assert_rejects(STORY, REFERENCE, &example, "none of those in \"mokxdig\"");
    story_drop(STORY, "MokListX");
    assert_rejects(STORY, REFERENCE, &example, "\"mokxdig\", and the log no MokListX");
    assert_accepts(STORY, REFERENCE, &believing);
    story_drop(STORY, "MokList");
    assert_rejects(STORY, REFERENCE, &example, "\"mokdig\", and the log no MokList");
}

static void test_mok_trusted(void **state)
{
    story_measure(STORY, "MokListTrusted", "other");
    assert_rejects(STORY, REFERENCE, &example, "do not hash to its digest");
    story_say(STORY, "MokListTrusted", TEXT("Else"), true);
    assert_rejects(STORY, REFERENCE, &example, "unexpected measurement of shim \"Else\"");
}

static void test_loader_texts(void **state)
{
    story_say(STORY, "grub command", TEXT("module: x"), false);
    story_measure(STORY, "grub command", "x");
    assert_rejects(STORY, REFERENCE, &example, "text of an unknown boot loader");
    assert_accepts(STORY, REFERENCE, &hardware);
    story_say(STORY, "grub command", TEXT("grub_cmd: a\nb"), false);
    story_measure(STORY, "grub command", "a\nb");
    assert_accepts(STORY, REFERENCE, &example);
    story_say(STORY, "command line", TEXT("kernel_cmdline: /vmlinuz ro\n"), false);
    story_measure(STORY, "command line", "/vmlinuz ro\n");
    assert_rejects(STORY, REFERENCE, &example, "text of an unknown boot loader");
    assert_rejects(STORY, REFERENCE, &hardware, "does not match kernels[0].kernel_cmdline");
}

static void test_loaded_files(void **state)
{
    story_say(STORY, "grub.cfg", TEXT("/modules/evil.ko"), false);
    assert_rejects(STORY, REFERENCE, &example, "an unexpected file \"/modules/evil.ko\"");
    assert_accepts(STORY, REFERENCE, &hardware);
    story_say(STORY, "grub.cfg", TEXT("(hd0)/loader/entries/a.conf"), false);
    assert_accepts(STORY, REFERENCE, &example);
    story_say(STORY, "grub.cfg", TEXT("/grub/a\nb"), false);
    assert_rejects(STORY, REFERENCE, &example, "an unexpected file");
    story_say(STORY, "grub.cfg", TEXT("/grub/\xff"), false);
    assert_rejects(STORY, REFERENCE, &example, "an unexpected file");
}

/* --- kernels and firmware ----------------------------------------------------------------------
 */

static void test_kernel_files(void **state)
{
    static const struct {
        const char *label, *message;
    } cases[] = {
        {"shim", "kernels[0].shim_authcode_sha256 expects sha256:"},
        {"grub", "kernels[0].grub_authcode_sha256 expects sha256:"},
        {"kernel", "kernels[0].kernel_authcode_sha256 expects sha256:"},
        {"initrd", "kernels[0].initrd_plain_sha256 expects sha256:"},
        {"version", "scrtm_and_bios[0].scrtm expects sha256:"},
        {"blob", "scrtm_and_bios[0].platform_firmware[0] expects sha256:"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GPtrArray) story = story_new();
        if (strcmp(cases[i].label, "version") == 0)
            story_say(story, "version", TEXT("2\0"), false);
        else
            story_measure(story, cases[i].label, "other");
        assert_rejects(story, REFERENCE, &example, cases[i].message);
        assert_rejects(story, REFERENCE, &hardware, cases[i].message);
    }
}

static void test_numbers_of_events(void **state)
{
    static const struct {
        const char *label, *message;
    } cases[] = {
        {"kernel", "kernels[0] expects 3 to 4 measurement(s) of boot applications, the log has 2"},
        {"initrd", "kernels[0] expects 1 measurement(s) of an initrd, the log has 0"},
        {"vmlinuz", "kernels[0] expects 1 measurement(s) of a vmlinuz, the log has 0"},
        {"command line", "kernels[0] expects 1 measurement(s) of a kernel command line"},
        {"version", "scrtm_and_bios[0] expects 1 measurement(s) of the firmware's version"},
        {"blob", "scrtm_and_bios[0] expects 1 measurement(s) of firmware volumes"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GPtrArray) story = story_new();
        story_drop(story, cases[i].label);
        assert_rejects(story, REFERENCE, &example, cases[i].message);
    }
}

static void test_kernel_measured_twice(void **state)
{
    static const uint8_t image[32];
    story_insert(STORY, "kernel", 4, EV_EFI_BOOT_SERVICES_APPLICATION, BYTES_OF_ARRAY(image));
    story_measure(STORY, "inserted", "kernel");
    assert_accepts(STORY, REFERENCE, &example);
    story_measure(STORY, "inserted", "other");
    assert_rejects(STORY, REFERENCE, &example, "kernels[0].kernel_authcode_sha256");
    story_measure(STORY, "inserted", "kernel");
    story_insert(STORY, "inserted", 4, EV_EFI_BOOT_SERVICES_APPLICATION, BYTES_OF_ARRAY(image));
    assert_rejects(STORY, REFERENCE, &example, "the log has 5");
}

static void test_command_line(void **state)
{
    story_say(STORY, "command line", TEXT("kernel_cmdline: /vmlinuz ro quiet"), false);
    story_measure(STORY, "command line", "/vmlinuz ro quiet");
    assert_rejects(STORY, REFERENCE, &example, "does not match kernels[0].kernel_cmdline");
    json_add_text(first_of(REFERENCE, "kernels"), "kernel_cmdline", "/vmlinuz ro.*");
    assert_accepts(STORY, REFERENCE, &example);
    /* The pattern has no group around it. */
    json_add_text(first_of(REFERENCE, "kernels"), "kernel_cmdline", "nothing|.*quiet");
    assert_accepts(STORY, REFERENCE, &example);
    json_add_text(first_of(REFERENCE, "kernels"), "kernel_cmdline", "(/|[a-z ])*[0-9]");
    g_autofree char *longest = g_strdup_printf("kernel_cmdline: %0100d", 0);
    memset(longest + 16, 'a', 100);
    story_say(STORY, "command line", bytes_of_text(longest), false);
    story_measure(STORY, "command line", longest + 16);
    assert_rejects(STORY, REFERENCE, &example, "does not match kernels[0].kernel_cmdline");
    json_add_text(first_of(REFERENCE, "kernels"), "kernel_cmdline", "(a|aa)+[bc]");
    assert_rejects(STORY, REFERENCE, &example, "kernels[0].kernel_cmdline is too costly");
}

static void test_older_grub(void **state)
{
    story_say(STORY, "command line", TEXT("grub_kernel_cmdline /vmlinuz ro\0"), false);
    story_measure(STORY, "command line", "/vmlinuz ro");
    assert_rejects(STORY, REFERENCE, &example, "text of an unknown boot loader");
    assert_accepts(STORY, REFERENCE, &hardware);
    /* As `create measured-boot` cuts it. */
    json_add_text(first_of(REFERENCE, "kernels"), "kernel_cmdline", "ine /vmlinuz ro");
    assert_accepts(STORY, REFERENCE, &hardware);
    json_add_text(first_of(REFERENCE, "kernels"), "kernel_cmdline", "line /vmlinuz ro");
    assert_rejects(STORY, REFERENCE, &hardware, "does not match kernels[0].kernel_cmdline");
}

static void test_nearest_alternative(void **state)
{
    g_autofree char *other = story_digest("other");
    g_autofree char *near = json_to_text(first_of(REFERENCE, "kernels"));
    Json *far = json_parse(bytes_of_text(near), NULL);
    json_add_text(far, "shim_authcode_sha256", other);
    json_add_text(far, "grub_authcode_sha256", other);
    json_object_array_put_idx(json_member(REFERENCE, "kernels"), 1,
                              json_object_get(first_of(REFERENCE, "kernels")));
    json_object_array_put_idx(json_member(REFERENCE, "kernels"), 0, far);
    assert_accepts(STORY, REFERENCE, &example);
    story_measure(STORY, "initrd", "other");
    g_autoptr(Verdict) verdict = story_check(STORY, REFERENCE, &example);
    assert_int_equal(verdict->failure_count, 1);
    assert_says(verdict, "kernels[1].initrd_plain_sha256");
}

static void test_empty_alternatives(void **state)
{
    json_add(REFERENCE, "kernels", json_object_new_array());
    assert_rejects(STORY, REFERENCE, &example, "an empty list \"kernels\", which allows no boot");
    json_add(REFERENCE, "scrtm_and_bios", json_object_new_array());
    assert_rejects(STORY, REFERENCE, &example, "an empty list \"scrtm_and_bios\"");
}

/* Rule P2: what the quote does not cover counts for nothing. */
static void test_bank_without_reference(void **state)
{
    StoryCheck check = example;
    check.bank = TPM_ALG_SHA1;
    assert_rejects(STORY, REFERENCE, &check,
                   "no digest of the quoted bank sha1 is in the reference state");
    check.profile = BOOT_PROFILE_UPSTREAM;
    assert_accepts(STORY, REFERENCE, &check);
}

/* --- hardware ----------------------------------------------------------------------------------
 */

static void test_firmware_of_real_machines(void **state)
{
    static const struct {
        uint32_t pcr, type;
    } events[] = {
        {0, EV_POST_CODE},    {0, EV_S_CRTM_CONTENTS},
        {0, EV_NONHOST_INFO}, {1, EV_TABLE_OF_DEVICES},
        {0, 0x40e},           {2, 0x8401},
        {6, EV_COMPACT_HASH}, {1, EV_EFI_HANDOFF_TABLES},
        {9, EV_EVENT_TAG},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(events); i++)
        story_insert(STORY, "version", events[i].pcr, events[i].type, TEXT("sixteen bytes..."));
    assert_accepts(STORY, REFERENCE, &hardware);
    story_insert(STORY, "version", 4, 0x40e, TEXT("x"));
    assert_rejects(STORY, REFERENCE, &hardware, "(PCR 4, Unknown event type 0x40e): the policy");
}

static void test_application_in_firmware(void **state)
{
    static const uint8_t image[32];
    story_insert(STORY, "version", 4, EV_EFI_BOOT_SERVICES_APPLICATION, BYTES_OF_ARRAY(image));
    assert_accepts(STORY, REFERENCE, &hardware);
    assert_rejects(STORY, REFERENCE, &example, "kernels[0].");
    story_find(STORY, "inserted")->pcr = 5;
    assert_rejects(STORY, REFERENCE, &hardware, "no rule for an event of this type");
    g_autoptr(GPtrArray) story = story_new();
    story_insert(story, "separator 7", 4, EV_EFI_BOOT_SERVICES_APPLICATION, BYTES_OF_ARRAY(image));
    assert_rejects(story, REFERENCE, &hardware, "kernels[0].");
}

/* A separator is known by its digest: under another type it would hide what ran after it. */
static void test_hidden_separator(void **state)
{
    static const uint8_t image[32], zeros[4];
    StoryEvent *separator = story_find(STORY, "separator 4");
    story_say(STORY, "separator 4", BYTES_OF_ARRAY(image), true);
    separator->type = EV_EFI_BOOT_SERVICES_APPLICATION;
    story_insert(STORY, "separator 4", 4, EV_SEPARATOR, BYTES_OF_ARRAY(zeros));
    story_insert(STORY, "separator 4", 4, EV_EFI_BOOT_SERVICES_APPLICATION, BYTES_OF_ARRAY(image));
    assert_rejects(STORY, REFERENCE, &hardware, "the digest is that of a separator");
    assert_rejects(STORY, REFERENCE, &example, "the digest is that of a separator");
    story_say(STORY, "separator 4", BYTES_OF_ARRAY(zeros), false);
    separator->type = EV_EFI_ACTION;
    assert_rejects(STORY, REFERENCE, &hardware, "the digest is that of a separator");
    story_say(STORY, "separator 4", TEXT("\x01\0\0\0"), false);
    assert_rejects(STORY, REFERENCE, &hardware, "the digest is that of a separator");
    story_say(STORY, "separator 4", TEXT("\xff\xff\xff\xff"), false);
    assert_rejects(STORY, REFERENCE, &hardware, "the digest is that of a separator");
    story_say(STORY, "separator 4", TEXT("an action"), false);
    assert_accepts(STORY, REFERENCE, &hardware);
}

/* After the separator whoever runs the system can extend PCR 0 by what the reference state wants.
 */
static void test_late_firmware(void **state)
{
    static const char *const labels[] = {"version", "blob"};
    for (size_t i = 0; i < G_N_ELEMENTS(labels); i++) {
        g_autoptr(GPtrArray) story = story_new();
        StoryEvent *event = story_find(story, labels[i]);
        story_insert(story, "exit", 0, event->type, bytes_of_array(event->data));
        event->type = EV_POST_CODE; /* another firmware, under a type that is not judged */
        StoryEvent *late = story_find(story, "inserted");
        if (event->measured)
            late->measured = g_bytes_ref(event->measured);
        story_measure(story, labels[i], "other");
        assert_rejects(story, REFERENCE, &hardware, "the firmware is measured after the separator");
        story_drop(story, "separator 0");
        assert_rejects(story, REFERENCE, &hardware, "PCR 0: the log has 0 good separators");
    }
}

static void test_absent_members(void **state)
{
    Json *kernel = first_of(REFERENCE, "kernels");
    json_object_object_del(kernel, "initrd_plain_sha256");
    assert_rejects(STORY, REFERENCE, &hardware,
                   "kernels[0] expects 0 measurement(s) of an initrd, the log has 1");
    story_drop(STORY, "initrd");
    assert_accepts(STORY, REFERENCE, &hardware);
    json_object_object_del(kernel, "kernel_cmdline");
    assert_rejects(STORY, REFERENCE, &hardware,
                   "kernels[0] expects 0 measurement(s) of a kernel command line, the log has 1");
    json_object_object_del(first_of(REFERENCE, "scrtm_and_bios"), "scrtm");
    assert_rejects(STORY, REFERENCE, &hardware,
                   "scrtm_and_bios[0] expects 0 measurement(s) of the firmware's version");
    json_object_object_del(REFERENCE, "kernels");
    story_drop(STORY, "version");
    story_drop(STORY, "shim");
    assert_accepts(STORY, REFERENCE, &hardware);
}

/* PCRs that the operator leaves out are neither compared nor believed. */
static void test_chosen_pcrs(void **state)
{
    StoryCheck check = hardware;
    check.pcrs = 1u << 0 | 1u << 7;
    story_measure(STORY, "shim", "other");
    story_measure(STORY, "MokList", "other");
    story_drop(STORY, "initrd");
    story_drop(STORY, "separator 3");
    assert_accepts(STORY, REFERENCE, &check);
    story_set_variable(STORY, "SecureBoot", GLOBAL_HEX, TEXT("\0"));
    story_measure(STORY, "blob", "other");
    assert_rejects(STORY, REFERENCE, &check, "Secure Boot is off");
    assert_rejects(STORY, REFERENCE, &check, "platform_firmware[0]");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_good_boot),
        TEST(test_context),
        TEST(test_context_of_an_unknown_type),
        TEST(test_failures_are_limited),
        TEST(test_texts_are_data),
        TEST(test_unknown_event),
        TEST(test_information_events),
        TEST(test_separator),
        TEST(test_separators_are_counted),
        TEST(test_events_that_occur_once),
        TEST(test_configuration_flags),
        TEST(test_action),
        TEST(test_actions_of_secure_boot),
        TEST(test_boot_variable),
        TEST(test_forged_data),
        TEST(test_secure_boot_state),
        TEST(test_allowed_keys),
        TEST(test_types_of_keys),
        TEST(test_forbidden_keys),
        TEST(test_empty_dbx),
        TEST(test_unknown_variables),
        TEST(test_variable_of_another_vendor),
        TEST(test_vendor_db),
        TEST(test_order_of_pcr_7),
        TEST(test_variables_are_counted),
        TEST(test_without_secure_boot),
        TEST(test_mok_lists),
        TEST(test_mok_trusted),
        TEST(test_loader_texts),
        TEST(test_loaded_files),
        TEST(test_kernel_files),
        TEST(test_numbers_of_events),
        TEST(test_kernel_measured_twice),
        TEST(test_command_line),
        TEST(test_older_grub),
        TEST(test_nearest_alternative),
        TEST(test_empty_alternatives),
        TEST(test_bank_without_reference),
        TEST(test_firmware_of_real_machines),
        TEST(test_application_in_firmware),
        TEST(test_hidden_separator),
        TEST(test_late_firmware),
        TEST(test_absent_members),
        TEST(test_chosen_pcrs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
