/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policy cases and attestation cases of a measured-boot manifest: each runs through the whole PCR
 * check, in the strict profile against "required" and in the upstream profile against "upstream".
 */
#include "base/encoding.h"
#include "evidence/pcr_check.h"

#include "uefi_readers.h"

#include <string.h>

/* PCRs that "replay" stands for. */
#define REPLAYED_PCRS 0xfbffu

typedef struct {
    Json *vector, *entry;
    Bytes log;
    const char *name; /* of the case, for the tally */
    const char *policy_name, *evaluate, *bank;
    bool log_sent;
    char *policy_text;
    const char *tpm_policy;
    Json *quoted; /* object of PCR -> hex, or NULL for the replay */
    gint64 count;
} PolicyCase;

/* --- the quote ------------------------------------------------------------------------------- */

/* The value in the case's map, or that of the replay; NULL when the quote lacks the PCR. */
static const char *quoted_value(const PolicyCase *test, unsigned pcr)
{
    g_autofree char *number = g_strdup_printf("%u", pcr);
    if (test->quoted)
        return json_member_text(test->quoted, number);
    if ((REPLAYED_PCRS >> pcr & 1) == 0)
        return NULL;
    const char *kind = json_member(test->vector, "true_pcrs") ? "true_pcrs" : "pcrs";
    Json *bank = json_member(json_member(test->vector, kind), test->bank);
    const char *value = json_member_text(bank, number);
    return value ? value : "";
}

static void make_quote(const PolicyCase *test, PcrValues *out)
{
    uint16_t bank = tpm_hash_from_name(test->bank);
    size_t size = tpm_hash_size(bank);
    uint32_t pcrs = 0;
    for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++)
        if (quoted_value(test, pcr))
            pcrs |= UINT32_C(1) << pcr;
    pcr_selection_add(&out->selection, bank, pcrs);
    for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++) {
        const char *text = quoted_value(test, pcr);
        if (!text)
            continue;
        uint8_t value[TPM_MAX_DIGEST] = {0};
        g_autoptr(GBytes) given = hex_decode(text);
        g_assert(given && g_bytes_get_size(given) <= size);
        memcpy(value, g_bytes_get_data(given, NULL), g_bytes_get_size(given));
        pcr_values_set(out, bank, pcr, bytes_of(value, size));
    }
}

/* --- one run --------------------------------------------------------------------------------- */

static Verdict *run(const PolicyCase *test, BootProfile profile)
{
    BootRules rules;
    if (!boot_rules_from_name(test->policy_name, &rules))
        rules = BOOT_RULES_REJECT_ALL; /* as upstream; our verifier does not start */
    g_autoptr(BootPolicy) policy = boot_policy_new(rules, test->policy_text);
    g_autoptr(TpmPolicy) tpm_policy =
        test->tpm_policy ? tpm_policy_parse(test->tpm_policy, NULL) : NULL;
    g_autofree PcrValues *pcrs = g_new0(PcrValues, 1);
    make_quote(test, pcrs);
    BootInput boot = {
        .log = test->log_sent ? test->log : BYTES_EMPTY,
        .policy = policy,
        .profile = profile,
        .evaluate = boot_evaluate_from_name(test->evaluate),
    };
    PcrCheck check = {.pcrs = pcrs,
                      .bank = tpm_hash_from_name(test->bank),
                      .tpm_policy = tpm_policy,
                      .boot = &boot};
    /* A passed attestation stands for one of this very boot (decision D57). */
    BootState state = {.passed = test->count != 0};
    boot_fingerprint(&boot, check.bank, check.reset_count, state.fingerprint);
    Verdict *verdict = verdict_new();
    pcr_check(&check, &state, verdict);
    return verdict;
}

/* --- sets of ids ----------------------------------------------------------------------------- */

static int compare_texts(gconstpointer a, gconstpointer b, gpointer data)
{
    return strcmp(a, b);
}

/* A set of texts in their order; where a log is refused any id of the parser will do. */
static void add_id(GTree *ids, const char *id)
{
    bool parser = g_str_has_prefix(id, "measured_boot.parser.");
    g_tree_insert(ids, g_strdup(parser ? "measured_boot.parser.*" : id), ids);
}

static gboolean append_id(gpointer id, gpointer value, gpointer text)
{
    g_string_append_printf(text, " %s", (const char *)id);
    return FALSE;
}

static char *ids_text(GTree *ids)
{
    GString *text = g_string_new("failures:");
    g_tree_foreach(ids, append_id, text);
    return g_string_free(text, FALSE);
}

