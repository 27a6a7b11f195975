/* SPDX-License-Identifier: Apache-2.0 */
#include "tenant/explain.h"

#define LOG_NAME "keylime.tenant"
#include "base/log.h"
#include "base/timestamp.h"

/* A long list of failures is in the --json output of the attestation; a person reads the first
 * ones. */
#define SHOWN_FAILURES 10

static char *seconds_ago(Json *record, const char *member)
{
    gint64 at = 0;
    if (!json_member_int(record, member, false, &at) || at == 0)
        return g_strdup("never");
    return g_strdup_printf("%" G_GINT64_FORMAT " s ago", timestamp_now() / TIMESTAMP_SECOND - at);
}

/* The latest attestation as the v3 API shows it: `data` of the answer; new reference or NULL. */
static Json *latest_attestation(Server *verifier, const char *agent_id)
{
    g_autofree char *path = g_strdup_printf("/agents/%s/attestations/latest", agent_id);
    g_autoptr(ServerAnswer) answer = server_send(verifier, "GET", "3.0", path, NULL, NULL);
    Json *data = answer ? json_member(answer->body, "data") : NULL;
    return data ? json_object_get(data) : NULL;
}

static void explain_quote(const char *index, Json *item)
{
    Json *parameters = json_member(item, "chosen_parameters");
    Json *meta = json_member(json_member(item, "data"), "meta");
    const char *bank = json_member_text(parameters, "hash_algorithm");
    const char *scheme = json_member_text(parameters, "signature_scheme");
    const char *challenge = json_member_text(parameters, "challenge");
    Json *pcrs = bank ? json_member(json_member(meta, "pcrs"), bank) : NULL;
    if (!scheme || !challenge || !json_object_is_type(pcrs, json_type_object))
        return;
    log_info("  attestation %s: TPM quote, signed %s/%s by the attestation key over nonce %s",
             index, scheme, bank, challenge);
    json_object_object_foreach (pcrs, pcr, value)
        log_info("    PCR %s (%s) = %s", pcr, bank, json_object_get_string(value));
    Json *clock = json_member(meta, "clock_info");
    gint64 ticks, resets;
    if (json_member_int(clock, "clock", false, &ticks) &&
        json_member_int(clock, "reset_count", false, &resets))
        log_info("    TPM clock %" G_GINT64_FORMAT " ms, %" G_GINT64_FORMAT " resets", ticks,
                 resets);
}

static void explain_log(Json *item)
{
    const char *type = json_member_text(item, "evidence_type");
    Json *data = json_member(item, "data");
    gint64 offset, count;
    if (g_strcmp0(type, "ima_log") != 0 ||
        !json_member_int(json_member(item, "chosen_parameters"), "starting_offset", false,
                         &offset) ||
        !json_member_int(data, "entry_count", false, &count))
        return;
    log_info("    IMA list: %" G_GINT64_FORMAT " entries from entry %" G_GINT64_FORMAT " on", count,
             offset + 1);
}

static void explain_evidence(Json *attestation)
{
    const char *index = json_member_text(attestation, "id");
    Json *evidence =
        json_member_of_type(json_member(attestation, "attributes"), "evidence", json_type_array);
    size_t count = evidence ? json_object_array_length(evidence) : 0;
    for (size_t i = 0; i < count; i++) {
        Json *item = json_object_array_get_idx(evidence, i);
        if (g_strcmp0(json_member_text(item, "evidence_type"), "tpm_quote") == 0)
            explain_quote(index ? index : "?", item);
        else
            explain_log(item);
    }
}

/* --- failures -------------------------------------------------------------------------------- */

/* What a failure's context may tell, in the order in which people ask for it. */
static const struct {
    const char *member, *words;
} facts[] = {
    {"entry", "entry of the IMA list"},
    {"event", "event of the boot log"},
    {"path", "path"},
    {"pcr", "PCR"},
    {"bank", "bank"},
    {"event_type", "event type"},
    {"digest", "digest seen"},
    {"got", "seen"},
    {"expected", "expected"},
    {"rule", "rule that failed"},
};

/* A list as its elements; newly allocated. */
static char *fact_text(Json *value)
{
    if (!json_object_is_type(value, json_type_array))
        return g_strdup(json_object_get_string(value));
    GString *text = g_string_new(json_object_array_length(value) > 0 ? NULL : "nothing");
    for (size_t i = 0; i < json_object_array_length(value); i++)
        g_string_append_printf(text, "%s%s", i > 0 ? ", " : "",
                               json_object_get_string(json_object_array_get_idx(value, i)));
    return g_string_free(text, FALSE);
}

