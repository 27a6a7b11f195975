/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/ima/appraisal.h"

#include "base/encoding.h"
#include "evidence/ima/log.h"
#include "evidence/ima/report.h"
#include "evidence/ima/template.h"

#include <string.h>

#define EVENT_MISMATCH "ima.pcr_mismatch"
#define EVENT_PROGRESS "ima.quote_progress"

const ImaRules ima_rules_default = {
    .violations = IMA_VIOLATIONS_PATH,
    .blank_lines = IMA_BLANK_LINES_FAIL,
    .all_templates = true,
    .require_boot_aggregate = true,
    .check_buffers = true,
    .device_mapper_is_settled = true,
};

const ImaRules ima_rules_upstream = {
    .violations = IMA_VIOLATIONS_IGNORE,
    .blank_lines = IMA_BLANK_LINES_COUNT,
    .learn_beyond_quote = true,
    .excludes_admit_keys = true,
    .device_mapper_as_upstream = true,
    .ones_are_violations = true,
};

/* The replay of one list. */
typedef struct {
    const ImaInput *input;
    const ImaState *state; /* never NULL */
    ImaJudge judge;
    ImaHasher *hasher;
    size_t log_size, pcr_size; /* of digests of the second column, of the bank's */
    ImaOutcome outcome;
    uint8_t matched_pcr[TPM_MAX_DIGEST];
    ImaKeyrings *rings;
    DeviceMapper *devices;         /* after the last line */
    DeviceMapper *matched_devices; /* at the quote */
} Replay;

static void replay_clear(Replay *replay)
{
    ima_hasher_free(replay->hasher);
    exclude_scratch_free(replay->judge.scratch);
    device_mapper_policy_free(replay->judge.device_policy);
    ima_keyrings_free(replay->rings);
    device_mapper_free(replay->devices);
    device_mapper_free(replay->matched_devices);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Replay, replay_clear)

void ima_outcome_clear(ImaOutcome *outcome)
{
    g_clear_pointer(&outcome->rings, ima_keyrings_free);
}

/* The operator's keys first, then the rings learned so far (ima §10.2 step 5). */
static ImaKeyrings *rings_before(const ImaInput *input, const ImaState *state)
{
    ImaKeyrings *rings = ima_keyrings_new();
    Bytes tenant = bytes_of_text(IMA_TENANT_KEYRING);
    const ImaKeyring *own = input->policy ? runtime_policy_verification_keys(input->policy) : NULL;
    if (own)
        ima_keyrings_set(rings, tenant, own);
    for (guint i = 0; input->keys && i < ima_keyring_size(input->keys); i++)
        ima_keyrings_add(rings, tenant, ima_keyring_at(input->keys, i, NULL));
    for (guint i = 0; i < ima_keyrings_count(state->learned); i++) {
        Bytes name;
        const ImaKeyring *ring = ima_keyrings_at(state->learned, i, &name);
        ima_keyrings_set(rings, name, ring);
    }
    return rings;
}

static ImaKeyrings *learned_of(const ImaKeyrings *rings)
{
    ImaKeyrings *learned = ima_keyrings_new();
    for (guint i = 0; i < ima_keyrings_count(rings); i++) {
        Bytes name;
        const ImaKeyring *ring = ima_keyrings_at(rings, i, &name);
        if (!bytes_equal(name, bytes_of_text(IMA_TENANT_KEYRING)))
            ima_keyrings_set(learned, name, ring);
    }
    return learned;
}

static bool start_device_mapper(Replay *replay, Verdict *verdict)
{
    const RuntimePolicy *policy = replay->input->policy;
    const char *text = policy ? runtime_policy_dm_policy(policy) : NULL;
    replay->devices = replay->state->entries > 0 ? device_mapper_copy(replay->state->device_mapper)
                                                 : device_mapper_new();
    replay->judge.devices = replay->devices;
    if (!text)
        return true;
    g_autoptr(GError) error = NULL;
    replay->judge.device_policy = device_mapper_policy_parse(bytes_of_text(text), &error);
    if (!error)
        return true;
    verdict_fail_message(verdict, "ima.validation.dm.invalid_policy", "IMA list: %s",
                         error->message);
    return false;
}

