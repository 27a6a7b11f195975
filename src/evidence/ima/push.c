/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/ima/push.h"

#include "evidence/ima/log.h"

#include <string.h>

#define EVENT_RESTART "ima.log_restart_required"

const ImaPushRules ima_push_rules_default = {
    .boot_time_tolerance = 2,
    .reverify_on_policy_change = true,
};

const ImaPushRules ima_push_rules_upstream = {
    .refuse_earlier_boot = true,
};

/* Of the stored form. */
enum { STATE_VERSION = 1 };

ImaPushState *ima_push_state_new(void)
{
    ImaPushState *state = g_new0(ImaPushState, 1);
    state->list = ima_state_new();
    return state;
}

void ima_push_state_free(ImaPushState *state)
{
    if (!state)
        return;
    ima_state_free(state->list);
    g_free(state->policy_checksum);
    g_free(state);
}

char *ima_push_state_to_text(const ImaPushState *state)
{
    g_autoptr(Json) object = json_object_new_object();
    json_add_int(object, "version", STATE_VERSION);
    if (state->known) {
        json_add_int(object, "boot_time", state->boot_time);
        json_add_int(object, "reset_count", state->reset_count);
        json_add_text(object, "policy_checksum", state->policy_checksum);
        json_add(object, "list", ima_state_to_json(state->list));
    }
    if (state->restart_told)
        json_add_int(object, "restart_boot", state->restart_boot);
    return json_to_text(object);
}

static bool refuse(GError **error, const char *member)
{
    g_set_error(error, IMA_STATE_ERROR, IMA_STATE_ERROR_FORM,
                "stored state of IMA in push mode: %s: not usable", member);
    return false;
}

static bool read_reset_count(Json *object, const char *name, uint32_t *out, GError **error)
{
    gint64 number;
    if (!json_member_int(object, name, false, &number) || number < 0 || number > G_MAXUINT32)
        return refuse(error, name);
    *out = (uint32_t)number;
    return true;
}

static bool read_known(Json *object, ImaPushState *state, GError **error)
{
    if (!json_member_int(object, "boot_time", false, &state->boot_time))
        return refuse(error, "boot_time");
    if (!read_reset_count(object, "reset_count", &state->reset_count, error))
        return false;
    ImaState *list = ima_state_from_json(json_member(object, "list"), error);
    if (!list)
        return false;
    ima_state_free(state->list);
    state->list = list;
    state->policy_checksum = g_strdup(json_member_text(object, "policy_checksum"));
    state->known = true;
    return true;
}

ImaPushState *ima_push_state_from_text(Bytes text, GError **error)
{
    g_autoptr(Json) object = json_parse(text, error);
    g_autoptr(ImaPushState) state = ima_push_state_new();
    gint64 version;
    if (!object)
        return NULL;
    if (!json_member_int(object, "version", false, &version) || version != STATE_VERSION) {
        refuse(error, "version");
        return NULL;
    }
    if (json_member(object, "list") && !read_known(object, state, error))
        return NULL;
    state->restart_told = json_member(object, "restart_boot") != NULL;
    if (state->restart_told &&
        !read_reset_count(object, "restart_boot", &state->restart_boot, error))
        return NULL;
    return g_steal_pointer(&state);
}

/* --- negotiation ----------------------------------------------------------------------------- */

static bool is_same_boot(const ImaPushState *state, gint64 boot_time, const ImaPushRules *rules)
{
    gint64 earlier = MIN(state->boot_time, boot_time), later = MAX(state->boot_time, boot_time);
    /* The difference of two numbers of opposite ends does not fit; its unsigned form does. */
    return (guint64)later - (guint64)earlier <= (guint64)rules->boot_time_tolerance;
}

/* Certified entries stay so as long as nothing that judged them has changed. */
static bool continues(const ImaPushState *state, const ImaNegotiation *negotiation,
                      const ImaPushRules *rules)
{
    return is_same_boot(state, negotiation->boot_time, rules) &&
           state->list->bank == negotiation->bank &&
           (!rules->reverify_on_policy_change ||
            g_strcmp0(state->policy_checksum, negotiation->policy_checksum) == 0);
}

ImaOffsetResult ima_push_offset(const ImaPushState *state, const ImaNegotiation *negotiation,
                                const ImaPushRules *rules, guint64 *offset)
{
    *offset = 0;
    if (negotiation->entry_count == 0)
        return IMA_OFFSET_NO_ENTRIES;
    if (!state || !state->known)
        return IMA_OFFSET_CHOSEN;
    if (rules->refuse_earlier_boot && negotiation->boot_time < state->boot_time)
        return IMA_OFFSET_EARLIER_BOOT;
    if (continues(state, negotiation, rules))
        *offset = state->list->entries;
    return *offset > negotiation->entry_count ? IMA_OFFSET_BEYOND_LIST : IMA_OFFSET_CHOSEN;
}