static GTree *ids_new(void)
{
    return g_tree_new_full(compare_texts, NULL, g_free, NULL);
}

static char *ids_of_verdict(const Verdict *verdict)
{
    g_autoptr(GTree) ids = ids_new();
    for (size_t i = 0; i < json_object_array_length(verdict->failures); i++)
        add_id(ids, json_member_text(json_object_array_get_idx(verdict->failures, i), "event_id"));
    return ids_text(ids);
}

/* --- what must come out ---------------------------------------------------------------------- */

static bool is_judged(const PolicyCase *test)
{
    g_autoptr(BootPolicy) policy = boot_policy_new(BOOT_RULES_ACCEPT_ALL, test->policy_text);
    return boot_policy_form(policy) == BOOT_POLICY_USABLE;
}

static bool lacks_pcrs(const PolicyCase *test)
{
    for (unsigned pcr = 0; pcr < PCR_COUNT; pcr++)
        if ((REPLAYED_PCRS >> pcr & 1) != 0 && !quoted_value(test, pcr))
            return true;
    return false;
}

/* The failures of an expected result; NULL when it leaves the verdict open. */
static char *expected_ids(const PolicyCase *test, Json *result, BootProfile profile)
{
    const char *outcome = json_member_text(result, "outcome");
    if (strcmp(outcome, "pass") != 0 && strcmp(outcome, "fail") != 0)
        return NULL;
    g_autoptr(GTree) ids = ids_new();
    for (size_t i = 0; i < array_length(result, "event_ids"); i++)
        add_id(ids, json_text(array_entry(result, "event_ids", i)));
    bool example = strcmp(test->policy_name, "example") == 0;
    /* Decision D60: what is compared must be in the quote. */
    if (profile == BOOT_PROFILE_STRICT && !example && is_judged(test) && lacks_pcrs(test))
        add_id(ids, "measured_boot.missing_pcrs");
    return ids_text(ids);
}

/* Logs for which the upstream profile is not upstream either: rule P7, or a parser that is bound to
 * its input (measured-boot §6.8, §7.1, §15). What is required holds there in both profiles. */
static bool differs_from_upstream(Json *vector)
{
    static const char *const ids[] = {
        "syn-a-attack-text-injection",
        "bad-a-locality-late",
        "bad-a-db-siglist-over",
        "bad-a-blob2-over",
        NULL,
    };
    Json *upstream =
        json_member(json_member(json_member(vector, "parse"), "upstream"), "tpm2_tools_5.8");
    return g_strv_contains(ids, json_member_text(vector, "id")) ||
           g_strcmp0(json_member_text(upstream, "outcome"), "ok") != 0;
}

static void expect_run(const PolicyCase *test, BootProfile profile, Json *result, Tally *tally)
{
    g_autofree char *expected = expected_ids(test, result, profile);
    g_autofree char *what = g_strdup_printf("%s (%s profile)", test->name,
                                            profile == BOOT_PROFILE_STRICT ? "strict" : "upstream");
    g_autoptr(Verdict) verdict = run(test, profile);
    g_autofree char *got = ids_of_verdict(verdict);
    g_autofree char *summary = verdict_summary(verdict);
    if (!expected || strcmp(expected, got) == 0)
        return;
    g_autofree char *told = g_strdup_printf("%s (%s)", got, summary);
    expect_text(tally, what, expected, told);
}

static void check_case(const PolicyCase *test, size_t position, Tally *tally)
{
    case_begin(tally, test->vector, position);
    expect_run(test, BOOT_PROFILE_STRICT, json_member(test->entry, "required"), tally);
    if (!differs_from_upstream(test->vector))
        expect_run(test, BOOT_PROFILE_UPSTREAM, json_member(test->entry, "upstream"), tally);
    case_end(tally);
}

/* --- the two kinds of cases ------------------------------------------------------------------ */

static char *read_text(Tally *tally, const char *file)
{
    g_autoptr(GBytes) content = read_vector_file(tally, file);
    Bytes bytes = bytes_of_gbytes(content);
    return g_strndup((const char *)bytes.data, bytes.size);
}