/* What to do about the failures that operators meet most; NULL for others. */
static const char *remedy_of(const char *event)
{
    if (g_str_has_suffix(event, ".not_in_allowlist"))
        return "if the file is meant to be there: add it to the runtime policy, and store that with"
               " -c updateruntimepolicy or -c update";
    if (g_str_has_suffix(event, ".runtime_policy_hash"))
        return "if the file was updated on purpose: add its new digest to the runtime policy, and"
               " store that with -c updateruntimepolicy or -c update";
    if (g_str_has_prefix(event, "measured_boot.policy_"))
        return "if the change was made on purpose: make a new policy with keylime-policy create"
               " measured-boot, and store it with -c updatembpolicy or -c update";
    if (g_str_equal(event, "ima.pcr_mismatch"))
        return "the list is not the one that the kernel extended into PCR 10: it was cut or changed"
               " on its way, or something else extended the PCR";
    return NULL;
}

/* A file's digest is shown with its algorithm already. */
static bool is_news(Json *context, const char *member)
{
    return !g_str_equal(member, "got") || !json_member(context, "digest");
}

static void explain_failure(Json *failure)
{
    Json *context = json_member(failure, "context");
    const char *message = json_member_text(context, "message");
    const char *event = json_member_text(failure, "event_id");
    log_info("  failure: %s (%s)", message ? message : "no details", event ? event : "?");
    for (unsigned i = 0; i < G_N_ELEMENTS(facts); i++) {
        Json *value = json_member(context, facts[i].member);
        g_autofree char *text = value ? fact_text(value) : NULL;
        /* What is expected is one value, or the digests that a policy has for a name. */
        const char *words =
            json_object_is_type(value, json_type_array) ? "the policy has" : facts[i].words;
        if (text && *text && is_news(context, facts[i].member))
            log_info("    %s: %s", words, text);
    }
    const char *remedy = event ? remedy_of(event) : NULL;
    if (remedy)
        log_info("    %s", remedy);
}

static bool has_failed(Json *attestation)
{
    const char *evaluation = json_member_text(json_member(attestation, "attributes"), "evaluation");
    return g_strcmp0(evaluation, "fail") == 0;
}

/* FAIL stays after later passes: the newest attestation that failed says why. New reference or
 * NULL. */
static Json *latest_failure(Server *verifier, const char *agent_id)
{
    g_autofree char *path = g_strdup_printf("/agents/%s/attestations", agent_id);
    g_autoptr(ServerAnswer) answer = server_send(verifier, "GET", "3.0", path, NULL, NULL);
    Json *list = answer ? json_member_of_type(answer->body, "data", json_type_array) : NULL;
    for (size_t i = list ? json_object_array_length(list) : 0; i > 0; i--) {
        Json *attestation = json_object_array_get_idx(list, i - 1);
        if (has_failed(attestation))
            return json_object_get(attestation);
    }
    return NULL;
}

static void explain_failures(Server *verifier, const char *agent_id, Json *latest)
{
    g_autoptr(Json) failed =
        has_failed(latest) ? json_object_get(latest) : latest_failure(verifier, agent_id);
    Json *failures =
        json_member_of_type(json_member(failed, "attributes"), "failures", json_type_array);
    size_t count = failures ? json_object_array_length(failures) : 0;
    for (size_t i = 0; i < MIN(count, SHOWN_FAILURES); i++)
        explain_failure(json_object_array_get_idx(failures, i));
    if (count > SHOWN_FAILURES)
        log_info("  and %zu more failures", count - SHOWN_FAILURES);
}

void explain_status(Server *verifier, const char *agent_id, Json *record)
{
    const char *status = json_member_text(record, "attestation_status");
    if (!status)
        return;
    gint64 count = 0;
    json_member_int(record, "attestation_count", false, &count);
    g_autofree char *last = seconds_ago(record, "last_received_quote");
    g_autofree char *passed = seconds_ago(record, "last_successful_attestation");
    log_info("Attestation status of agent %s: %s (%" G_GINT64_FORMAT
             " passed, last one %s; last evidence %s)",
             agent_id, status, count, passed, last);
    g_autoptr(Json) attestation = latest_attestation(verifier, agent_id);
    explain_evidence(attestation);
    if (g_str_equal(status, "FAIL")) {
        explain_failures(verifier, agent_id, attestation);
        log_info("  after the cause is mended: keylime_tenant -c reactivate -u %s", agent_id);
    } else if (g_str_equal(status, "TIMEOUT")) {
        log_info(
            "  the agent has been silent; it recovers by itself with its next passed attestation");
    } else if (g_str_equal(status, "PENDING")) {
        log_info("  no attestation has been judged %s; see the agent's log if this lasts",
                 count > 0 ? "since then" : "yet");
    }
}