char *ima_offset_result_text(ImaOffsetResult result, guint64 offset)
{
    switch (result) {
    case IMA_OFFSET_NO_ENTRIES:
        return g_strdup("is required");
    case IMA_OFFSET_EARLIER_BOOT:
        return g_strdup("must be equal to or greater than the boot time of last attestation");
    case IMA_OFFSET_BEYOND_LIST:
        return g_strdup_printf("must be greater than or equal to the calculated starting offset of "
                               "'%" G_GUINT64_FORMAT "'",
                               offset);
    case IMA_OFFSET_CHOSEN:
        break;
    }
    return g_strdup("is chosen");
}

/* --- evidence -------------------------------------------------------------------------------- */

static guint64 entries_needed(const ImaEntriesCheck *check)
{
    return check->entry_count > check->offset ? check->entry_count - check->offset : 0;
}

ImaEntriesResult ima_push_check_entries(const ImaEntriesCheck *check)
{
    guint64 count = ima_log_count(check->entries);
    if (check->requested > 0 && count > check->requested)
        return IMA_ENTRIES_TOO_MANY;
    if (count < entries_needed(check))
        return IMA_ENTRIES_TOO_FEW;
    if (check->has_raw && ima_log_count(check->raw) != count)
        return IMA_ENTRIES_RAW_DIFFER;
    return IMA_ENTRIES_FIT;
}

char *ima_entries_result_text(ImaEntriesResult result, const ImaEntriesCheck *check)
{
    switch (result) {
    case IMA_ENTRIES_TOO_MANY:
        return g_strdup("must not exceed the number of entries requested");
    case IMA_ENTRIES_TOO_FEW:
        return g_strdup_printf("must contain at least %" G_GUINT64_FORMAT
                               " entries based on the total reported log length and chosen "
                               "starting offset",
                               entries_needed(check));
    case IMA_ENTRIES_RAW_DIFFER:
        return g_strdup("must have as many lines as 'entries'");
    case IMA_ENTRIES_FIT:
        break;
    }
    return g_strdup("fits");
}

/* --- appraisal ------------------------------------------------------------------------------- */

static void forget(ImaPushState *state)
{
    state->known = false;
    ima_state_free(state->list);
    state->list = ima_state_new();
    g_clear_pointer(&state->policy_checksum, g_free);
}

/* `whole`: every certified entry was judged in this round. Otherwise those of earlier rounds were
 * judged by what the checksum of then names; where that is another policy than this round's, which
 * replaced it between negotiation and now, neither has judged all of them. */
static void keep(ImaPushState *state, ImaState *list, const ImaRound *round, bool whole)
{
    ima_state_free(state->list);
    state->list = list;
    state->known = true;
    state->boot_time = round->boot_time;
    state->reset_count = round->reset_count;
    state->restart_told = false;
    bool same = g_strcmp0(state->policy_checksum, round->policy_checksum) == 0;
    g_free(state->policy_checksum);
    state->policy_checksum = whole || same ? g_strdup(round->policy_checksum) : NULL;
}

/* True for the first time in a boot. */
static bool ask_for_whole_list(const ImaRound *round, ImaPushState *state, Verdict *verdict)
{
    bool first = !state->restart_told || state->restart_boot != round->reset_count;
    verdict_fail_message(
        verdict, EVENT_RESTART,
        "IMA list: the machine was started anew or its state is not known, and the "
        "entries from %" G_GUINT64_FORMAT " on do not lead to the quoted PCR 10: "
        "the whole list is asked for next",
        round->offset + 1);
    forget(state);
    state->restart_told = true;
    state->restart_boot = round->reset_count;
    return first;
}

ImaRoundResult ima_push_appraise(const ImaInput *input, const ImaRound *round, ImaPushState *state,
                                 Verdict *verdict)
{
    if (state->known && state->reset_count != round->reset_count)
        forget(state);
    bool fits = round->offset == 0 || (state->known && state->list->entries == round->offset);
    bool whole = round->offset == 0 || !fits;
    g_autoptr(ImaState) list = whole ? ima_state_new() : ima_state_copy(state->list);
    g_autoptr(Verdict) trial = verdict_new();
    g_auto(ImaOutcome) outcome = {0};
    bool passed = ima_appraise(input, list, trial, &outcome);
    ImaRoundResult result = {.received = outcome.entries};
    if (!fits && !outcome.matched) {
        result.forgiven = ask_for_whole_list(round, state, verdict);
        return result;
    }
    verdict_add(verdict, trial);
    if (passed) {
        result.certified = outcome.certified;
        keep(state, g_steal_pointer(&list), round, whole);
    }
    return result;
}