static bool replay_start(Replay *replay, Verdict *verdict)
{
    const ImaInput *input = replay->input;
    uint16_t log_algorithm =
        input->policy ? runtime_policy_log_hash_alg(input->policy) : TPM_ALG_SHA1;
    replay->hasher = ima_hasher_new(log_algorithm, input->bank);
    if (!replay->hasher) {
        verdict_fail_message(verdict, EVENT_MISMATCH,
                             "IMA list: PCR bank 0x%04x or the policy's log_hash_alg cannot be "
                             "computed here",
                             input->bank);
        return false;
    }
    replay->log_size = tpm_hash_size(log_algorithm);
    replay->pcr_size = replay->outcome.pcr_size = tpm_hash_size(input->bank);
    if (replay->state->entries > 0 && replay->state->bank != input->bank) {
        verdict_fail_message(verdict, EVENT_MISMATCH,
                             "IMA list: what was certified before is known in another PCR bank");
        return false;
    }
    if (replay->state->entries > 0)
        memcpy(replay->outcome.pcr, replay->state->pcr, replay->pcr_size);
    if (!input->without_keyrings)
        replay->rings = rings_before(input, replay->state);
    replay->judge = (ImaJudge){.policy = input->policy,
                               .rules = &input->rules,
                               .boot_aggregates = input->boot_aggregates,
                               .rings = replay->rings,
                               .cache = input->cache,
                               .scratch = exclude_scratch_new(),
                               .verdict = verdict};
    return start_device_mapper(replay, verdict);
}

static bool is_whole_list(const Replay *replay)
{
    return replay->input->rules.require_boot_aggregate && replay->input->quoted.size > 0 &&
           replay->state->entries == 0;
}

/* The first match counts, also before any line (ima §4). */
static void look_for_quote(Replay *replay, const ImaLog *log)
{
    ImaOutcome *outcome = &replay->outcome;
    if (outcome->matched ||
        !bytes_equal(replay->input->quoted, bytes_of(outcome->pcr, replay->pcr_size)))
        return;
    outcome->matched = true;
    outcome->match_line = log->line;
    outcome->certified =
        replay->input->rules.blank_lines == IMA_BLANK_LINES_COUNT ? log->line : log->entry;
    memcpy(replay->matched_pcr, outcome->pcr, replay->pcr_size);
    if (replay->judge.device_policy)
        replay->matched_devices = device_mapper_copy(replay->devices);
}

static bool replay_entry(Replay *replay, const ImaEntry *entry)
{
    static const uint8_t ones[TPM_MAX_DIGEST] = {[0 ... TPM_MAX_DIGEST - 1] = 0xff};
    ImaTemplateDigests digests;
    const RuntimePolicy *policy = replay->input->policy;
    if (policy)
        runtime_policy_prefetch_slot(policy, entry->name);
    if (!ima_hasher_entry(replay->hasher, entry, &digests))
        return false;
    if (policy)
        runtime_policy_prefetch_record(policy, entry->name);
    ImaTemplateCheck check = {.column = digests.column,
                              .size = replay->log_size,
                              .violation = entry->template_hash.size == replay->log_size &&
                                           bytes_are_zero(entry->template_hash)};
    if (!ima_hasher_extend(replay->hasher, replay->outcome.pcr,
                           check.violation ? ones : digests.extended))
        return false;
    ima_judge_entry(&replay->judge, entry, &check);
    return true;
}

