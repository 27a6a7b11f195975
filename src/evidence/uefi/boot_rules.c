/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which events may occur in which PCR: the table of rules and the walk over the log (measured-boot
 * §12.2, §15).
 */
#include "evidence/uefi/boot_evaluation.h"

#include "base/encoding.h"
#include "evidence/uefi/bank.h"
#include "evidence/uefi/data_digest.h"
#include "evidence/uefi/text.h"

#include <string.h>

#define PCR(n) (UINT32_C(1) << (n))
#define PCRS_0_TO_7 0xffu
/* All of them but PCR 4 and 7, where what is not known must be refused. */
#define VENDOR_PCRS (PCRS_0_TO_7 & ~(PCR(4) | PCR(7)))
#define ANY_PCR UINT32_MAX
#define ANY_TYPE UINT32_MAX

/* --- checks -------------------------------------------------------------------------------- */

static void accept(BootEvaluation *evaluation, const UefiEvent *event)
{
}

static void refuse_no_action(BootEvaluation *evaluation, const UefiEvent *event)
{
    boot_fail(evaluation, event, "no such event after the header", "EV_NO_ACTION",
              "the policy \"example\" knows no further information event such as "
              "StartupLocality; the policy \"hardware\" does");
}

static void fail_digest(BootEvaluation *evaluation, const UefiEvent *event, const char *reason)
{
    g_autofree char *got = boot_event_digest_text(evaluation, event);
    boot_fail(evaluation, event, "the digest of the event's data", got, "%s", reason);
}

/* Two that end the firmware's part alike, and the one of firmware that met an error. */
static const uint8_t separators[BOOT_SEPARATOR_COUNT][4] = {
    {0}, {0xff, 0xff, 0xff, 0xff}, {1, 0, 0, 0}};

static void check_separator(BootEvaluation *evaluation, const UefiEvent *event)
{
    if (event->pcr < PCR_COUNT)
        evaluation->separators[event->pcr]++;
    bool hardware = evaluation->subject->rules == BOOT_RULES_HARDWARE;
    g_autofree char *got = hex_encode(event->data);
    if (!bytes_equal(event->data, BYTES_OF_ARRAY(separators[0])) &&
        !(hardware && bytes_equal(event->data, BYTES_OF_ARRAY(separators[1]))))
        boot_fail(evaluation, event, "00000000", got,
                  "the separator has another value than 00000000: the firmware met an error");
    else if (!boot_event_hashes(evaluation, event, event->data))
        fail_digest(evaluation, event, "the separator's digest is of something else");
}

static void check_action(BootEvaluation *evaluation, const UefiEvent *event)
{
    static const struct {
        uint32_t pcr;
        const char *text;
    } actions[] = {
        {1, "Entering ROM Based Setup"},
        {4, "Calling EFI Application from Boot Option"},
        {4, "Returning from EFI Application from Boot Option"},
        {5, "Exit Boot Services Invocation"},
        {5, "Exit Boot Services Returned with Failure"},
        {5, "Exit Boot Services Returned with Success"},
    };
    Bytes text = uefi_text_before_nul(event->data);
    g_autofree char *got = utf8_escape(text);
    bool known = false;
    for (size_t i = 0; i < G_N_ELEMENTS(actions); i++)
        known |= actions[i].pcr == event->pcr && bytes_equal(text, bytes_of_text(actions[i].text));
    if (!known)
        boot_fail(evaluation, event, "an action that the specification names for this PCR", got,
                  "unknown action \"%s\"", got);
    else if (!boot_event_hashes(evaluation, event, text))
        fail_digest(evaluation, event, "the action's digest is of something else");
}

/* BootOrder, or Boot and hexadecimal digits, of the global variables, with a value. */
static void check_boot_variable(BootEvaluation *evaluation, const UefiEvent *event)
{
    UefiVariable variable;
    if (!uefi_variable_parse(event->data, &variable))
        return; /* the parser has refused such a log */
    g_autofree char *name = uefi_variable_name(&variable);
    bool named = strcmp(name, "BootOrder") == 0 ||
                 (g_str_has_prefix(name, "Boot") && name[4] != '\0' &&
                  name[4 + strspn(name + 4, "0123456789abcdefABCDEF")] == '\0');
    bool absent = uefi_variable_form(event->type, &variable) == UEFI_VARIABLE_OPAQUE &&
                  variable.data.size == 0;
    if (!named || absent || !boot_variable_is_global(&variable))
        boot_fail(evaluation, event, "BootOrder or Boot#### of the global variables", name,
                  "unexpected boot variable \"%s\"", name);
}

