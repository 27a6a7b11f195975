/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold of a whole boot: order of PCR 7, separators, and one of the kernels and one of the
 * firmwares of the reference state (measured-boot §12.5, rules P4 to P6 of §15).
 */
#include "evidence/uefi/boot_evaluation.h"

#include <string.h>

/* Secure Boot's state is measured in this PCR. */
#define PCR_SECURE_BOOT 7

/* --- the form of the log ------------------------------------------------------------------- */

static bool is_compared(const BootEvaluation *evaluation, unsigned pcr)
{
    return (evaluation->subject->pcrs >> pcr & 1) != 0;
}

static void judge_separators(BootEvaluation *evaluation)
{
    for (unsigned pcr = 0; pcr <= BOOT_LAST_FIRMWARE_PCR; pcr++) {
        unsigned count = evaluation->separators[pcr];
        if (!is_compared(evaluation, pcr) || count == 1)
            continue;
        g_autofree char *got = g_strdup_printf("%u", count);
        boot_fail_pcr(evaluation, pcr, "1", got,
                      "the log has %s good separators of this PCR instead of one", got);
    }
}

static void judge_key_variables(BootEvaluation *evaluation)
{
    for (size_t i = 0; is_compared(evaluation, PCR_SECURE_BOOT) && i < KEY_VARIABLE_COUNT; i++) {
        unsigned count = evaluation->key_variables[i];
        if (count == 1)
            continue;
        g_autofree char *got = g_strdup_printf("%u", count);
        boot_fail_pcr(evaluation, PCR_SECURE_BOOT, "1", got,
                      "the log has %s good measurements of the variable \"%s\" instead of one", got,
                      boot_key_variables[i]);
    }
}

/* Without it, an unwanted list could be measured under another name. */
static void judge_mok_lists(BootEvaluation *evaluation)
{
    const ReferenceState *reference = evaluation->reference;
    if (!is_compared(evaluation, 14))
        return;
    if (reference->expects_mok && evaluation->mok_lists == 0)
        boot_fail_pcr(evaluation, 14, "MokList", "no such event",
                      "the reference state has \"mokdig\", and the log no MokList");
    if (reference->expects_mokx && evaluation->mokx_lists == 0)
        boot_fail_pcr(evaluation, 14, "MokListX", "no such event",
                      "the reference state has \"mokxdig\", and the log no MokListX");
}

/* --- alternatives -------------------------------------------------------------------------- */

/* One alternative of the reference state held against the log. It is tried in silence first; of the
 * alternatives that all differ the nearest one is tried again and tells how. */
typedef struct {
    BootEvaluation *evaluation;
    const char *list; /* "kernels" */
    guint index;
    bool tell;
    guint differences;
} Trial;

/* Counts a difference; true when it is to be told. */
static bool differs(Trial *trial)
{
    trial->differences++;
    return trial->tell;
}

static guint collected(const Trial *trial, BootCollection collection)
{
    return trial->evaluation->collected[collection]->len;
}

static void event_of(const Trial *trial, BootCollection collection, guint index, UefiEvent *event)
{
    GArray *places = trial->evaluation->collected[collection];
    boot_event_at(trial->evaluation, g_array_index(places, BootPlace, index), event);
}

static void try_digests(Trial *trial, BootCollection collection, guint index,
                        const ReferenceDigest *digests, guint count, const char *member)
{
    BootEvaluation *evaluation = trial->evaluation;
    UefiEvent event;
    event_of(trial, collection, index, &event);
    for (guint i = 0; i < count; i++)
        if (boot_event_has_digest(evaluation, &event, &digests[i]))
            return;
    if (!differs(trial))
        return;
    g_autofree char *expected = boot_digests_text(evaluation, digests, count);
    g_autofree char *got = boot_event_digest_text(evaluation, &event);
    boot_fail(evaluation, &event, expected, got, "%s[%u].%s expects %s, the log has %s",
              trial->list, trial->index, member, expected, got);
}