/* False when the hashing itself failed. */
static bool replay_lines(Replay *replay, ImaLog *log)
{
    bool begins = is_whole_list(replay);
    if (!begins)
        look_for_quote(replay, log);
    ImaEntry entry;
    const char *reason;
    for (ImaLogItem item; (item = ima_log_next(log, &entry, &reason)) != IMA_LOG_END;) {
        replay->judge.entry = replay->state->entries + log->entry;
        replay->judge.covered = !replay->outcome.matched || replay->input->rules.learn_beyond_quote;
        if (item == IMA_LOG_BLANK) {
            replay->judge.entry++; /* it stands where the next one should */
            if (replay->input->rules.blank_lines == IMA_BLANK_LINES_FAIL)
                ima_judge_broken(&replay->judge, BYTES_EMPTY, "it is empty");
            continue;
        }
        if (item == IMA_LOG_BROKEN) {
            ima_judge_broken(&replay->judge, entry.line, reason);
            continue;
        }
        if (begins)
            ima_judge_first(&replay->judge, &entry);
        begins = false;
        if (!replay_entry(replay, &entry))
            return false;
        look_for_quote(replay, log);
    }
    return true;
}

/* ima §4.1: a quote that lags may not lag on. */
static bool makes_progress(const ImaState *state, const ImaOutcome *outcome)
{
    if (!state->has_progress || outcome->certified == outcome->entries ||
        state->received <= state->certified)
        return true;
    return outcome->certified >= state->received - state->certified;
}

static void judge_list(Replay *replay, bool remembers, Verdict *verdict)
{
    const ImaInput *input = replay->input;
    if (replay->judge.device_policy && input->rules.device_mapper_is_settled)
        ima_judge_devices(&replay->judge);
    if (input->quoted.size == 0)
        return;
    if (!replay->outcome.matched) {
        g_autofree char *quoted = hex_encode(input->quoted);
        g_autofree char *replayed = hex_encode(bytes_of(replay->outcome.pcr, replay->pcr_size));
        ImaReport report = {
            .event_id = EVENT_MISMATCH, .rule = "quote", .expected_one = quoted, .got = replayed};
        ima_report(verdict, &report,
                   "its replay never gives the quoted PCR 10: it is not the list of this machine, "
                   "was altered, or ends before the quote");
    } else if (remembers && !makes_progress(replay->state, &replay->outcome)) {
        ImaReport report = {.event_id = EVENT_PROGRESS, .rule = "quote"};
        ima_report(verdict, &report,
                   "the quote vouches for fewer entries than were left open the last time");
    }
}

static void remember(ImaState *state, Replay *replay)
{
    const ImaOutcome *outcome = &replay->outcome;
    state->has_progress = true;
    state->certified = outcome->certified;
    state->received = outcome->entries;
    state->bank = replay->input->bank;
    memcpy(state->pcr, replay->matched_pcr, replay->pcr_size);
    state->entries += outcome->certified;
    if (replay->rings) {
        ima_keyrings_free(state->learned);
        state->learned = learned_of(replay->rings);
    }
    if (replay->matched_devices) {
        device_mapper_free(state->device_mapper);
        state->device_mapper = g_steal_pointer(&replay->matched_devices);
    }
}

bool ima_appraise(const ImaInput *input, ImaState *state, Verdict *verdict, ImaOutcome *outcome)
{
    g_autoptr(ImaState) fresh = ima_state_new();
    g_auto(Replay) replay = {.input = input, .state = state ? state : fresh};
    guint failures_before = verdict->failure_count;
    if (replay_start(&replay, verdict)) {
        g_auto(ImaLog) log;
        ima_log_init(&log, input->list, input->rules.all_templates);
        if (!replay_lines(&replay, &log))
            verdict_fail_message(verdict, EVENT_MISMATCH, "IMA list: hashing failed");
        replay.outcome.lines = log.line;
        replay.outcome.entries = log.entry;
        judge_list(&replay, state != NULL, verdict);
    }
    bool passed = verdict->failure_count == failures_before;
    if (passed && state && input->quoted.size > 0)
        remember(state, &replay);
    if (outcome) {
        *outcome = replay.outcome;
        outcome->rings = g_steal_pointer(&replay.rings);
    }
    return passed;
}