static void check_application(BootEvaluation *evaluation, const UefiEvent *event)
{
    /* Applications in the firmware itself, a setup program say, run before the boot loader. Their
     * place before the separator is all that shows them: the device path is not measured. */
    bool firmware = evaluation->subject->rules == BOOT_RULES_HARDWARE &&
                    evaluation->separators[event->pcr] == 0;
    if (!firmware)
        boot_collect(evaluation, COLLECT_APPLICATIONS, event);
}

/* The firmware measures itself before its separator; later anybody can extend PCR 0. */
static void collect_firmware(BootEvaluation *evaluation, BootCollection collection,
                             const UefiEvent *event)
{
    if (evaluation->subject->strict && evaluation->separators[event->pcr] > 0)
        boot_fail(evaluation, event, "before the separator of PCR 0", "after it",
                  "the firmware is measured after the separator, when it had ended");
    else
        boot_collect(evaluation, collection, event);
}

static void collect_version(BootEvaluation *evaluation, const UefiEvent *event)
{
    collect_firmware(evaluation, COLLECT_VERSIONS, event);
}

static void collect_blob(BootEvaluation *evaluation, const UefiEvent *event)
{
    collect_firmware(evaluation, COLLECT_FIRMWARE, event);
}

static void check_loader_text(BootEvaluation *evaluation, const UefiEvent *event)
{
    g_autoptr(GString) text = boot_ipl_text(event);
    bool hardware = evaluation->subject->rules == BOOT_RULES_HARDWARE;
    bool one_line = text && !memchr(text->str, '\n', text->len);
    if (text && g_str_has_prefix(text->str, "grub_cmd: "))
        return;
    if (text && (one_line || hardware) && g_str_has_prefix(text->str, "kernel_cmdline: "))
        boot_collect(evaluation, COLLECT_CMDLINES, event);
    else if (hardware && text && g_str_has_prefix(text->str, BOOT_OLD_CMDLINE))
        boot_collect(evaluation, COLLECT_CMDLINES, event);
    else if (!hardware) { /* real machines have other loaders, and older grubs */
        g_autofree char *got = boot_ipl_shown(event);
        boot_fail(evaluation, event, "\"grub_cmd: ...\" or \"kernel_cmdline: ...\"", got,
                  "text of an unknown boot loader");
    }
}

/* A type that no specification names for PC firmware, or only later ones (SPDM). */
static bool has_vendor_type(const UefiEvent *event)
{
    return !uefi_event_type_is_known(event->type);
}

static bool holds(const GString *text, const char *part)
{
    return memmem(text->str, text->len, part, strlen(part)) != NULL;
}

/* Files that the boot loader read. Their names are not measured, only their contents. */
static void check_loaded_file(BootEvaluation *evaluation, const UefiEvent *event)
{
    g_autoptr(GString) text = boot_ipl_text(event);
    bool one_line = text && !memchr(text->str, '\n', text->len);
    if (one_line && (holds(text, "/loader/entries") || holds(text, "/grub")))
        return;
    if (one_line && holds(text, "/vmlinuz"))
        boot_collect(evaluation, COLLECT_KERNEL_FILES, event);
    else if (one_line && (holds(text, "/initrd") || holds(text, "/initramfs")))
        boot_collect(evaluation, COLLECT_INITRDS, event);
    else if (evaluation->subject->rules != BOOT_RULES_HARDWARE) {
        g_autofree char *got = boot_ipl_shown(event);
        boot_fail(evaluation, event,
                  "a file of grub or /loader/entries, a vmlinuz, or an initrd or initramfs", got,
                  "the boot loader read an unexpected file \"%s\"", got);
    }
}

static void check_mok_digest(BootEvaluation *evaluation, const UefiEvent *event, const char *member,
                             const GArray *digests)
{
    if (boot_event_has_digest_of(evaluation, event, digests))
        return;
    g_autofree char *expected =
        boot_digests_text(evaluation, (const ReferenceDigest *)digests->data, digests->len);
    g_autofree char *got = boot_event_digest_text(evaluation, event);
    boot_fail(evaluation, event, expected, got,
              "the machine owner's key list is none of those in \"%s\"", member);
}

