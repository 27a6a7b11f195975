/* SPDX-License-Identifier: Apache-2.0 */
#include "base/encoding.h"
#include "evidence/ima/appraisal.h"
#include "evidence/ima/log.h"

#include "ima_readers.h"

#include <string.h>

/* Cases that need not match: "should" says what is right. Where it is absent, what their notes say,
 * by the case's rule; the others are to fail where an exception is stated, and else to be as
 * stated.
 */
static const struct {
    const char *rule, *verdict;
} decided[] = {
    {"violation.ff_text", "fail"},    {"exclude.joined_group", "fail"},
    {"buf.digest_unrelated", "fail"}, {"key.digest_unrelated", "fail"},
    {"key.excluded_name", "fail"},    {"sig.second_ring_shadowed", "pass"},
    {"inc.reboot_stale", "pass"},     {"tail.key", "fail"},
};

static const char *decided_verdict(Json *entry)
{
    const char *rule = json_member_text(entry, "rule");
    const char *should = json_member_text(json_member(entry, "should"), "verdict");
    if (should)
        return should;
    for (size_t i = 0; i < G_N_ELEMENTS(decided); i++)
        if (g_strcmp0(decided[i].rule, rule) == 0)
            return decided[i].verdict;
    return json_member(json_member(entry, "expect"), "exception")
               ? "fail"
               : json_member_text(json_member(entry, "expect"), "verdict");
}

/* One case, made ready. */
typedef struct {
    Json *entry;
    bool must_match;
    GBytes *list;
    RuntimePolicy *policy;
    GBytes *quoted;
    GPtrArray *aggregates;
    ImaState *state; /* NULL: one-shot */
    ImaInput input;
} Case;

static void case_clear(Case *one)
{
    g_bytes_unref(one->list);
    runtime_policy_unref(one->policy);
    g_bytes_unref(one->quoted);
    g_clear_pointer(&one->aggregates, g_ptr_array_unref);
    ima_state_free(one->state);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Case, case_clear)

static bool must_match(Json *entry)
{
    bool value;
    return !json_member_bool(entry, "must_match", &value) || value;
}

/* The bytes of a file, or the one text of a JSON file. */
static GBytes *read_list(Json *entry, Tally *tally, GError **error)
{
    const char *plain = json_member_text(entry, "list");
    g_autoptr(GBytes) file =
        read_vector_file(tally, plain ? plain : json_member_text(entry, "list_json"));
    if (plain || !file)
        return g_steal_pointer(&file);
    g_autoptr(Json) text = json_parse(bytes_of_gbytes(file), error);
    return text ? g_bytes_new(json_object_get_string(text), (gsize)json_object_get_string_len(text))
                : NULL;
}

static ImaRules rules_of(Json *entry)
{
    if (!must_match(entry))
        return ima_rules_default;
    ImaRules rules = ima_rules_upstream;
    bool ignore;
    /* Upstream's option says the reverse of its name, and true where it is absent (ima §6). */
    if (!json_member_bool(entry, "ignore_tomtou_errors", &ignore) || ignore)
        rules.violations = IMA_VIOLATIONS_FAIL;
    return rules;
}

static GPtrArray *read_aggregates(Json *entry)
{
    GPtrArray *digests = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    Json *banks = json_member_of_type(entry, "boot_aggregates", json_type_object);
    if (!banks)
        return digests;
    json_object_object_foreach (banks, bank, values) {
        (void)bank;
        for (size_t i = 0; i < json_object_array_length(values); i++)
            g_ptr_array_add(digests, hex_decode(json_text(json_object_array_get_idx(values, i))));
    }
    return digests;
}

static void read_progress(Json *state, ImaState *out)
{
    Json *pair = json_member(state, "quote_progress");
    if (!pair)
        return;
    out->has_progress = true;
    out->certified = (guint64)json_object_get_int64(json_object_array_get_idx(pair, 0));
    out->received = (guint64)json_object_get_int64(json_object_array_get_idx(pair, 1));
}