/* So many events, and no other number. */
static bool try_count(Trial *trial, BootCollection collection, guint least, guint most,
                      unsigned pcr, const char *what)
{
    guint count = collected(trial, collection);
    if (count >= least && count <= most)
        return true;
    if (differs(trial)) {
        g_autofree char *expected =
            least == most ? g_strdup_printf("%u", least) : g_strdup_printf("%u to %u", least, most);
        g_autofree char *got = g_strdup_printf("%u", count);
        boot_fail_pcr(trial->evaluation, pcr, expected, got,
                      "%s[%u] expects %s measurement(s) of %s, the log has %s", trial->list,
                      trial->index, expected, what, got);
    }
    return false;
}

/* --- kernels ------------------------------------------------------------------------------- */

static void try_file(Trial *trial, BootCollection collection, guint index,
                     const ReferenceFile *file, const char *member)
{
    if (index < collected(trial, collection))
        try_digests(trial, collection, index, &file->digest, 1, member);
}

/* shim, boot loader, and with Secure Boot the kernel, which some firmware measures twice. */
static void try_applications(Trial *trial, const ReferenceKernel *kernel)
{
    bool secure = trial->evaluation->reference->secure_boot;
    try_count(trial, COLLECT_APPLICATIONS, secure ? 3 : 2, secure ? 4 : 2, 4, "boot applications");
    try_file(trial, COLLECT_APPLICATIONS, 0, &kernel->shim, "shim_authcode_sha256");
    try_file(trial, COLLECT_APPLICATIONS, 1, &kernel->grub, "grub_authcode_sha256");
    if (!secure)
        return;
    try_file(trial, COLLECT_APPLICATIONS, 2, &kernel->kernel, "kernel_authcode_sha256");
    try_file(trial, COLLECT_APPLICATIONS, 3, &kernel->kernel, "kernel_authcode_sha256");
}

/* One file, or none where the reference state says nothing of it. */
static void try_loaded(Trial *trial, BootCollection collection, const ReferenceFile *file,
                       const char *member, const char *what)
{
    guint count = file->given ? 1 : 0;
    if (try_count(trial, collection, count, count, 9, what) && count > 0)
        try_file(trial, collection, 0, file, member);
}

/* With Secure Boot the kernel was judged as an application: `example` only wants its file there. */
static void try_kernel_file(Trial *trial, const ReferenceKernel *kernel)
{
    BootEvaluation *evaluation = trial->evaluation;
    if (!evaluation->reference->secure_boot)
        try_loaded(trial, COLLECT_KERNEL_FILES, &kernel->vmlinuz, "vmlinuz_plain_sha256",
                   "a vmlinuz");
    else if (evaluation->subject->rules == BOOT_RULES_EXAMPLE)
        try_count(trial, COLLECT_KERNEL_FILES, 1, 1, 9, "a vmlinuz");
}

/* Patterns are written for "kernel_cmdline: ...". From an older grub's text `create measured-boot`
 * makes a pattern of what follows as many characters as that prefix has (§13.3), and a person one
 * of what follows the prefix that is there: either will do. */
static TextPatternResult match_cmdline(const TextPattern *pattern, const GString *text)
{
    static const char prefix[] = "kernel_cmdline: ";
    const size_t skips[] = {strlen(BOOT_OLD_CMDLINE), strlen(prefix)};
    if (!g_str_has_prefix(text->str, BOOT_OLD_CMDLINE))
        return text_pattern_match(pattern, bytes_of(text->str, text->len));
    TextPatternResult result = TEXT_PATTERN_DIFFERS;
    for (size_t i = 0; i < G_N_ELEMENTS(skips) && result != TEXT_PATTERN_MATCHES; i++) {
        g_autoptr(GString) subject = g_string_new(prefix);
        g_string_append_len(subject, text->str + skips[i], (gssize)(text->len - skips[i]));
        result = text_pattern_match(pattern, bytes_of(subject->str, subject->len));
    }
    return result;
}