static bool has_text(const UefiEvent *event, const char *wanted)
{
    g_autoptr(GString) text = boot_ipl_text(event);
    return text && bytes_equal(bytes_of(text->str, text->len), bytes_of_text(wanted));
}

static bool is_mok_trusted(const UefiEvent *event)
{
    return has_text(event, "MokListTrusted");
}

static bool is_other_mok(const UefiEvent *event)
{
    return !is_mok_trusted(event);
}

static void check_mok(BootEvaluation *evaluation, const UefiEvent *event)
{
    if (has_text(event, "MokList")) {
        evaluation->mok_lists++;
        check_mok_digest(evaluation, event, "mokdig", evaluation->reference->mok);
    } else if (has_text(event, "MokListX")) {
        evaluation->mokx_lists++;
        check_mok_digest(evaluation, event, "mokxdig", evaluation->reference->mokx);
    } else {
        g_autofree char *got = boot_ipl_shown(event);
        boot_fail(evaluation, event, "MokList, MokListX or MokListTrusted", got,
                  "unexpected measurement of shim \"%s\"", got);
    }
}

/* --- the table ----------------------------------------------------------------------------- */

typedef struct {
    uint32_t pcrs; /* bits */
    uint32_t type;
    unsigned policies;
    unsigned most; /* so many events at most; 0: any number */
    void (*check)(BootEvaluation *evaluation, const UefiEvent *event);
    bool (*applies)(const UefiEvent *event); /* NULL: to every event of this PCR and type */
} BootRule;

/* The first row that fits an event is its rule. What fits no row is refused, and so is what comes
 * more often than its row says. */
