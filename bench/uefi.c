/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Appraisal of firmware event logs on one thread: logs and bytes a second for reading, replay, the
 * whole check under a policy, and the JSON view, beside the floor of only hashing what must be
 * hashed.
 *
 * usage: uefi LOG...     (tests/tools/make-event-log writes them)
 */
#include "evidence/pcr_check.h"
#include "evidence/uefi/json_view.h"
#include "measure.h"
#include "policy-tool/boot_reference.h"

#include <stdio.h>
#include <string.h>

/* Each figure is the best of several rounds of about this many bytes: others use the cores too. */
enum { ROUNDS = 5, BYTES_A_ROUND = 8 * 1024 * 1024, BANK = TPM_ALG_SHA256 };

typedef struct {
    Bytes bytes;
    UefiLog log; /* parsed once, for the quote and the reference state */
    BootPolicy *policy;
    PcrValues *quote;
} Subject;

/* --- what is measured --------------------------------------------------------------------------*/

static void parse_only(const Subject *subject)
{
    const UefiLogRules rules = UEFI_LOG_RULES_STRICT;
    UefiLog log;
    if (!uefi_log_parse(subject->bytes, &rules, &log, NULL))
        g_error("the log is refused");
}

static void parse_and_replay(const Subject *subject)
{
    const UefiLogRules rules = UEFI_LOG_RULES_STRICT;
    UefiLog log;
    if (!uefi_log_parse(subject->bytes, &rules, &log, NULL))
        g_error("the log is refused");
    g_autofree UefiReplay *replay = uefi_replay(&log);
}

static void whole_check(const Subject *subject)
{
    BootInput boot = {
        .log = subject->bytes, .policy = subject->policy, .evaluate = BOOT_EVALUATE_ALWAYS};
    PcrCheck check = {.pcrs = subject->quote, .bank = BANK, .boot = &boot};
    BootState state = {0};
    g_autoptr(Verdict) verdict = verdict_new();
    pcr_check(&check, &state, verdict);
    if (verdict->evaluation != EVALUATION_PASS) {
        g_autofree char *summary = verdict_summary(verdict);
        g_error("the log should pass: %s", summary);
    }
}

static void json_view(const Subject *subject)
{
    const UefiLogRules rules = UEFI_LOG_RULES_STRICT;
    UefiLog log;
    if (!uefi_log_parse(subject->bytes, &rules, &log, NULL))
        g_error("the log is refused");
    g_autofree UefiReplay *replay = uefi_replay(&log);
    g_autofree char *view = uefi_json_view(&log, replay);
}

/* The unavoidable hashes: an extension for each digest, the data of each event in one bank, and the
 * log itself, to know it again (decision D57). */
static void floor_of_check(const Subject *subject)
{
    static uint8_t pcr[TPM_MAX_DIGEST];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    UefiLogCursor cursor = uefi_log_begin(&subject->log);
    UefiEvent event;
    while (uefi_log_next(&cursor, &event)) {
        for (size_t i = 0; i < event.digest_count; i++) {
            EVP_DigestInit_ex2(context, uefi_bank_md(event.digest[i].algorithm), NULL);
            EVP_DigestUpdate(context, pcr, event.digest[i].value.size);
            EVP_DigestUpdate(context, event.digest[i].value.data, event.digest[i].value.size);
            EVP_DigestFinal_ex(context, pcr, NULL);
        }
        EVP_DigestInit_ex2(context, uefi_bank_md(BANK), NULL);
        EVP_DigestUpdate(context, event.data.data, event.data.size);
        EVP_DigestFinal_ex(context, pcr, NULL);
    }
    EVP_DigestInit_ex2(context, uefi_bank_md(BANK), NULL);
    EVP_DigestUpdate(context, subject->bytes.data, subject->bytes.size);
    EVP_DigestFinal_ex(context, pcr, NULL);
    EVP_MD_CTX_free(context);
}

/* --- figures -----------------------------------------------------------------------------------*/

/* CPU seconds of one run, best round. */
static double measure(const Subject *subject, void (*run)(const Subject *))
{
    size_t times = BYTES_A_ROUND / subject->bytes.size + 1;
    double best = G_MAXDOUBLE;
    for (int round = 0; round < ROUNDS; round++) {
        double start = thread_cpu_seconds();
        for (size_t i = 0; i < times; i++)
            run(subject);
        best = MIN(best, (thread_cpu_seconds() - start) / (double)times);
    }
    return best;
}

static void report(const Subject *subject)
{
    static const struct {
        const char *name;
        void (*run)(const Subject *);
    } rows[] = {
        {"read", parse_only},
        {"read and replay", parse_and_replay},
        {"whole check, policy example", whole_check},
        {"JSON view", json_view},
    };
    double least = measure(subject, floor_of_check);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        double seconds = measure(subject, rows[i].run);
        printf("  %-30s %10.1f us  %9.0f logs/s  %7.1f MB/s  %.2f x floor\n", rows[i].name,
               seconds * 1e6, 1 / seconds, (double)subject->bytes.size / seconds / 1e6,
               seconds / least);
    }
    printf("  %-30s %10.1f us\n", "floor: the hashes", least * 1e6);
}

/* --- subjects ----------------------------------------------------------------------------------*/

static BootPolicy *policy_for(const UefiLog *log)
{
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;
    g_autoptr(Json) reference = boot_reference_create(log, true, warnings, &error);
    if (!reference)
        g_error("%s", error->message);
    g_autofree char *text = json_to_text(reference);
    return boot_policy_new(BOOT_RULES_EXAMPLE, text);
}

static PcrValues *quote_for(const UefiLog *log)
{
    g_autofree UefiReplay *replay = uefi_replay(log);
    PcrValues *values = g_new0(PcrValues, 1);
    pcr_selection_add(&values->selection, BANK, BOOT_PCRS);
    for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++)
        if (BOOT_PCRS & UINT32_C(1) << pcr)
            pcr_values_set(values, BANK, pcr, uefi_replay_pcr(replay, BANK, pcr));
    return values;
}

static void bench(const char *path)
{
    const UefiLogRules rules = UEFI_LOG_RULES_STRICT;
    g_autofree char *content = NULL;
    gsize size;
    g_autoptr(GError) error = NULL;
    Subject subject = {0};
    if (!g_file_get_contents(path, &content, &size, &error) ||
        !uefi_log_parse(bytes_of(content, size), &rules, &subject.log, &error))
        g_error("%s: %s", path, error->message);
    subject.bytes = bytes_of(content, size);
    subject.policy = policy_for(&subject.log);
    subject.quote = quote_for(&subject.log);
    printf("event log of %zu events, %zu bytes, %zu banks\n", subject.log.event_count, size,
           subject.log.bank_count);
    report(&subject);
    boot_policy_unref(subject.policy);
    g_free(subject.quote);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        bench(argv[i]);
    return 0;
}
