/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/ima/push.h"

#include "base/encoding.h"
#include "evidence/ima/log.h"

#include "ima_readers.h"

#include <string.h>

/*
 * Scenarios whose course upstream gets wrong say in "should" what is right, step by step. Two of
 * them say it in their notes only.
 */
static const struct {
    const char *scenario;
    size_t step;
    const char *evaluation;
} decided[] = {
    {"pcr-zero", 0, "fail"}, {"pcr-zero", 1, "fail"}, {"blank-lines", 1, "pass"},
    {"crash", 1, "pass"},    {"reboot", 0, "pass"},   {"learned-key", 0, "pass"},
};

typedef struct {
    const char *name;
    bool must_match;
    ImaRules rules;
    ImaPushRules push_rules;
    RuntimePolicy *policy;
    ImaPushState *state;
} Scenario;

static void scenario_clear(Scenario *scenario)
{
    g_clear_pointer(&scenario->policy, runtime_policy_unref);
    g_clear_pointer(&scenario->state, ima_push_state_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Scenario, scenario_clear)

static void use_policy(Scenario *scenario, const char *file, Tally *tally)
{
    g_autoptr(GBytes) text = read_vector_file(tally, file);
    g_autoptr(GError) error = NULL;
    g_clear_pointer(&scenario->policy, runtime_policy_unref);
    if (text)
        scenario->policy = runtime_policy_parse(
            bytes_of_gbytes(text),
            scenario->must_match ? &runtime_policy_rules_upstream : &runtime_policy_rules_default,
            &error);
    expect_text(tally, "policy", NULL, error ? error->message : NULL);
}

/* What the step is to do: its own "should", a decision, or what upstream did. */
typedef struct {
    Json *upstream, *should;
    bool judged; /* upstream's outcome counts for what "should" does not name */
    const char *evaluation;
} Expectation;

static Expectation expectation_of(const Scenario *scenario, Json *step, size_t position)
{
    Expectation out = {.upstream = json_member(step, "upstream"),
                       .should = json_member(step, "should"),
                       .judged = scenario->must_match};
    out.evaluation = json_member_text(out.should, "evaluation");
    if (out.judged)
        out.evaluation = json_member_text(out.upstream, "evaluation");
    for (size_t i = 0; !scenario->must_match && i < G_N_ELEMENTS(decided); i++)
        if (g_strcmp0(decided[i].scenario, scenario->name) == 0 && decided[i].step == position)
            out.evaluation = decided[i].evaluation;
    return out;
}

static Json *expected_member(const Expectation *expected, const char *name)
{
    Json *should = json_member(expected->should, name);
    return should || !expected->judged ? should : json_member(expected->upstream, name);
}

static void expect_count(Tally *tally, const Expectation *expected, const char *name, guint64 got)
{
    Json *value = expected_member(expected, name);
    if (value)
        expect_number(tally, name, (guint64)json_object_get_int64(value), got);
}

/* The first error's detail holds the text, after the attribute's name. */
static void expect_error(Tally *tally, Json *errors, const char *text)
{
    const char *detail = json_member_text(json_object_array_get_idx(errors, 0), "detail");
    g_autofree char *wanted = g_strconcat(text, ".", NULL);
    if (!g_str_has_suffix(detail, wanted))
        expect_text(tally, "error", detail, wanted);
}

/* Lines of the agent's whole list from an offset on. */
static Bytes lines_from(Bytes log, guint64 offset)
{
    for (; offset > 0 && log.size > 0; offset--) {
        const uint8_t *end = memchr(log.data, '\n', log.size);
        size_t taken = end ? (size_t)(end - log.data) + 1 : log.size;
        log = bytes_of(log.data + taken, log.size - taken);
    }
    return log;
}

/* What was sent answers upstream's offset; where ours is another, the rest of the list is. */
static GBytes *sent_list(Json *step, const Expectation *expected, guint64 offset, Tally *tally)
{
    gint64 upstream = -1;
    const char *sent = json_member_text(step, "sent");
    json_member_int(expected->upstream, "starting_offset", false, &upstream);
    if (sent && upstream >= 0 && (guint64)upstream == offset)
        return read_vector_file(tally, sent);
    g_autoptr(GBytes) log = read_vector_file(tally, json_member_text(step, "agent_log"));
    return bytes_copy(lines_from(bytes_of_gbytes(log), offset));
}

static void check_events(Tally *tally, const Expectation *expected, const Verdict *verdict)
{
    Json *events = expected->judged ? json_member(expected->upstream, "events") : NULL;
    if (!events)
        return;
    expect_number(tally, "events", json_object_array_length(events), verdict->failure_count);
    for (size_t i = 0; i < json_object_array_length(events); i++)
        expect_text(tally, "event", json_text(json_object_array_get_idx(events, i)),
                    json_member_text(json_object_array_get_idx(verdict->failures, i), "event_id"));
}

/* The state is stored and read between two attestations. */
static void store_state(Scenario *scenario, Tally *tally)
{
    g_autofree char *text = ima_push_state_to_text(scenario->state);
    g_autoptr(GError) error = NULL;
    ImaPushState *again = ima_push_state_from_text(bytes_of_text(text), &error);
    expect_text(tally, "stored state", NULL, error ? error->message : NULL);
    if (!again)
        return;
    ima_push_state_free(scenario->state);
    scenario->state = again;
    g_autofree char *second = ima_push_state_to_text(again);
    expect_text(tally, "stored state", text, second);
}

static void appraise_step(Scenario *scenario, Json *step, const Expectation *expected,
                          const ImaRound *round, Bytes list, Tally *tally)
{
    g_autoptr(GBytes) pcr = member_bytes(step, "pcr10");
    ImaInput input = {.list = list,
                      .policy = scenario->policy,
                      .bank = tpm_hash_from_name(json_member_text(step, "bank")),
                      .quoted = bytes_of_gbytes(pcr),
                      .rules = scenario->rules};
    g_autoptr(Verdict) verdict = verdict_new();
    ImaRoundResult result = ima_push_appraise(&input, round, scenario->state, verdict);
    if (expected->evaluation && g_strcmp0(expected->evaluation, "pending") != 0)
        expect_text(tally, "evaluation", expected->evaluation,
                    evaluation_text(verdict->evaluation));
    if (expected_member(expected, "failure_reason"))
        expect_text(tally, "failure_reason", json_text(expected_member(expected, "failure_reason")),
                    verdict_failure_reason(verdict));
    check_events(tally, expected, verdict);
    if (verdict->evaluation == EVALUATION_PASS) {
        expect_count(tally, expected, "certified_entry_count", result.certified);
        expect_count(tally, expected, "received_entry_count", result.received);
    }
    store_state(scenario, tally);
}

static gint64 boot_time_of(Json *step)
{
    g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
    g_autoptr(GDateTime) time =
        g_date_time_new_from_iso8601(json_member_text(step, "boot_time"), utc);
    return g_date_time_to_unix(time);
}

static void run_step(Scenario *scenario, Json *step, size_t position, Tally *tally)
{
    Expectation expected = expectation_of(scenario, step, position);
    Json *refused = json_member(expected.upstream, "capability_errors");
    if (json_member(step, "capabilities_override") || !json_member(step, "boot_time"))
        return; /* members of a message: tests of the verifier's messages */
    expect_text(tally, "the list is wanted", "yes",
                runtime_policy_wants_ima(scenario->policy) ? "yes" : "no");
    ImaNegotiation negotiation = {.boot_time = boot_time_of(step),
                                  .entry_count = member_number(step, "entry_count"),
                                  .bank = tpm_hash_from_name(json_member_text(step, "bank")),
                                  .policy_checksum = runtime_policy_checksum(scenario->policy)};
    guint64 offset;
    ImaOffsetResult chosen =
        ima_push_offset(scenario->state, &negotiation, &scenario->push_rules, &offset);
    if (chosen != IMA_OFFSET_CHOSEN || (refused && expected.judged)) {
        g_autofree char *text = ima_offset_result_text(chosen, offset);
        expect_text(tally, "refused", refused ? "yes" : "no", "yes");
        if (refused)
            expect_error(tally, refused, text);
        return;
    }
    expect_count(tally, &expected, "starting_offset", offset);
    g_autoptr(GBytes) list = sent_list(step, &expected, offset, tally);
    ImaEntriesCheck check = {
        .offset = offset, .entry_count = negotiation.entry_count, .entries = bytes_of_gbytes(list)};
    ImaEntriesResult fits = ima_push_check_entries(&check);
    Json *errors = json_member(expected.upstream, "evidence_errors");
    if (fits != IMA_ENTRIES_FIT || (errors && expected.judged)) {
        g_autofree char *text = ima_entries_result_text(fits, &check);
        expect_text(tally, "evidence refused", errors ? "yes" : "no", "yes");
        if (errors)
            expect_error(tally, errors, text);
        return;
    }
    ImaRound round = {.offset = offset,
                      .boot_time = negotiation.boot_time,
                      .reset_count = (uint32_t)member_number(step, "reset_count"),
                      .policy_checksum = negotiation.policy_checksum};
    appraise_step(scenario, step, &expected, &round, bytes_of_gbytes(list), tally);
}

static void run_scenario(Json *entry, Tally *tally)
{
    bool must_match = true;
    json_member_bool(entry, "must_match", &must_match);
    g_auto(Scenario)
        scenario = {.name = json_member_text(entry, "name"),
                    .must_match = must_match,
                    .rules = must_match ? ima_rules_upstream : ima_rules_default,
                    .push_rules = must_match ? ima_push_rules_upstream : ima_push_rules_default,
                    .state = ima_push_state_new()};
    /* Decision D52 refuses blank lines; these sequences show how entries are counted with them. */
    if (!must_match)
        scenario.rules.blank_lines = IMA_BLANK_LINES_SKIP;
    use_policy(&scenario, json_member_text(entry, "policy"), tally);
    for (size_t i = 0; i < array_length(entry, "steps"); i++) {
        Json *step = array_entry(entry, "steps", i);
        if (json_member(step, "policy_replaced_by"))
            use_policy(&scenario, json_member_text(step, "policy_replaced_by"), tally);
        if (!scenario.policy)
            return;
        run_step(&scenario, step, i, tally);
    }
}

void read_push(Json *document, Tally *tally)
{
    FOR_EACH_CASE(document, "scenarios", entry, position)
    {
        case_begin(tally, entry, position);
        tally->current = json_member_text(entry, "name");
        run_scenario(entry, tally);
        case_end(tally);
    }
}