static const BootRule rules[] = {
    {PCR(0), EV_NO_ACTION, IN_EXAMPLE, 0, refuse_no_action},
    {ANY_PCR, EV_NO_ACTION, IN_HARDWARE, 0, accept},
    {PCRS_0_TO_7, EV_SEPARATOR, IN_BOTH, 0, check_separator},

    /* PCR 0: firmware */
    {PCR(0), EV_S_CRTM_VERSION, IN_BOTH, 0, collect_version},
    {PCR(0), EV_EFI_PLATFORM_FIRMWARE_BLOB, IN_BOTH, 0, collect_blob},
    {PCR(0), EV_EFI_PLATFORM_FIRMWARE_BLOB2, IN_BOTH, 0, collect_blob},
    {PCR(0), EV_POST_CODE, IN_HARDWARE, 0, accept},
    {PCR(0), EV_S_CRTM_CONTENTS, IN_HARDWARE, 0, accept},
    {PCR(0), EV_NONHOST_CODE, IN_HARDWARE, 0, accept},
    {PCR(0), EV_NONHOST_INFO, IN_HARDWARE, 0, accept},
    {PCR(0), EV_EFI_HCRTM_EVENT, IN_HARDWARE, 0, accept},

    /* PCR 1: configuration */
    {PCR(1), EV_CPU_MICROCODE, IN_EXAMPLE, 1, accept},
    {PCR(1), EV_CPU_MICROCODE, IN_HARDWARE, 0, accept},
    {PCR(1), EV_EFI_HANDOFF_TABLES, IN_EXAMPLE, 1, accept},
    {PCR(1), EV_EFI_HANDOFF_TABLES, IN_HARDWARE, 0, accept},
    {PCR(1), EV_EFI_HANDOFF_TABLES2, IN_EXAMPLE, 1, accept},
    {PCR(1), EV_EFI_HANDOFF_TABLES2, IN_HARDWARE, 0, accept},
    {PCR(1), EV_PLATFORM_CONFIG_FLAGS, IN_EXAMPLE, 4, accept},
    {PCR(1), EV_PLATFORM_CONFIG_FLAGS, IN_HARDWARE, 0, accept},
    {PCR(1), EV_EFI_VARIABLE_BOOT, IN_BOTH, 0, check_boot_variable},
    {PCR(1), EV_EFI_VARIABLE_BOOT2, IN_HARDWARE, 0, accept},
    {PCR(1), EV_TABLE_OF_DEVICES, IN_HARDWARE, 0, accept},
    {PCR(1), EV_NONHOST_CONFIG, IN_HARDWARE, 0, accept},
    {PCR(1), EV_EFI_VARIABLE_DRIVER_CONFIG, IN_HARDWARE, 0, accept},

    /* PCR 2: drivers of devices */
    {PCR(2), EV_EFI_BOOT_SERVICES_DRIVER, IN_BOTH, 0, accept},
    {PCR(2), EV_EFI_RUNTIME_SERVICES_DRIVER, IN_HARDWARE, 0, accept},

    /* PCR 4: what was started */
    {PCR(4), EV_EFI_BOOT_SERVICES_APPLICATION, IN_BOTH, 0, check_application},
    {PCR(1) | PCR(4) | PCR(5), EV_EFI_ACTION, IN_EXAMPLE, 0, check_action},
    {PCRS_0_TO_7 & ~PCR(7), EV_EFI_ACTION, IN_HARDWARE, 0, accept}, /* PCR 7: a debugger, say */

    /* PCR 5: partitions */
    {PCR(5), EV_EFI_GPT_EVENT, IN_EXAMPLE, 1, accept},
    {PCR(5), EV_EFI_GPT_EVENT, IN_HARDWARE, 0, accept},
    {PCR(5), EV_EFI_VARIABLE_BOOT, IN_HARDWARE, 0, accept},
    {PCR(5), EV_EFI_VARIABLE_BOOT2, IN_HARDWARE, 0, accept},

    /* PCR 0 to 6: what vendors add */
    {VENDOR_PCRS, EV_EVENT_TAG, IN_HARDWARE, 0, accept},
    {VENDOR_PCRS, EV_COMPACT_HASH, IN_HARDWARE, 0, accept},
    {VENDOR_PCRS, ANY_TYPE, IN_HARDWARE, 0, accept, has_vendor_type},

    /* PCR 7: Secure Boot; the variables have a table of their own */
    {PCR(7), EV_EFI_VARIABLE_DRIVER_CONFIG, IN_BOTH, 0, boot_check_variable},
    {PCR(7), EV_EFI_VARIABLE_AUTHORITY, IN_BOTH, 0, boot_check_variable},

    /* PCR 8 and 9: boot loader */
    {PCR(8), EV_IPL, IN_BOTH, 0, check_loader_text},
    {PCR(9), EV_IPL, IN_BOTH, 0, check_loaded_file},
    {PCR(9), EV_EVENT_TAG, IN_HARDWARE, 0, accept},

    /* PCR 14: machine owner's keys */
    {PCR(14), EV_IPL, IN_BOTH, 1, accept, is_mok_trusted},
    {PCR(14), EV_IPL, IN_BOTH, 0, check_mok, is_other_mok},
};
G_STATIC_ASSERT(G_N_ELEMENTS(rules) <= RULE_MAX);

/* --- the walk ------------------------------------------------------------------------------ */

static bool is_row_of(const BootRule *rule, BootRules policy, uint32_t pcr)
{
    bool in_pcr = rule->pcrs == ANY_PCR || (pcr < 32 && (rule->pcrs >> pcr & 1) != 0);
    return in_pcr && (rule->policies >> policy & 1) != 0;
}

static const BootRule *rule_of(BootRules policy, const UefiEvent *event)
{
    for (size_t i = 0; i < G_N_ELEMENTS(rules); i++) {
        const BootRule *rule = &rules[i];
        bool of_type = rule->type == event->type || rule->type == ANY_TYPE;
        if (of_type && is_row_of(rule, policy, event->pcr) &&
            (!rule->applies || rule->applies(event)))
            return rule;
    }
    return NULL;
}

/* The event types that the policy knows in a PCR. */
static char *known_types(BootRules policy, uint32_t pcr)
{
    g_autoptr(GString) names = g_string_new(NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(rules); i++) {
        const BootRule *rule = &rules[i];
        const char *name = uefi_event_type_name(rule->type);
        if (is_row_of(rule, policy, pcr) && rule->type != ANY_TYPE && !strstr(names->str, name))
            g_string_append_printf(names, "%s%s", names->len > 0 ? ", " : "", name);
    }
    return g_string_free(g_steal_pointer(&names), FALSE);
}

/* Rule P3. */
static bool data_are_true(BootEvaluation *evaluation, const UefiEvent *event)
{
    const BootSubject *subject = evaluation->subject;
    if (!subject->strict || uefi_data_binding(event, subject->bank) != UEFI_DATA_FALSE)
        return true;
    fail_digest(evaluation, event,
                "the event's data do not hash to its digest: what it says was not measured");
    return false;
}