static void try_cmdline(Trial *trial, const ReferenceKernel *kernel)
{
    BootEvaluation *evaluation = trial->evaluation;
    guint count = kernel->cmdline ? 1 : 0;
    if (!try_count(trial, COLLECT_CMDLINES, count, count, 8, "a kernel command line") || count == 0)
        return;
    UefiEvent event;
    event_of(trial, COLLECT_CMDLINES, 0, &event);
    g_autoptr(GString) text = boot_ipl_text(&event);
    TextPatternResult result = text ? match_cmdline(kernel->cmdline, text) : TEXT_PATTERN_DIFFERS;
    if (result == TEXT_PATTERN_MATCHES || !differs(trial))
        return;
    g_autofree char *got = boot_ipl_shown(&event);
    boot_fail(evaluation, &event, text_pattern_text(kernel->cmdline), got,
              result == TEXT_PATTERN_GAVE_UP
                  ? "%s[%u].kernel_cmdline is too costly to match against this command line"
                  : "the kernel's command line does not match %s[%u].kernel_cmdline",
              trial->list, trial->index);
}

static void try_kernel(Trial *trial, const void *alternative)
{
    const ReferenceKernel *kernel = alternative;
    BootEvaluation *evaluation = trial->evaluation;
    if (is_compared(evaluation, 4))
        try_applications(trial, kernel);
    if (is_compared(evaluation, 9)) {
        try_loaded(trial, COLLECT_INITRDS, &kernel->initrd, "initrd_plain_sha256", "an initrd");
        try_kernel_file(trial, kernel);
    }
    if (is_compared(evaluation, 8))
        try_cmdline(trial, kernel);
}

/* --- firmware ------------------------------------------------------------------------------ */

static void try_firmware(Trial *trial, const void *alternative)
{
    const ReferenceFirmware *firmware = alternative;
    guint versions = firmware->scrtm ? 1 : 0, blobs = firmware->blobs->len;
    if (!is_compared(trial->evaluation, 0))
        return;
    if (try_count(trial, COLLECT_VERSIONS, versions, versions, 0, "the firmware's version") &&
        firmware->scrtm)
        try_digests(trial, COLLECT_VERSIONS, 0, (const ReferenceDigest *)firmware->scrtm->data,
                    firmware->scrtm->len, "scrtm");
    if (!try_count(trial, COLLECT_FIRMWARE, blobs, blobs, 0, "firmware volumes"))
        return;
    for (guint i = 0; i < blobs; i++) {
        const GArray *digests = g_ptr_array_index(firmware->blobs, i);
        g_autofree char *member = g_strdup_printf("platform_firmware[%u]", i);
        try_digests(trial, COLLECT_FIRMWARE, i, (const ReferenceDigest *)digests->data,
                    digests->len, member);
    }
}

/* --- the judgement ------------------------------------------------------------------------- */

typedef void (*TryAlternative)(Trial *trial, const void *alternative);

static void judge_alternatives(BootEvaluation *evaluation, const char *list,
                               const GPtrArray *alternatives, unsigned pcr, TryAlternative try)
{
    guint nearest = 0, least = G_MAXUINT;
    for (guint i = 0; i < alternatives->len; i++) {
        Trial trial = {.evaluation = evaluation, .list = list, .index = i};
        try(&trial, g_ptr_array_index(alternatives, i));
        if (trial.differences == 0)
            return;
        if (trial.differences < least) {
            least = trial.differences;
            nearest = i;
        }
    }
    if (alternatives->len == 0) {
        boot_fail_pcr(evaluation, pcr, "nothing", "a boot",
                      "the reference state has an empty list \"%s\", which allows no boot", list);
        return;
    }
    Trial trial = {.evaluation = evaluation, .list = list, .index = nearest, .tell = true};
    try(&trial, g_ptr_array_index(alternatives, nearest));
}

void boot_judge_outcome(BootEvaluation *evaluation)
{
    const ReferenceState *reference = evaluation->reference;
    if (evaluation->subject->strict) {
        judge_separators(evaluation);
        judge_key_variables(evaluation);
        judge_mok_lists(evaluation);
    }
    if (reference->kernels)
        judge_alternatives(evaluation, "kernels", reference->kernels, 4, try_kernel);
    judge_alternatives(evaluation, "scrtm_and_bios", reference->firmware, 0, try_firmware);
}