static void read_learned(Json *keyrings, ImaState *out)
{
    Json *learned = json_member_of_type(keyrings, "learned", json_type_object);
    if (!learned)
        return;
    g_autoptr(ImaKeyrings) rings = ima_keyrings_from_json(learned, NULL);
    g_assert(rings);
    ima_keyrings_free(out->learned);
    out->learned = g_steal_pointer(&rings);
}

static ImaState *read_state(Json *entry, uint16_t bank)
{
    Json *state = json_member(entry, "state");
    if (!state)
        return NULL;
    ImaState *out = ima_state_new();
    g_autoptr(GBytes) pcr = member_bytes(state, "pcr10");
    out->entries = member_number(state, "next_ima_ml_entry");
    out->bank = bank;
    if (g_bytes_get_size(pcr) > 0)
        memcpy(out->pcr, g_bytes_get_data(pcr, NULL), tpm_hash_size(bank));
    read_progress(state, out);
    read_learned(json_member(entry, "keyrings"), out);
    return out;
}

static RuntimePolicy *read_policy(Json *entry, Tally *tally, GError **error)
{
    g_autoptr(GBytes) text = read_vector_file(tally, json_member_text(entry, "policy"));
    if (!text)
        return NULL;
    return runtime_policy_parse(
        bytes_of_gbytes(text),
        must_match(entry) ? &runtime_policy_rules_upstream : &runtime_policy_rules_default, error);
}

static bool read_case(Json *entry, Tally *tally, Case *out, GError **error)
{
    *out = (Case){.entry = entry, .must_match = must_match(entry)};
    out->list = read_list(entry, tally, error);
    if (!out->list)
        return false;
    if (json_member(entry, "policy") && !(out->policy = read_policy(entry, tally, error)))
        return false;
    out->quoted = member_bytes(entry, "pcr10");
    out->aggregates = read_aggregates(entry);
    uint16_t bank = tpm_hash_from_name(json_member_text(entry, "bank"));
    out->state = read_state(entry, bank);
    out->input = (ImaInput){.list = bytes_of_gbytes(out->list),
                            .policy = out->policy,
                            .without_keyrings = json_member(entry, "keyrings") == NULL,
                            .bank = bank,
                            .quoted = bytes_of_gbytes(out->quoted),
                            .boot_aggregates = out->aggregates,
                            .rules = rules_of(entry)};
    return true;
}

/* --- what came out --------------------------------------------------------------------------- */

/* Line numbers of entries, blank lines counted. */
static guint64 line_of_entry(Bytes text, guint64 number)
{
    g_auto(ImaLog) log;
    ima_log_init(&log, text, true);
    ImaEntry entry;
    const char *reason;
    while (ima_log_next(&log, &entry, &reason) != IMA_LOG_END)
        if (log.entry == number)
            return log.line;
    return 0;
}

/* "2:event,event 5:event | event": the failing lines, then the events of the list. */
static char *events_of_verdict(const Case *one, const Verdict *verdict)
{
    g_autoptr(GString) lines = g_string_new(NULL);
    g_autoptr(GString) list = g_string_new(NULL);
    guint64 last = 0;
    guint64 offset =
        one->state ? member_number(json_member(one->entry, "state"), "next_ima_ml_entry") : 0;
    for (size_t i = 0; i < json_object_array_length(verdict->failures); i++) {
        Json *failure = json_object_array_get_idx(verdict->failures, i);
        guint64 entry = member_number(json_member(failure, "context"), "entry");
        const char *event = json_member_text(failure, "event_id");
        if (entry == 0)
            g_string_append_printf(list, " %s", event);
        else if (entry == last)
            g_string_append_printf(lines, ",%s", event);
        else
            g_string_append_printf(lines, " %" G_GUINT64_FORMAT ":%s",
                                   line_of_entry(one->input.list, entry - offset), event);
        last = entry;
    }
    return g_strconcat(lines->str, " |", list->str, NULL);
}