/* Rule P5: what comes before a separator is the firmware's, so no separator may go by another type,
 * with a false one behind what ran after it. */
static bool hides_separator(BootEvaluation *evaluation, const UefiEvent *event)
{
    const BootSubject *subject = evaluation->subject;
    Bytes digest = uefi_event_digest(event, subject->bank);
    bool hidden = false;
    if (!subject->strict || event->type == EV_SEPARATOR || event->type == EV_NO_ACTION ||
        event->pcr > BOOT_LAST_FIRMWARE_PCR)
        return false;
    for (size_t i = 0; i < BOOT_SEPARATOR_COUNT; i++)
        hidden |= bytes_equal(digest, bytes_of(evaluation->separator_digest[i], digest.size));
    if (hidden)
        boot_fail(evaluation, event, "EV_SEPARATOR", uefi_event_type_name(event->type),
                  "the digest is that of a separator, which the event's type hides");
    return hidden;
}

static void refuse_type(BootEvaluation *evaluation, const UefiEvent *event)
{
    BootRules policy = evaluation->subject->rules;
    g_autofree char *expected = known_types(policy, event->pcr);
    boot_fail(evaluation, event, *expected ? expected : "no event in this PCR",
              uefi_event_type_name(event->type),
              "the policy \"%s\" has no rule for an event of this type in this PCR",
              boot_rules_name(policy));
}

static void refuse_repetition(BootEvaluation *evaluation, const UefiEvent *event, unsigned most,
                              unsigned uses)
{
    g_autofree char *expected = g_strdup_printf("at most %u", most);
    g_autofree char *got = g_strdup_printf("%u", uses);
    boot_fail(evaluation, event, expected, got,
              "the policy \"%s\" accepts %s such event(s) in a log",
              boot_rules_name(evaluation->subject->rules), expected);
}

static void judge_event(BootEvaluation *evaluation, const UefiEvent *event)
{
    const BootRule *rule = rule_of(evaluation->subject->rules, event);
    unsigned uses = rule ? ++evaluation->rule_uses[rule - rules] : 0;
    if (!rule)
        refuse_type(evaluation, event);
    else if (rule->most > 0 && uses > rule->most)
        refuse_repetition(evaluation, event, rule->most, uses);
    else if (!hides_separator(evaluation, event) && data_are_true(evaluation, event))
        rule->check(evaluation, event);
}

/* Of PCRs that nothing was compared with, `hardware` believes nothing, and asks nothing. */
static bool is_judged(const BootSubject *subject, const UefiEvent *event)
{
    return subject->rules != BOOT_RULES_HARDWARE || event->type == EV_NO_ACTION ||
           (event->pcr < PCR_COUNT && (subject->pcrs >> event->pcr & 1) != 0);
}

/* So that an event costs comparisons, and no hash. */
static void hash_separators(BootEvaluation *evaluation)
{
    const EVP_MD *md = uefi_bank_md(evaluation->subject->bank);
    for (size_t i = 0; md && i < BOOT_SEPARATOR_COUNT; i++) {
        bool done = EVP_Digest(separators[i], sizeof separators[i], evaluation->separator_digest[i],
                               NULL, md, NULL) == 1;
        g_assert(done); /* a fetched digest over memory cannot fail */
    }
}

bool boot_evaluate(const BootSubject *subject, Verdict *verdict)
{
    BootEvaluation evaluation = {
        .subject = subject, .reference = subject->reference, .verdict = verdict};
    for (size_t i = 0; i < COLLECT_COUNT; i++)
        evaluation.collected[i] = g_array_new(FALSE, FALSE, sizeof(BootPlace));
    hash_separators(&evaluation);
    UefiLogCursor cursor = uefi_log_begin(subject->log);
    UefiEvent event;
    while (!evaluation.abandoned && uefi_log_next(&cursor, &event))
        if (is_judged(subject, &event))
            judge_event(&evaluation, &event);
    if (!evaluation.abandoned)
        boot_judge_outcome(&evaluation);
    for (size_t i = 0; i < COLLECT_COUNT; i++)
        g_array_unref(evaluation.collected[i]);
    return evaluation.failures == 0;
}