static void check_attestation_case(Json *vector, Json *entry, Bytes log, size_t position,
                                   Tally *tally)
{
    bool log_sent = true;
    json_member_bool(entry, "log", &log_sent);
    Json *tpm_policy = json_member(entry, "tpm_policy");
    g_autofree char *tpm_policy_text = tpm_policy ? json_to_text(tpm_policy) : NULL;
    PolicyCase test = {
        .vector = vector,
        .entry = entry,
        .log = log,
        .name = json_member_text(entry, "name"),
        .policy_name = json_member_text(entry, "measured_boot_policy_name"),
        .evaluate = json_member_text(entry, "measured_boot_evaluate"),
        .bank = json_member_text(entry, "hash_alg"),
        .log_sent = log_sent,
        .tpm_policy = tpm_policy_text,
        .quoted = json_member_of_type(entry, "quoted_pcrs", json_type_object),
    };
    json_member_int(entry, "attestation_count", false, &test.count);
    const char *file = json_member_text(entry, "mb_policy_file");
    test.policy_text =
        file ? read_text(tally, file) : g_strdup(json_member_text(entry, "mb_policy"));
    check_case(&test, position, tally);
    g_free(test.policy_text);
}

/* The log or the policy refused it; the values of PCRs do not matter here. */
static bool is_refused(const Verdict *verdict)
{
    for (size_t i = 0; i < json_object_array_length(verdict->failures); i++) {
        Json *failure = json_object_array_get_idx(verdict->failures, i);
        const char *id = json_member_text(failure, "event_id");
        if (g_str_has_prefix(id, "measured_boot.policy_") ||
            g_str_has_prefix(id, "measured_boot.parser."))
            return true;
    }
    return false;
}

static void check_policy_case(Json *vector, Json *entry, Bytes log, size_t position, Tally *tally)
{
    PolicyCase test = {
        .vector = vector,
        .entry = entry,
        .log = log,
        .name = json_member_text(entry, "refstate"),
        .policy_name = json_member_text(entry, "policy"),
        .evaluate = "always",
        .bank = json_member_text(entry, "hash_alg"),
        .log_sent = true,
    };
    test.policy_text = read_text(tally, test.name);
    const struct {
        BootProfile profile;
        const char *expected, *what;
    } runs[] = {
        {BOOT_PROFILE_STRICT, json_member_text(entry, "required"), "strict profile"},
        {BOOT_PROFILE_UPSTREAM, json_member_text(entry, "upstream"), "upstream profile"},
    };
    case_begin(tally, vector, position);
    for (size_t i = 0; i < G_N_ELEMENTS(runs); i++) {
        bool open = g_strcmp0(runs[i].expected, "accept") != 0 &&
                    g_strcmp0(runs[i].expected, "reject") != 0;
        if (open || (runs[i].profile == BOOT_PROFILE_UPSTREAM && differs_from_upstream(vector)))
            continue;
        g_autoptr(Verdict) verdict = run(&test, runs[i].profile);
        g_autofree char *summary = verdict_summary(verdict);
        g_autofree char *reason = g_strdup_printf("%s, %s: %s", test.name, runs[i].what, summary);
        expect_verdict(tally, runs[i].expected, !is_refused(verdict), reason);
    }
    case_end(tally);
    g_free(test.policy_text);
}

/* What `create measured-boot` writes from a real machine's log, the policy "hardware" accepts. */
static void check_hardware(Json *vector, Bytes log, Tally *tally)
{
    Json *created = json_member(json_member(vector, "create_policy"), "without_secureboot");
    const char *required = json_member_text(json_member(vector, "parse"), "required");
    const char *file = json_member_text(created, "policy");
    if (!file || strcmp(json_member_text(vector, "kind"), "real") != 0 ||
        strcmp(required, "accept") != 0)
        return;
    g_autofree char *text = read_text(tally, file);
    PolicyCase test = {
        .vector = vector,
        .log = log,
        .policy_name = "hardware",
        .evaluate = "always",
        .bank = "sha256",
        .log_sent = true,
        .policy_text = text,
    };
    case_begin(tally, vector, 0);
    g_autoptr(Verdict) verdict = run(&test, BOOT_PROFILE_STRICT);
    g_autofree char *summary = verdict_summary(verdict);
    expect_verdict(tally, "accept", !is_refused(verdict), summary);
    case_end(tally);
}

void check_boot_policies(Json *vector, Bytes log, Tally *tally)
{
    check_hardware(vector, log, tally);
    FOR_EACH_CASE(vector, "policy_cases", entry, i)
    {
        check_policy_case(vector, entry, log, i, tally);
    }
    FOR_EACH_CASE(vector, "attestation_cases", attestation, i)
    {
        check_attestation_case(vector, attestation, log, i, tally);
    }
}