static char *events_expected(Json *expect)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (size_t i = 0; i < array_length(expect, "failing"); i++) {
        Json *line = array_entry(expect, "failing", i);
        g_autofree const char **events = json_member_texts(line, "events");
        g_autofree char *joined = g_strjoinv(",", (char **)events);
        g_string_append_printf(text, " %" G_GUINT64_FORMAT ":%s", member_number(line, "line"),
                               joined);
    }
    g_autofree const char **events = json_member_texts(expect, "list_events");
    g_autofree char *joined = g_strjoinv(" ", (char **)events);
    return g_strconcat(text->str, " |", *joined ? " " : "", joined, NULL);
}

/* "ring:0577ce84,1c41df57 ring:..." */
static char *key_ids_of_rings(const ImaKeyrings *rings)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; rings && i < ima_keyrings_count(rings); i++) {
        Bytes name;
        const ImaKeyring *ring = ima_keyrings_at(rings, i, &name);
        g_autofree char *escaped = utf8_escape(name);
        g_string_append_printf(text, " %s:", escaped);
        for (guint k = 0; k < ima_keyring_size(ring); k++) {
            gint64 id;
            ima_keyring_at(ring, k, &id);
            g_string_append_printf(text, "%s%08x", k > 0 ? "," : "", (uint32_t)id);
        }
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static char *key_ids_expected(Json *rings)
{
    g_autoptr(GString) text = g_string_new(NULL);
    if (!rings)
        return g_strdup("");
    json_object_object_foreach (rings, name, ids) {
        g_string_append_printf(text, " %s:", name);
        for (size_t i = 0; i < json_object_array_length(ids); i++)
            g_string_append_printf(text, "%s%s", i > 0 ? "," : "",
                                   json_text(json_object_array_get_idx(ids, i)));
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* A ring without keys says nothing; upstream keeps it. */
static void expect_rings(Tally *tally, Json *expected, const ImaKeyrings *rings)
{
    g_autofree char *wanted = key_ids_expected(expected);
    g_autofree char *got = key_ids_of_rings(rings);
    g_autofree char *plain = g_str_has_suffix(wanted, ":") && *got == '\0' ? g_strdup("") : NULL;
    expect_text(tally, "keyids_after", plain ? plain : wanted, got);
}

static void expect_state(Tally *tally, Json *expected, const Case *one, bool passed)
{
    if (!expected || !one->state)
        return;
    if (!passed) {
        /* A failure moves nothing. What upstream calls reset is the next offset 0 and no more. */
        Json *before = json_member(one->entry, "state");
        expect_number(tally, "state after failure", member_number(before, "next_ima_ml_entry"),
                      one->state->entries);
        expect_number(tally, "stated state", 0, member_number(expected, "next_ima_ml_entry"));
        return;
    }
    expect_number(tally, "next entry", member_number(expected, "next_ima_ml_entry"),
                  one->state->entries);
    g_autoptr(GBytes) pcr = member_bytes(expected, "pcr10");
    if (g_bytes_get_size(pcr) > 0)
        expect_bytes(tally, "stored PCR", bytes_of_gbytes(pcr),
                     bytes_of(one->state->pcr, g_bytes_get_size(pcr)));
    Json *pair = json_member(expected, "quote_progress");
    gint64 certified = json_object_get_int64(json_object_array_get_idx(pair, 0));
    if (certified < 0) /* without a quote there is no progress */
        return;
    expect_number(tally, "progress", (guint64)certified, one->state->certified);
    expect_number(tally, "progress, received",
                  (guint64)json_object_get_int64(json_object_array_get_idx(pair, 1)),
                  one->state->received);
}

/* The replayed value after the first line that fails. */
static void expect_pcr_at_failure(Tally *tally, Json *expect, const Case *one)
{
    guint64 line = member_number(expect, "first_failing_line");
    if (line == 0)
        return;
    Bytes text = one->input.list;
    size_t size = 0;
    for (guint64 n = 0; n < line && size < text.size; n++) {
        const uint8_t *end = memchr(text.data + size, '\n', text.size - size);
        size = end ? (size_t)(end - text.data) + 1 : text.size;
    }
    ImaInput input = one->input;
    input.list.size = size;
    g_autoptr(ImaState) state = read_state(one->entry, input.bank);
    g_autoptr(Verdict) verdict = verdict_new();
    g_auto(ImaOutcome) outcome = {0};
    ima_appraise(&input, state, verdict, &outcome);
    g_autoptr(GBytes) expected = member_bytes(expect, "running_pcr_at_first_failure");
    expect_bytes(tally, "PCR at first failure", bytes_of_gbytes(expected),
                 bytes_of(outcome.pcr, outcome.pcr_size));
}

/* --- cases ----------------------------------------------------------------------------------- */

static void check_exact(Tally *tally, const Case *one, const Verdict *verdict,
                        const ImaOutcome *outcome, bool passed)
{
    Json *expect = json_member(one->entry, "expect");
    g_autofree char *events = events_of_verdict(one, verdict);
    g_autofree char *wanted = events_expected(expect);
    expect_text(tally, "events", wanted, events);
    g_autoptr(GBytes) pcr = member_bytes(expect, "running_pcr");
    expect_bytes(tally, "running PCR", bytes_of_gbytes(pcr),
                 bytes_of(outcome->pcr, outcome->pcr_size));
    g_autofree char *line =
        outcome->matched ? g_strdup_printf("%" G_GUINT64_FORMAT, outcome->match_line) : NULL;
    Json *match = json_member(expect, "pcr_match_line");
    expect_text(tally, "match line", match ? json_object_get_string(match) : NULL, line);
    if (!one->input.without_keyrings)
        expect_rings(tally, json_member(expect, "keyids_after"), outcome->rings);
    expect_state(tally, json_member(expect, "state_after"), one, passed);
    expect_pcr_at_failure(tally, expect, one);
}

static void check_decided(Tally *tally, const Case *one, const Verdict *verdict,
                          const ImaOutcome *outcome)
{
    const char *rule = json_member_text(one->entry, "rule");
    if (g_strcmp0(rule, "tail.key") == 0 &&
        json_member(one->entry, "expect")) { /* nothing vouches for the last key */
        g_autofree char *got = key_ids_of_rings(outcome->rings);
        g_autofree char *stated =
            key_ids_expected(json_member(json_member(one->entry, "expect"), "keyids_after"));
        expect_number(tally, "last key learned", false, strlen(got) >= strlen(stated));
    }
    if (g_strcmp0(rule, "violation.ff_text") == 0)
        expect_text(tally, "event", "ima.validation.ima_hash",
                    json_member_text(json_object_array_get_idx(verdict->failures, 0), "event_id"));
    if (g_strcmp0(rule, "pcr.column_text_last") == 0)
        expect_text(tally, "event", "ima.validation.ima_pcr",
                    json_member_text(json_object_array_get_idx(verdict->failures, 0), "event_id"));
}

static void check_case(Json *entry, Tally *tally)
{
    g_auto(Case) one = {0};
    g_autoptr(GError) error = NULL;
    const char *wanted = must_match(entry)
                             ? json_member_text(json_member(entry, "expect"), "verdict")
                             : decided_verdict(entry);
    if (!read_case(entry, tally, &one, &error)) {
        /* What cannot be taken in cannot pass. */
        expect_text(tally, "verdict", wanted, must_match(entry) ? error->message : "fail");
        return;
    }
    g_autoptr(Verdict) verdict = verdict_new();
    g_auto(ImaOutcome) outcome = {0};
    bool passed = ima_appraise(&one.input, one.state, verdict, &outcome);
    expect_text(tally, "verdict", wanted, evaluation_text(verdict->evaluation));
    if (one.must_match)
        check_exact(tally, &one, verdict, &outcome, passed);
    else
        check_decided(tally, &one, verdict, &outcome);
}

void read_manifest(Json *document, Tally *tally)
{
    FOR_EACH_CASE(document, "cases", entry, position)
    {
        case_begin(tally, entry, position);
        check_case(entry, tally);
        case_end(tally);
    }
}
